"""`manage.py fund PARTICIPANT AMOUNT [--currency USD]`: credit cash from the venue's funding account."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from exchange.domain.amounts import decimal_text
from exchange.services.funding import fund
from rights.domain.reason import ReasonMissing
from rights.kernel.clock import now_us
from rights.kernel.ids import Mint, public
from rights.models import Account
from settlement.services.funding import FundingRefusal


class Command(BaseCommand):
    help = "Credit cash to a participant's first account, from venue:funding. Prints one JSON line."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("participant")
        parser.add_argument("amount", help="a plain decimal, such as 100000.00")
        parser.add_argument("--currency", default="USD")
        parser.add_argument("--reason", default="funded by manage.py fund", help="goes on the record")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        account = Account.objects.filter(participant__slug=options["participant"], code=None).order_by("pk").first()
        if account is None:
            raise CommandError(f"no participant {options['participant']}")
        try:
            after = fund(
                account=account,
                amount=options["amount"],
                currency=options["currency"],
                reason=options["reason"],
                mint=Mint(),
                actor="command:fund",
                now_us=now_us(),
            )
        except (FundingRefusal, ReasonMissing) as refusal:
            raise CommandError(str(refusal)) from refusal
        answer = {
            "account_id": public("acc", str(account.uuid)),
            "currency": after.currency,
            "total": decimal_text(after.amount_minor, after.scale),
            "held": decimal_text(after.held_minor, after.scale),
            "entry_id": after.entry_id,
        }
        self.stdout.write(json.dumps(answer))
