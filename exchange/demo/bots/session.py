"""One run of the bots: who trades how often, the upkeep beside them, and a clean end."""

import asyncio
import contextlib
import signal
from random import Random
from typing import Any

import msgspec
import structlog
from asgiref.sync import sync_to_async
from django.db import Error, close_old_connections

from exchange.demo.bots.crowd import Bot, Crowd, desk, tenant, vault
from exchange.demo.bots.demand import Demand
from exchange.demo.bots.disputes import Court, court
from exchange.demo.bots.trace import Call
from exchange.demo.bots.venue import Denied, Venue
from exchange.demo.parties import DESKS, TENANTS, VAULTS
from exchange.demo.upkeep import upkeep
from rights.kernel.clock import now_us
from rights.kernel.ids import Mint

UPKEEP_EVERY_S = 30.0
CHANGES_PER_QUOTE = 7  # about so many operations in one turn of a desk
_LOG = structlog.get_logger("bots")


class Session(msgspec.Struct, frozen=True):
    """`rate`: orders a second, all bots together. `seconds` 0: until a signal comes."""

    url: str
    rate: int
    seed: int
    seconds: int


async def trade(session: Session, calls: list[Call], tokens: dict[str, str], who: Court | None) -> None:
    """Trade until the time is over or a signal comes, then take everything back and leave."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    venue = Venue(session.url, session.seed)
    crowd = Crowd(venue, seed=session.seed)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(work)
                for work in [
                    crowd.steadily(crowd.watch, "watcher"),
                    crowd.report(),
                    _upkeep(),
                    *([] if who is None else [court(crowd, who, Random(f"{session.seed}:court"))]),
                    *_bots(crowd, session, calls, tokens),
                ]
            ]
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), session.seconds or None)
            for task in tasks:
                task.cancel()
        with contextlib.suppress(TimeoutError, Denied):
            # A market is left as one would leave it: nothing of one's own stays behind, if the venue still answers.
            async with asyncio.timeout(3):
                await asyncio.gather(*(venue.cancel_all(token) for token in tokens.values()))
    finally:
        await venue.close()


def _bots(crowd: Crowd, session: Session, calls: list[Call], tokens: dict[str, str]) -> list[Any]:
    """Half of the orders are quotes, a third demand, the rest supply."""
    run = f"{now_us() // 1000:x}"
    per_minute = session.rate * 60
    quoting = per_minute // 2 // CHANGES_PER_QUOTE // len(DESKS)
    buying = per_minute * 3 // 10 // len(TENANTS)
    selling = per_minute // 5 // len(VAULTS)

    def bot(slug: str, pace: int) -> Bot:
        return Bot(slug, tokens[slug], Random(f"{session.seed}:{slug}"), run, pace)

    return [
        *(desk(crowd, bot(slug, quoting)) for slug in DESKS),
        *(vault(crowd, bot(slug, selling)) for slug in VAULTS),
        *(tenant(crowd, bot(slug, buying), Demand(calls, tenant=n, of=len(TENANTS))) for n, slug in enumerate(TENANTS)),
    ]


async def _upkeep() -> None:
    """The operator's part, on the venue's own side: new windows, refilled purses."""
    mint = Mint()

    def once() -> tuple[list[str], int]:
        try:
            return upkeep(mint=mint, now_us=now_us())
        finally:
            close_old_connections()

    while True:
        try:
            listed, refilled = await sync_to_async(once, thread_sensitive=False)()
        except Error as error:
            _LOG.warning("upkeep can't reach the database", error=str(error).strip())
        else:
            if listed or refilled:
                _LOG.info("upkeep", listed=listed, refilled=refilled)
        await asyncio.sleep(UPKEEP_EVERY_S)
