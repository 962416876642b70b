"""`manage.py venue_key [--rotate --reason TEXT]`: the key the venue signs with; its public half, or a new one in its place."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from exchange.services.venue_key import current_signer, rotate
from rights.domain.reason import ReasonMissing
from rights.kernel.clock import now_us
from rights.services.venue_keys import VenueKeyRefusal

ACTOR = "command:venue_key"


class Command(BaseCommand):
    help = "Print the venue's public key as one JSON line, making it on first use; --rotate retires it and takes a new one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--rotate", action="store_true", help="with VENUE_KEY set: to the key it says; else to one made here")
        parser.add_argument("--reason", default="", help="of the rotation; goes on the record")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        try:
            if options["rotate"]:
                signer = rotate(reason=options["reason"], actor=ACTOR, now_us=now_us())
            else:
                signer = current_signer(actor=ACTOR, now_us=now_us())
        except (VenueKeyRefusal, ReasonMissing) as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(json.dumps({"key_id": signer.key_id, "public_key": signer.public_key}))
