"""The crowd at work: one watcher of the market, and a task for every desk, vault and tenant."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from functools import partial
from itertools import count
from random import Random
from typing import Any

import httpx
import msgspec
import structlog

from exchange.demo.bots import buyer, maker, seller
from exchange.demo.bots.counts import Counts
from exchange.demo.bots.demand import Demand
from exchange.demo.bots.fair_value import fair_ticks
from exchange.demo.bots.market import Market, market_of, with_prices
from exchange.demo.bots.pace import Pace
from exchange.demo.bots.venue import Venue
from exchange.demo.catalog import WARES
from rights.kernel.clock import now_us

RULES_EVERY_S, PRICES_EVERY_S, REPORT_EVERY_S = 5.0, 1.5, 15.0
SHUNNED_US = 120 * 1_000_000  # how long a book is left alone by who has nothing to sell there
ALIVE = frozenset({"open", "partially_filled", "pending"})
GONE = frozenset({"order_terminal", "order_unknown", "not_found"})
REST_S = 5.0  # after an answer that a bot does not understand
_LOG = structlog.get_logger("bots")
_WARE_OF = {"TXT": "chat", "EMB": "embeddings", "GPU": "gpu"}
_LOT_UNITS = {ware.name: ware.lot_units for ware in WARES}


class Bot(msgspec.Struct):
    """A participant's key, its luck, and the names of its orders: never the same twice, also after a restart."""

    slug: str
    token: str
    chance: Random
    run: str
    per_minute: int
    numbers: Iterator[int] = msgspec.field(default_factory=lambda: count(1))

    def order_name(self) -> str:
        return f"{self.run}.{next(self.numbers)}"


