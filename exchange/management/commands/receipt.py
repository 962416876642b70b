"""`manage.py receipt FILL_ID [FILE]`: the receipt of a fill, for `manage.py verify` (docs/receipts.md)."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError

from exchange.replay.receipt_source import fill_receipt


class Command(BaseCommand):
    help = "Write the receipt of a fill (fil_…) to FILE or to standard output; verify it anywhere with `verify FILE`."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("fill")
        parser.add_argument("file", nargs="?")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        receipt = fill_receipt(options["fill"])
        if receipt is None:
            raise CommandError(f"no fill {options['fill']}")
        text = orjson.dumps(receipt, option=orjson.OPT_INDENT_2).decode()
        if options["file"]:
            Path(options["file"]).write_text(text + "\n", encoding="utf-8")
        else:
            self.stdout.write(text)
