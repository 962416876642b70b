"""`manage.py audit [--json] [--quick]`: every invariant of docs/invariants.md, in one snapshot; exit 1 when one is broken."""

import time
from argparse import ArgumentParser
from typing import Any

import msgspec
from django.core.management.base import BaseCommand

from exchange.audit.registry import SENTENCES
from exchange.audit.run import Report, audit
from exchange.replay.snapshot import snapshot
from rights.kernel.clock import now_us


class Command(BaseCommand):
    help = "Check every invariant in one snapshot, without locks. Exit 1 and the offending rows if any is broken."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--quick", action="store_true", help="leave out what reads the whole journal again")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        started = time.monotonic()
        with snapshot():
            report = audit(now_us=now_us(), quick=options["quick"])
        elapsed = round(time.monotonic() - started, 2)
        if options["json"]:
            answer = {"ok": not report.broken, "elapsed_s": elapsed, **msgspec.to_builtins(report)}
            self.stdout.write(msgspec.json.encode(answer).decode())
        else:
            self._print(report, elapsed)
        if report.broken:
            raise SystemExit(1)

    def _print(self, report: Report, elapsed: float) -> None:
        for code, sentence in SENTENCES.items():
            self.stdout.write(f"{'BROKEN' if code in report.codes else 'ok':6} {code}  {sentence}")
            for broken in report.broken:
                if broken.code == code:
                    self.stdout.write(f"         {broken.check}: {broken.says}")
                    for row in broken.rows:
                        self.stdout.write(f"           {msgspec.json.encode(row).decode()}")
                    if broken.more:
                        self.stdout.write("           …")
        left_out = f", {len(report.skipped)} left out: {', '.join(report.skipped)}" if report.skipped else ""
        self.stdout.write(f"{len(report.checked)} checks in {elapsed} s, {len(report.broken)} broken{left_out}")
