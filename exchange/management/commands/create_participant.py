"""`manage.py create_participant SLUG --name NAME`: open a participant with a first account; prints one JSON line."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from exchange.services.operator_refusal import OperatorRefusal
from exchange.services.participants import NewAccount, open_participant
from rights.domain.reason import ReasonMissing
from rights.kernel.clock import now_us
from rights.kernel.ids import Mint, public
from rights.models.party import HOLDER_TYPES


class Command(BaseCommand):
    help = "Open a participant with a first account, recorded in the registry. Prints one JSON line."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="1 to 40 of a-z, 0-9 and inner hyphens")
        parser.add_argument("--name", required=True, help="the legal and beneficial owner")
        parser.add_argument("--holder-type", default="app", choices=HOLDER_TYPES, help="decides which rights the account may receive")
        parser.add_argument("--jurisdiction", default="", help="a code that terms of rights may ask for, such as US")
        parser.add_argument("--account", default="main", help="the name of the first account")
        parser.add_argument("--reason", default="opened by manage.py create_participant", help="goes on the record")

    def handle(self, *_args: Any, **options: Any) -> None:
        account = NewAccount(options["account"], options["holder_type"], options["jurisdiction"])
        told = {"reason": options["reason"], "actor": "command:create_participant", "mint": Mint(), "now_us": now_us()}
        try:
            participant = open_participant(slug=options["slug"], name=options["name"], account=account, **told)
        except (OperatorRefusal, ReasonMissing) as refusal:
            raise CommandError(str(refusal)) from refusal
        opened = participant.accounts.get()
        self.stdout.write(json.dumps({"participant": participant.slug, "account_id": public("acc", str(opened.uuid))}))
