"""`manage.py seed_demo`: participants, rights, instruments and funds of the demo (API.md, command line). Twice is the same as once."""

import json
import os
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from exchange.demo.parties import DEPUTY, PEOPLE, demo_password, seed_parties, set_passwords
from exchange.demo.roll import roll
from exchange.demo.supply import reach
from exchange.models import Instrument
from exchange.services.timetable import run_due
from rights.kernel.clock import now_us, to_datetime
from rights.kernel.ids import Mint


class Command(BaseCommand):
    help = "Make the demo's participants, rights, instruments and funds, through the same services as everything else."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--password", default="", help="of the seven people, set anew; default: one of this deployment's own, printed")
        parser.add_argument("--json", action="store_true", help="print one JSON line")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        password = options["password"] or demo_password(settings.SECRET_KEY)
        mint, moment = Mint(), now_us()
        seed_parties(password=password, mint=mint, now_us=moment)
        if options["password"]:
            set_passwords(password)
        listed = roll(mint=mint, now_us=moment)
        served = self._reach_supplier(mint)
        run_due(now_us=now_us())
        trading = Instrument.objects.filter(gate_closes_at__gt=to_datetime(moment)).order_by("symbol")
        symbols = list(trading.values_list("symbol", flat=True))
        people = [party.slug for party in PEOPLE]
        if options["json"]:
            self.stdout.write(json.dumps({"password": password, "participants": people, "instruments": symbols, "listed": listed}))
            return
        self.stdout.write(f"participants: {', '.join(people)}")
        self.stdout.write(f"second operator: {DEPUTY}")
        self.stdout.write(f"password of each: {password}")
        self.stdout.write(f"instruments: {len(symbols)}, of which {len(listed)} new")
        for symbol in symbols:
            self.stdout.write(f"  {symbol}")
        if served:
            key = "`.venv/bin/python manage.py create_key buyer --scopes read,redeem`"
            how = f"buy a right whose window is open, make a key ({key}), and give it to any OpenAI client"
            at = os.environ.get("DEMO_URL", "<address>")
            self.stdout.write(f"redeem {', '.join(served)}: {how} with base URL {at}/v1 (docs/gateway.md)")

    @staticmethod
    def _reach_supplier(mint: Mint) -> list[str]:
        """Whoever runs the demo's supplier says where it is; otherwise what was said before stays."""
        base_url = os.environ.get("DEMO_SUPPLIER_URL", "")
        if not base_url:
            return []
        return reach(base_url=base_url, token=os.environ.get("DEMO_SUPPLIER_TOKEN", ""), mint=mint, now_us=now_us())
