"""`manage.py receipt FILL_ID [FILE]`: the receipt of a fill with its whole event, for `manage.py verify` (docs/receipts.md)."""

from argparse import ArgumentParser
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError

from exchange.replay.receipt_source import fill_receipt
from exchange.services.venue_key import current_signer
from rights.kernel.clock import now_us
from rights.services.venue_keys import VenueKeyRefusal

ACTOR = "command:receipt"


class Command(BaseCommand):
    help = "Write the receipt of a fill (fil_…) with its whole event to FILE or to standard output; verify it anywhere with `verify FILE`."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("fill")
        parser.add_argument("file", nargs="?")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        now = now_us()
        try:
            receipt = fill_receipt(options["fill"], signer=partial(current_signer, actor=ACTOR, now_us=now), now_us=now, with_event=True)
        except VenueKeyRefusal as refusal:
            raise CommandError(str(refusal)) from refusal
        if receipt is None:
            raise CommandError(f"no fill {options['fill']}")
        text = orjson.dumps(receipt, option=orjson.OPT_INDENT_2).decode()
        if options["file"]:
            Path(options["file"]).write_text(text + "\n", encoding="utf-8")
        else:
            self.stdout.write(text)
