"""`manage.py verify FILE`: check an export of the event chain or a fill receipt, offline; `--database`: the chain in place."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError

from exchange.replay.export import Verdict, read_lines, stored_rows, verify_rows
from exchange.replay.receipt import receipt_faults
from exchange.replay.snapshot import snapshot

SHOWN = 20


class Command(BaseCommand):
    help = (
        "Check a fill receipt or an export of the event chain without a database, or (--database) the chain where it is. Exit 1 on a fault."
    )
    requires_system_checks: list[str] = []  # works where no database is

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", help="a receipt (JSON) or what export_events wrote (JSON lines)")
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
                    self._tell_receipt(lines.read())
        except OSError as fault:
            raise CommandError(str(fault)) from fault

    def _tell_chain(self, verdict: Verdict) -> None:
        self._tell(verdict.faults, f"{verdict.events} events in {verdict.streams} streams: gapless, chained, every column as hashed")

    def _tell_receipt(self, text: bytes) -> None:
        try:
            receipt = orjson.loads(text)
        except orjson.JSONDecodeError as fault:
            raise CommandError(f"neither a receipt nor an export of events: {fault}") from fault
        self._tell(receipt_faults(receipt), "the receipt is sound: its hash is that of its event, and the fill says what the event says")

    def _tell(self, faults: list[str], fine: str) -> None:
        if not faults:
            self.stdout.write(f"ok: {fine}")
            return
        for fault in faults[:SHOWN]:
            self.stdout.write(f"FAULT {fault}")
        self.stdout.write(f"{len(faults)} faults")
        raise SystemExit(1)