class Crowd:
    """Everything the bots share: the venue, what they see of the market, and the counts."""

    def __init__(self, venue: Venue, *, seed: int) -> None:
        self.venue = venue
        self.seed = seed
        self.markets: dict[str, Market] = {}
        self.counts = Counts()
        self._seen = asyncio.Event()

    async def watch(self) -> None:
        """Keep the open markets and their best prices in sight, for ever."""
        rules_at = 0.0
        clock = asyncio.get_running_loop().time
        while True:
            if clock() >= rules_at:
                rows = await self.venue.listing("/instruments", phase="continuous")
                known = {m.symbol: m for row in rows if (m := market_of(row)) is not None}
                self.markets = {s: self._priced(m) for s, m in known.items()}
                rules_at = clock() + RULES_EVERY_S
            for row in await self.venue.listing("/tickers"):
                if (market := self.markets.get(row["instrument"])) is not None:
                    self.markets[market.symbol] = with_prices(market, row["best_bid"], row["best_ask"])
            self._seen.set()
            await asyncio.sleep(PRICES_EVERY_S)

    def _priced(self, market: Market) -> Market:
        before = self.markets.get(market.symbol)
        if before is None:
            return market
        return msgspec.structs.replace(market, bid_ticks=before.bid_ticks, ask_ticks=before.ask_ticks)

    def open_markets(self, now: int) -> list[Market]:
        """Markets worth an order: the gate is still a moment away."""
        return [m for m in sorted(self.markets.values(), key=lambda m: m.symbol) if m.gate_us - now > 2_000_000]

    async def report(self) -> None:
        """A line in the log every now and then."""
        while True:
            await asyncio.sleep(REPORT_EVERY_S)
            _LOG.info("traded", markets=len(self.markets), repeats=self.venue.repeats, **self.counts.take())

    async def _send(self, bot: Bot, operations: list[dict[str, Any]]) -> list[dict[str, Any]]:
        results = await self.venue.operate(bot.token, operations)
        for result in results:
            self.counts.add(result)
        return results

    async def make_markets(self, bot: Bot) -> None:
        """Quote every open market in turn."""
        pace = Pace(bot.per_minute, bot.chance)
        resting: dict[str, dict[maker.Slot, maker.Quote]] = {}
        await self._begin(bot)
        turns = 0
        while True:
            await pace.turn()
            now = now_us()
            open_markets = self.open_markets(now)
            for gone in resting.keys() - {m.symbol for m in open_markets}:
                del resting[gone]
            if not open_markets:
                continue
            market = open_markets[turns % len(open_markets)]
            turns += 1
            fair = fair_ticks(market=market, seed=self.seed, now_us=now)
            wanted = maker.wanted_quotes(market=market, fair=fair, chance=bot.chance)
            known = resting.setdefault(market.symbol, {})
            names = {slot: bot.order_name() for slot in wanted if slot not in known}
            changes = maker.quote_changes(market=market, wanted=wanted, resting=known, client_ids=names)
            if changes:
                results = await self._send(bot, [operation for _, operation in changes])
                for (slot, _), result in zip(changes, results, strict=True):
                    _remember(known, slot, result, wanted.get(slot), market)

    async def sell(self, bot: Bot) -> None:
        """Offer what perishes."""
        pace = Pace(bot.per_minute, bot.chance)
        shunned: dict[str, int] = {}
        await self._begin(bot)
        while True:
            await pace.turn()
            now = now_us()
            markets = [m for m in self.open_markets(now) if shunned.get(m.symbol, 0) < now]
            market = seller.choose_market(markets=markets, now_us=now, chance=bot.chance)
            if market is None:
                continue
            fair = fair_ticks(market=market, seed=self.seed, now_us=now)
            ask = seller.offer(market=market, fair=fair, now_us=now, chance=bot.chance)
            (result,) = await self._send(bot, [{**ask, "client_order_id": bot.order_name()}])
            if _reason(result) == "insufficient_rights":
                shunned[market.symbol] = now + SHUNNED_US

    async def buy(self, bot: Bot, demand: Demand) -> None:
        """Buy what the trace needs, the ware that is most wanting first."""
        pace = Pace(bot.per_minute, bot.chance)
        needs = {name: buyer.Need() for name in _LOT_UNITS}
        await self._begin(bot)
        while True:
            await pace.turn()
            now = now_us()
            for ware, units in demand.until(now).items():
                needs[ware].units += units
            ware = max(needs, key=lambda name: needs[name].units // _LOT_UNITS[name])
            lots = needs[ware].lots(_LOT_UNITS[ware])
            markets = [m for m in self.open_markets(now) if _WARE_OF.get(m.class_key[:3]) == ware]
            market = buyer.choose_market(markets=markets, chance=bot.chance)
            if market is None or not lots:
                continue
            fair = fair_ticks(market=market, seed=self.seed, now_us=now)
            bid = buyer.bid(market=market, fair=fair, lots=lots, now_us=now, chance=bot.chance)
            (result,) = await self._send(bot, [{**bid, "client_order_id": bot.order_name()}])
            # What rests is counted as bought: should it expire, the next requests ask again.
            order = result.get("order") or {}
            taken = lots if order.get("status") in ALIVE else int(order.get("filled_quantity", 0))
            needs[ware].bought(taken, _LOT_UNITS[ware])

    async def steadily(self, work: Callable[[], Coroutine[Any, Any, None]], slug: str) -> None:
        """Begin anew when the venue says something unexpected: one bot's trouble is not the others'."""
        while True:
            try:
                await work()
            except (httpx.HTTPStatusError, KeyError, ValueError) as error:
                _LOG.warning("rests", bot=slug, error=repr(error)[:200])
                await asyncio.sleep(REST_S)

    async def _begin(self, bot: Bot) -> None:
        """Start from a clean book: an earlier run may have left orders."""
        await self._seen.wait()
        await self.venue.cancel_all(bot.token)


def _reason(result: Mapping[str, Any]) -> str:
    if "error" in result:
        return str(result["error"]["code"])
    return str((result.get("order") or {}).get("reason") or "")


def _remember(
    known: dict[maker.Slot, maker.Quote], slot: maker.Slot, result: Mapping[str, Any], wanted: maker.Quote | None, market: Market
) -> None:
    """What rests now in the slot, by the venue's answer; nothing, when the order has ended or is not known."""
    if "error" in result:
        # Most refusals of an amend leave the order where it was.
        if _reason(result) in GONE:
            known.pop(slot, None)
        return
    order = result["order"]
    status, price = order["status"], order.get("price")
    if status == "pending" and wanted is not None:
        # Promised, and not applied in time: it will come to what was asked.
        known[slot] = maker.Quote(wanted.price_ticks, wanted.lots, order["id"])
    elif status in ALIVE and price is not None:
        known[slot] = maker.Quote(market.ticks(price), int(order["remaining_quantity"]), order["id"])
    else:
        known.pop(slot, None)


def desk(crowd: Crowd, bot: Bot) -> Coroutine[Any, Any, None]:
    """A desk at work."""
    return crowd.steadily(partial(crowd.make_markets, bot), bot.slug)


def vault(crowd: Crowd, bot: Bot) -> Coroutine[Any, Any, None]:
    """A vault at work."""
    return crowd.steadily(partial(crowd.sell, bot), bot.slug)


def tenant(crowd: Crowd, bot: Bot, demand: Demand) -> Coroutine[Any, Any, None]:
    """A tenant at work."""
    return crowd.steadily(partial(crowd.buy, bot, demand), bot.slug)
