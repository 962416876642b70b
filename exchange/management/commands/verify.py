"""`manage.py verify FILE`: check an export of the event chain, a receipt or an inclusion proof, offline; `--database`: the chain in place."""

import base64
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError

from exchange.replay.export import Verdict, read_lines, stored_rows, verify_rows
from exchange.replay.receipt import receipt_faults
from exchange.replay.snapshot import snapshot
from rights.domain.anchor_body import PROOF, proof_faults

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
    help = "Check a fill receipt, an inclusion proof or an export of the event chain without a database, or (--database) the chain where it is. Exit 1 on a fault."
    requires_system_checks: list[str] = []  # works where no database is

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--keys", help="what /.well-known/venue-keys answers, to check signatures against the venue's own keys")
        parser.add_argument("file", nargs="?", help="a receipt or a proof (JSON) or what export_events wrote (JSON lines)")
        parser.add_argument("--database", action="store_true", help="check the chain in the database")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        if options["database"] == bool(options["file"]):
            raise CommandError("name a file, or --database")
        if options["database"]:
            with snapshot():
                self._tell_chain(verify_rows(stored_rows()))
            return
        try:
            path = Path(options["file"])
            with path.open("rb") as lines:
                first = lines.readline()
                is_chain = first.startswith((b'{"kind":"stream"', b'{"kind":"event"'))
                lines.seek(0)
                if is_chain:
                    self._tell_chain(verify_rows(read_lines(lines)))
                else:
                    self._tell_document(lines.read(), _keys(options["keys"]))
        except OSError as fault:
            raise CommandError(str(fault)) from fault

    def _tell_chain(self, verdict: Verdict) -> None:
        self._tell(verdict.faults, f"{verdict.events} events in {verdict.streams} streams: gapless, chained, every column as hashed")

    def _tell_document(self, text: bytes, keys: Keys | None) -> None:
        try:
            receipt = orjson.loads(text)
        except orjson.JSONDecodeError as fault:
            raise CommandError(f"neither a receipt, a proof nor an export of events: {fault}") from fault
        if isinstance(receipt, dict) and receipt.get("version") == PROOF:
            known = "one of the venue's" if keys is not None else "compare it with /.well-known/venue-keys, or give --keys"
            fine = f"the event is in the anchor, which is signed by key {receipt.get('anchor', {}).get('key_id')}: {known}"
            self._tell(proof_faults(receipt, keys), fine)
            return
        self._tell(receipt_faults(receipt), "the receipt is sound: its hash is that of its event, and the fill says what the event says")

    def _tell(self, faults: list[str], fine: str) -> None:
        if not faults:
            self.stdout.write(f"ok: {fine}")
            return
        for fault in faults[:SHOWN]:
            self.stdout.write(f"FAULT {fault}")
        self.stdout.write(f"{len(faults)} faults")
        raise SystemExit(1)
