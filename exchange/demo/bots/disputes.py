"""The claimant and the reviewer at work, each with a key of its own, through the public API only."""

import asyncio
from collections.abc import Coroutine
from functools import partial
from random import Random
from typing import Any

import msgspec
import structlog

from exchange.demo.bots import claimant
from exchange.demo.bots.crowd import Crowd
from exchange.demo.bots.venue import Venue
from rights.kernel.clock import now_us

CLAIMANT_SCOPES = ("read", "trade", "cancel", "quote", "redeem")
REVIEWER_SCOPES = ("read", "audit", "clearing")
LOOKS = 60
OPEN_STATES = frozenset({"received", "validated", "matched", "executing", "deferred"})
_LOG = structlog.get_logger("bots")


class Court(msgspec.Struct, frozen=True):
    """Who challenges and who decides: participants' slugs and their keys."""

    claimant: str
    claimant_token: str
    reviewer: str
    reviewer_token: str


def court(crowd: Crowd, who: Court, chance: Random) -> Coroutine[Any, Any, None]:
    """Challenge now and then, and decide what was challenged before."""
    return crowd.steadily(partial(_sit, crowd.venue, who, chance), who.claimant)


async def _sit(venue: Venue, who: Court, chance: Random) -> None:
    while True:
        disputes = await venue.listing("/disputes", who.claimant_token)
        await asyncio.sleep(claimant.pause_s(disputes, chance=chance))
        await challenge(venue, who, number=len(disputes))
        for _ in range(claimant.USES):
            await _use(venue, who, number=len(disputes))
        await decide(venue, who)


async def decide(venue: Venue, who: Court) -> None:
    """Decide all that the claimant challenged, but the newest."""
    for dispute in claimant.ripe(await venue.listing("/disputes", who.claimant_token)):
        path = f"/disputes/{dispute['id']}"
        if dispute["reviewer"] is None:
            await venue.post(f"{path}/assign", who.reviewer_token, {"reviewer": who.reviewer})
        elif dispute["reviewer"] != who.reviewer:
            continue  # somebody else was asked to decide it
        await venue.post(f"{path}/decide", who.reviewer_token, claimant.decision(dispute))
        _LOG.info("decided", dispute=dispute["id"])


async def challenge(venue: Venue, who: Court, *, number: int) -> None:
    """Use a little of a right, and challenge what was charged for it; nothing where nothing was."""
    path = await _use(venue, who, number=number)
    if path is None:
        return
    for _ in range(LOOKS):
        await asyncio.sleep(1)
        request = await venue.get(path, who.claimant_token)
        if request["state"] not in OPEN_STATES:
            break
    if request["settlement_id"] is None:
        return
    settlement = await venue.get(f"{path}/settlement", who.claimant_token)
    if settlement["state"] == "pending_dispute_window" and settlement["outcome"] == "full":
        await venue.post(f"/settlements/{settlement['id']}/disputes", who.claimant_token, claimant.challenge(number=number))
        _LOG.info("challenged", settlement=settlement["id"])


async def _use(venue: Venue, who: Court, *, number: int) -> str | None:
    """Ask for a few vectors; the request's path, or None where no right can be used now."""
    held = await venue.listing("/rights", who.claimant_token, holder="me", status="active", limit="1000")
    right_id = claimant.usable(held, now_us=now_us())
    if right_id is None:
        return None
    made = await venue.post("/requests", who.claimant_token, claimant.wish(right_id=right_id, number=number))
    return f"/requests/{made['id']}"
