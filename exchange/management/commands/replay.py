"""`manage.py replay [--json]`: rebuild state from the events and fills from the journal; exit 1 on a difference."""

import time
from argparse import ArgumentParser
from typing import Any

import msgspec
from django.core.management.base import BaseCommand

from exchange.replay.run import replay
from exchange.replay.snapshot import snapshot


class Command(BaseCommand):
    help = "Rebuild state from the events alone and fills from the journal alone, and compare with the tables byte for byte."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        started = time.monotonic()
        with snapshot():
            found = replay()
        elapsed = round(time.monotonic() - started, 2)
        if options["json"]:
            answer = {"ok": not found.differences, "elapsed_s": elapsed, **msgspec.to_builtins(found)}
            self.stdout.write(msgspec.json.encode(answer).decode())
        else:
            self.stdout.write(f"state:  {found.events} events of {found.streams} streams tell {found.objects} rights, balances and books")
            self.stdout.write(f"        events {found.state_hash['events']}\n        tables {found.state_hash['tables']}")
            self.stdout.write(
                f"fills:  {found.commands} commands in {found.batches} batches of {found.books} books make {found.trades} trades"
            )
            for difference in found.first:
                self.stdout.write(f"DIFFERS {difference.check} {msgspec.json.encode(difference.row).decode()}")
            counted = ", ".join(f"{count} in {check}" for check, count in found.differences.items())
            self.stdout.write(f"{'differences: ' + counted if counted else 'equal, byte for byte'} ({elapsed} s)")
        if found.differences:
            raise SystemExit(1)
