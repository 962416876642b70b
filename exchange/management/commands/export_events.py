"""`manage.py export_events FILE [--stream CODE]`: the event chain as JSON lines, for `manage.py verify`."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from exchange.replay.export import export_lines
from exchange.replay.snapshot import snapshot


class Command(BaseCommand):
    help = "Write every event (or one stream's) to FILE, one JSON object a line; verify it anywhere with `verify FILE`."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file")
        parser.add_argument("--stream", help="a stream's code, such as registry or series:3")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        count = 0
        try:
            with Path(options["file"]).open("wb") as out, snapshot():
                for line in export_lines(options["stream"]):
                    out.write(line)
                    count += 1
        except (OSError, LookupError) as fault:
            raise CommandError(str(fault)) from fault
        self.stdout.write(f"{count} lines written to {options['file']}")
