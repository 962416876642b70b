"""`manage.py create_issuer PARTICIPANT [--slug SLUG]`: let a participant create rights; prints one JSON line."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from exchange.services.operator_refusal import OperatorRefusal
from exchange.services.participants import appoint_issuer
from rights.domain.issuance import PATHS
from rights.domain.reason import ReasonMissing
from rights.kernel.clock import now_us
from rights.models import Participant
from rights.models.party import ISSUER_TYPES


class Command(BaseCommand):
    help = "Appoint a participant as an issuer, recorded in the registry. Prints one JSON line."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("participant", help="the participant's slug")
        parser.add_argument("--slug", default="", help="the name that manifests give; default: the participant's")
        parser.add_argument("--issuer-type", default="provider", choices=ISSUER_TYPES)
        parser.add_argument("--tier", type=int, default=1, help="rights of different tiers are never in one class")
        parser.add_argument("--issuance-path", default="supplier-self", choices=sorted(PATHS))
        parser.add_argument("--reason", default="appointed by manage.py create_issuer", help="goes on the record")

    def handle(self, *_args: Any, **options: Any) -> None:
        participant = Participant.objects.filter(slug=options["participant"]).first()
        if participant is None:
            raise CommandError(f"no participant {options['participant']}")
        try:
            issuer = appoint_issuer(
                participant=participant,
                slug=options["slug"] or participant.slug,
                issuer_type=options["issuer_type"],
                tier=options["tier"],
                issuance_path=options["issuance_path"],
                reason=options["reason"],
                actor="command:create_issuer",
                now_us=now_us(),
            )
        except (OperatorRefusal, ReasonMissing) as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(json.dumps({"issuer": issuer.slug, "participant": participant.slug, "tier": issuer.tier}))
