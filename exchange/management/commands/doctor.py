"""`manage.py doctor [--json]`: what is wrong with this deployment; exit 1 when something is."""

from argparse import ArgumentParser
from typing import Any

import msgspec
from django.core.management.base import BaseCommand

from exchange.audit.deployment import diagnose
from rights.kernel.clock import now_us


class Command(BaseCommand):
    help = "Say what is wrong with this deployment: durability, guards, silent parts, clock, doorbell, migrations, disk. Exit 1 if anything is."
    requires_system_checks: list[str] = []  # a patient may be too ill for those

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        found = diagnose(now_us=now_us)
        ill = [diagnosis for diagnosis in found if not diagnosis.ok]
        if options["json"]:
            self.stdout.write(msgspec.json.encode({"ok": not ill, "found": found}).decode())
        else:
            for diagnosis in found:
                self.stdout.write(f"{'ok ' if diagnosis.ok else 'BAD'}  {diagnosis.name}: {diagnosis.says}")
        if ill:
            raise SystemExit(1)
