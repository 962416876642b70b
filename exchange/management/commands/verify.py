"""`manage.py verify FILE`: check an export of the event chain, a receipt, a proof, a chain's end or an event, offline; `--database`: in place."""

import base64
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError

from exchange.replay.event_document import event_faults
from exchange.replay.export import Verdict, export_head_faults, read_lines, stored_rows, verify_rows
from exchange.replay.receipt import VERSION as RECEIPT
from exchange.replay.receipt import receipt_faults
from exchange.replay.snapshot import snapshot
from rights.domain.anchor_body import PROOF, proof_faults
from rights.domain.statement import HEAD, document_faults

SHOWN = 20
Keys = dict[str, dict[str, Any]]


def _keys(path: str | None) -> Keys | None:
    """The venue's keys by id, from a file."""
    if path is None:
        return None
    try:
        listed = orjson.loads(Path(path).read_bytes())["keys"]
        return {key["kid"]: {**key, "public_key": base64.urlsafe_b64decode(key["x"] + "==").hex()} for key in listed}
    except (ValueError, KeyError, TypeError) as fault:
        raise CommandError(f"{path} is not a list of keys: {fault!r}") from fault


class Command(BaseCommand):
    help = (
        "Check a receipt, a proof, a signed end of a chain, an event or an export of the chain without a database, "
        "or (--database) the chain where it is. Exit 1 on a fault."
    )
    requires_system_checks: list[str] = []  # works where no database is

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--keys", help="what /.well-known/venue-keys answers, to check signatures against the venue's own keys")
        parser.add_argument("--head", help="with an export: a signed end of one of its streams, which must be in it")
        parser.add_argument("file", nargs="?", help="a document of the API (JSON) or what export_events wrote (JSON lines)")
        parser.add_argument("--database", action="store_true", help="check the chain in the database")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        if options["database"] == bool(options["file"]):
            raise CommandError("name a file, or --database")
        if options["database"]:
            with snapshot():
                self._tell_chain(verify_rows(stored_rows()))
            return
        try:
            self._verify(Path(options["file"]), options["head"], _keys(options["keys"]))
        except OSError as fault:
            raise CommandError(str(fault)) from fault

    def _verify(self, path: Path, head: str | None, keys: Keys | None) -> None:
        with path.open("rb") as lines:
            is_chain = lines.readline().startswith((b'{"kind":"stream"', b'{"kind":"event"'))
            lines.seek(0)
            if not is_chain:
                self._tell_document(_document(lines.read()), keys)
                return
            verdict = verify_rows(read_lines(lines))
            if head is not None:
                lines.seek(0)
                verdict.faults += export_head_faults(read_lines(lines), _document(Path(head).read_bytes()), keys)
        self._tell_chain(verdict)

    def _tell_chain(self, verdict: Verdict) -> None:
        self._tell(verdict.faults, f"{verdict.events} events in {verdict.streams} streams: gapless, chained, every column as hashed")

    def _tell_document(self, document: dict[str, Any], keys: Keys | None) -> None:
        signer = f"key {document.get('anchor', document).get('key_id')}"
        signer += ": one of the venue's" if keys is not None else ": compare it with /.well-known/venue-keys, or give --keys"
        version = document.get("version")
        if version == PROOF:
            self._tell(proof_faults(document, keys), f"the event is in the anchor, which is signed by {signer}")
        elif version == HEAD:
            self._tell(document_faults(document, version=HEAD, keys=keys), f"the end of the chain is signed by {signer}")
        elif version == RECEIPT:
            self._tell(receipt_faults(document, keys), f"the receipt is sound: {_carried(document)}signed by {signer}")
        elif {"hash", "prev_hash", "withheld"} <= document.keys():
            self._tell(event_faults(document), "the event is what was hashed")
        else:
            raise CommandError("neither a receipt, a proof, an end of a chain, an event nor an export of events")

    def _tell(self, faults: list[str], fine: str) -> None:
        if not faults:
            self.stdout.write(f"ok: {fine}")
            return
        for fault in faults[:SHOWN]:
            self.stdout.write(f"FAULT {fault}")
        self.stdout.write(f"{len(faults)} faults")
        raise SystemExit(1)


def _document(text: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as fault:
        raise CommandError(f"neither JSON nor an export of events: {fault}") from fault
    if not isinstance(found, dict):
        raise CommandError("a document is a JSON object")
    return found


def _carried(receipt: dict[str, Any]) -> str:
    """What a receipt brings along beside the signature, in words."""
    parts = []
    if receipt.get("event") is not None:
        parts.append("the fill says what its event says, ")
    if receipt.get("proof") is not None:
        parts.append("its event is in a signed anchor, ")
    return "".join(parts)
