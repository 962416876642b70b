"""`create_key PARTICIPANT --scopes read,trade`: one JSON line with the key's id and its token (API.md, command line)."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from exchange.models.access import SCOPES
from exchange.services import keys
from rights.kernel.clock import now_us
from rights.models import Account


class Command(BaseCommand):
    help = "Create an API key for a participant's first account; the token is shown once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("participant", help="the participant's slug, e.g. buyer")
        parser.add_argument("--scopes", required=True, help="comma-separated, of: " + ", ".join(SCOPES))
        parser.add_argument("--kind", default="bearer", choices=["bearer"])
        parser.add_argument("--label", default="")

    def handle(self, *_args: Any, **options: Any) -> None:
        scopes = [scope.strip() for scope in options["scopes"].split(",") if scope.strip()]
        unknown = [scope for scope in scopes if scope not in SCOPES]
        if unknown or not scopes:
            raise CommandError(f"unknown or no scopes: {', '.join(unknown)}; known are {', '.join(SCOPES)}")
        account = Account.objects.filter(participant__slug=options["participant"], code=None).order_by("id").first()
        if account is None:
            raise CommandError(f"there is no participant {options['participant']!r} with an account")
        new = keys.create(account_id=account.pk, scopes=set(scopes), label=options["label"][:80], expires_us=None, now_us=now_us())
        self.stdout.write(json.dumps({"key_id": str(new.key), "token": new.token}))
