"""`manage.py anchor`: anchor now what the registry has remembered since the last anchor (docs/anchors.md)."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from exchange.services.anchoring import anchor_now
from rights.kernel.clock import now_us
from rights.kernel.ids import public
from rights.services.venue_keys import VenueKeyRefusal


class Command(BaseCommand):
    help = "Anchor now: one JSON line per anchor made; none when nothing is new."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        try:
            made = anchor_now(actor="command:anchor", now_us=now_us())
        except VenueKeyRefusal as refusal:
            raise CommandError(str(refusal)) from refusal
        for anchor in made:
            line = {"id": public("anc", str(anchor.uuid)), "number": anchor.number, "leaves": anchor.leaves, "root": anchor.root}
            self.stdout.write(json.dumps(line | {"hash": anchor.hash}))
