"""What a rebalancer would do now: proposed actions, each with the rule that made it, and what was left alone and why (SPEC §11).

Pure. What the holder's own open orders already do counts, so that nothing is done twice: units in its asks are as good as sold, lots it
bids for as good as held. The second leg of a roll or a swap is bought only for what the first has really sold (`Owed`).
"""

from collections.abc import Sequence

import msgspec

from exchange.domain.command import Side, TimeInForce
from exchange.domain.standing_policy import Coverage, Rebalancing, Roll, SellUnused, Swap

BPS = 10_000
PLACE, CANCEL = "place", "cancel"


class Level(msgspec.Struct, frozen=True):
    """The best price of others on one side of a book, and how much of it."""

    price_ticks: int
    lots: int


class OwnOrder(msgspec.Struct, frozen=True):
    """An order of the holder's that still works. `is_mine`: this policy placed it, so it may take it back."""

    order_id: str
    side: int
    price_ticks: int
    lots: int
    is_mine: bool


class Owed(msgspec.Struct, frozen=True):
    """Units a rule still has to buy here because it sold as much elsewhere, and what may be spent on them."""

    rule: str
    units: int
    budget_minor: int


class BookFacts(msgspec.Struct, frozen=True):
    """One window of a class as its holder sees it. `held_units`: all units that are not locked away; `free_lots`: what could be offered now."""

    book_id: int
    symbol: str
    class_key: str
    lot_units: int
    tick_minor: int
    min_lots: int
    max_lots: int
    low_ticks: int
    high_ticks: int
    start_us: int
    end_us: int
    gate_us: int
    is_open: bool
    held_units: int = 0
    free_lots: int = 0
    bid: Level | None = None
    ask: Level | None = None
    fair_ticks: int | None = None
    own: tuple[OwnOrder, ...] = ()
    owed: tuple[Owed, ...] = ()

    def working_lots(self, side: int) -> int:
        return sum(order.lots for order in self.own if order.side == side)


class Action(msgspec.Struct, frozen=True):
    """One thing to do. A cancel names the order; a place has side, lots, price and time in force. `pair_book`: where its second leg is bought."""

    rule: str
    verb: str
    book_id: int
    symbol: str
    side: int
    lots: int
    price_ticks: int
    units: int
    why: str
    tif: int = int(TimeInForce.IOC)
    order_id: str = ""
    pair_book: int | None = None
    spend_minor: int = 0


class Passed(msgspec.Struct, frozen=True):
    """What a rule would have done and did not, with a code and in words."""

    rule: str
    symbol: str
    code: str
    why: str


class Plan(msgspec.Struct, frozen=True):
    actions: tuple[Action, ...]
    passed: tuple[Passed, ...]


class _Price(msgspec.Struct, frozen=True):
    ticks: int
    tif: int


class _Notes(msgspec.Struct):
    """What is being decided; `spend_left_minor` None: no bound."""

    orders_left: int
    spend_left_minor: int | None
    actions: list[Action] = []
    passed: list[Passed] = []

    def add(self, action: Action) -> int:
        """Take the action as far as the limits let; how many lots of it."""
        if self.orders_left <= 0:
            self.skip(action.rule, action.symbol, "orders_per_run", "the run has as many orders as it may have")
            return 0
        lots = action.lots
        if action.spend_minor and self.spend_left_minor is not None:
            each = action.spend_minor // action.lots
            lots = min(lots, self.spend_left_minor // each)
            if lots < action.lots:
                self.skip(
                    action.rule, action.symbol, "spend_cap", f"{action.lots - lots} of {action.lots} lots are beyond the spending cap"
                )
            if lots <= 0:
                return 0
            self.spend_left_minor -= lots * each
            part = {"lots": lots, "units": action.units // action.lots * lots, "spend_minor": lots * each}
            action = msgspec.structs.replace(action, **part)
        self.orders_left -= 1
        self.actions.append(action)
        return lots

    def skip(self, rule: str, symbol: str, code: str, why: str) -> None:
        self.passed.append(Passed(rule, symbol, code, why))


def plan_rebalancing(*, rules: Rebalancing, books: Sequence[BookFacts], spent_today_minor: int, now_us: int) -> Plan:
    """What to do at `now_us`, in order. `books`: the classes' windows whose gate has not come, in order of time."""
    caps = [
        cap
        for cap in (
            rules.limits.max_spend_per_run_minor,
            None if rules.limits.max_spend_per_day_minor is None else max(0, rules.limits.max_spend_per_day_minor - spent_today_minor),
        )
        if cap is not None
    ]
    notes = _Notes(rules.limits.max_orders_per_run, min(caps) if caps else None, [], [])
    bought_units: dict[int, int] = {}
    for book in books:
        for owed in book.owed:
            lots = _second_leg(rules, book, owed, notes)
            bought_units[book.book_id] = bought_units.get(book.book_id, 0) + lots * book.lot_units
    for book in books:
        if book.class_key == rules.class_key and book.gate_us > now_us:
            held_units = book.held_units + bought_units.get(book.book_id, 0)
            _look(rules, msgspec.structs.replace(book, held_units=held_units), books, notes, now_us)
    return Plan(tuple(notes.actions), tuple(notes.passed))


def _look(rules: Rebalancing, book: BookFacts, books: Sequence[BookFacts], notes: _Notes, now_us: int) -> None:
    """Compare what the holder will have in the window with what it needs."""
    coverage = rules.coverage
    covered = coverage is not None and book.start_us <= now_us + coverage.horizon_us
    need = coverage.need_units(book.start_us) if coverage is not None and covered else 0
    coming = book.working_lots(Side.BUY) - book.working_lots(Side.SELL)
    gap = need - book.held_units - coming * book.lot_units
    if _take_back_stuck(rules, book, notes, now_us):
        return
    if coverage is not None and covered and gap > coverage.tolerance_units:
        _cover(coverage, book, gap, notes)
    elif gap < 0:
        _shed(rules, book, books, -gap, notes, now_us)


def _take_back_stuck(rules: Rebalancing, book: BookFacts, notes: _Notes, now_us: int) -> bool:
    """Own orders that rest beside a price that could be taken now are taken back; the next run takes it. Whether there were any.

    Not in the same run: an order that trades before its cancel comes would be done twice.
    """
    selling, coverage = rules.sell_unused, rules.coverage
    stuck: list[tuple[str, OwnOrder]] = []
    near = selling is not None and book.end_us - now_us <= selling.before_end_us
    if near and selling is not None and book.bid is not None and book.bid.price_ticks * book.tick_minor >= selling.min_price_minor:
        stuck += [("sell_unused", order) for order in _mine(book, Side.SELL) if order.price_ticks > book.bid.price_ticks]
    if coverage is not None and book.ask is not None and book.ask.price_ticks * book.tick_minor <= coverage.max_price_minor:
        stuck += [("coverage", order) for order in _mine(book, Side.BUY) if order.price_ticks < book.ask.price_ticks]
    for rule, order in stuck:
        notes.add(_cancel(rule, book, order, "it rests while a price within the limits can be taken"))
    return bool(stuck)


def _cover(coverage: Coverage, book: BookFacts, gap_units: int, notes: _Notes) -> None:
    """Too little: first take back own asks, then buy the rest, in whole lots upwards."""
    for order in _mine(book, Side.SELL):
        if gap_units <= 0:
            return
        words = f"{gap_units} units are needed here and this ask would sell {order.lots * book.lot_units}"
        if notes.add(_cancel("coverage", book, order, words)):
            gap_units -= order.lots * book.lot_units
    lots = -(-gap_units // book.lot_units)
    if lots <= 0:
        return
    price = _buying_price(book, coverage.max_price_minor, coverage.slippage_bps, rest=coverage.rest)
    if isinstance(price, str):
        notes.skip("coverage", book.symbol, price, f"{gap_units} units are missing; {_WORDS[price]}")
        return
    _buy("coverage", book, lots, price, f"{gap_units} units fewer than needed", notes)


def _shed(rules: Rebalancing, book: BookFacts, books: Sequence[BookFacts], surplus_units: int, notes: _Notes, now_us: int) -> None:
    """Too much: first take back own bids, then roll, swap or sell what would perish."""
    for order in _mine(book, Side.BUY):
        if surplus_units < book.lot_units:
            return
        words = f"{surplus_units} units more than needed and this bid would buy {order.lots * book.lot_units}"
        if notes.add(_cancel("coverage", book, order, words)):
            surplus_units -= order.lots * book.lot_units
    lots = min(surplus_units // book.lot_units, book.free_lots)
    if lots < 1:
        return
    left_us = book.end_us - now_us
    if rules.roll is not None and left_us <= rules.roll.before_end_us:
        lots -= _exchange("roll", rules.roll, book, _next_window(book, books), lots, notes)
    if rules.swap is not None and lots and left_us <= rules.swap.before_end_us:
        lots -= _exchange("swap", rules.swap, book, _same_window(book, books, rules.swap.to_class), lots, notes)
    if rules.sell_unused is not None and lots and left_us <= rules.sell_unused.before_end_us:
        _sell(rules.sell_unused, book, lots, notes)


def _sell(rule: SellUnused, book: BookFacts, lots: int, notes: _Notes) -> None:
    price = _selling_price(book, rule.min_price_minor, rule.slippage_bps, rest=rule.rest)
    if isinstance(price, str):
        notes.skip("sell_unused", book.symbol, price, f"{lots} lots would perish; {_WORDS[price]}")
        return
    words = f"{lots * book.lot_units} units more than needed would perish when the window ends"
    _place("sell_unused", book, Side.SELL, lots, price, words, notes)


def _exchange(name: str, rule: Roll | Swap, book: BookFacts, other: BookFacts | None, lots: int, notes: _Notes) -> int:
    """The first leg of a roll or a swap, when the second could be bought for little enough now; how many lots it sells."""
    if other is None:
        notes.skip(name, book.symbol, "no_window", "there is no open book to buy the other leg in")
        return 0
    if book.bid is None or other.ask is None:
        notes.skip(name, book.symbol, "no_market", f"{book.symbol} has no bid or {other.symbol} no ask of others")
        return 0
    part_bps = rule.units_bps if isinstance(rule, Swap) else BPS
    # Compared for the same sale, without dividing: units wanted there × price there ÷ its lot, against units sold × price here ÷ our lot.
    cost = part_bps * other.ask.price_ticks * other.tick_minor * book.lot_units
    worth = book.bid.price_ticks * book.tick_minor * other.lot_units
    if cost > worth * (BPS + rule.max_cost_bps):
        notes.skip(name, book.symbol, "too_dear", f"{other.symbol} costs more than {rule.max_cost_bps} bps above what the sale brings")
        return 0
    lots = min(lots, book.bid.lots)
    price = _selling_price(book, 0, rule.slippage_bps, rest=False)
    if isinstance(price, str):
        notes.skip(name, book.symbol, price, _WORDS[price])
        return 0
    words = f"{lots * book.lot_units} units would perish here; as much is bought in {other.symbol} for what they bring"
    return _place(name, book, Side.SELL, lots, price, words, notes, pair_book=other.book_id)


def _second_leg(rules: Rebalancing, book: BookFacts, owed: Owed, notes: _Notes) -> int:
    """Buy what the first leg's sale is to pay for; how many lots."""
    rule = rules.roll if owed.rule == "roll" else rules.swap
    lots = owed.units // book.lot_units
    if rule is None or lots < 1:
        return 0
    price = _buying_price(book, owed.budget_minor // lots, rule.slippage_bps, rest=False)
    if isinstance(price, str):
        notes.skip(owed.rule, book.symbol, price, f"{lots} lots were sold elsewhere for these; {_WORDS[price]}")
        return 0
    return _buy(owed.rule, book, lots, price, f"{owed.units} units were sold elsewhere for these", notes)


def _next_window(book: BookFacts, books: Sequence[BookFacts]) -> BookFacts | None:
    later = [b for b in books if b.class_key == book.class_key and b.start_us >= book.end_us and b.is_open]
    return min(later, key=lambda b: (b.start_us, b.end_us), default=None)


def _same_window(book: BookFacts, books: Sequence[BookFacts], class_key: str) -> BookFacts | None:
    span = (class_key, book.start_us, book.end_us)
    return next((b for b in books if (b.class_key, b.start_us, b.end_us) == span and b.is_open), None)


_WORDS = {
    "book_closed": "the book does not trade now",
    "no_bid": "nobody bids",
    "no_ask": "nobody offers",
    "below_floor": "the best bid is below the least price",
    "above_cap": "the best offer is above the most that may be paid",
    "outside_collar": "the limit lies outside the book's collar",
    "below_minimum": "the book takes no order as small",
}


def _selling_price(book: BookFacts, min_minor: int, slippage_bps: int, *, rest: bool) -> _Price | str:
    """At which price to sell, or why not: into the best bid as far as the slippage lets; else resting at the fair price or the least."""
    floor = max(-(-min_minor // book.tick_minor), book.low_ticks)
    if not book.is_open:
        return "book_closed"
    if floor > book.high_ticks:
        return "outside_collar"
    if book.bid is not None and book.bid.price_ticks >= floor:
        slipped = -(-book.bid.price_ticks * (BPS - slippage_bps) // BPS)
        return _Price(max(floor, slipped), int(TimeInForce.IOC))
    if rest:
        return _Price(min(max(floor, book.fair_ticks or floor), book.high_ticks), int(TimeInForce.GTG))
    return "no_bid" if book.bid is None else "below_floor"


def _buying_price(book: BookFacts, max_minor: int, slippage_bps: int, *, rest: bool) -> _Price | str:
    """At which price to buy, or why not; the mirror of `_selling_price`."""
    cap = min(max_minor // book.tick_minor, book.high_ticks)
    if not book.is_open:
        return "book_closed"
    if cap < book.low_ticks:
        return "outside_collar"
    if book.ask is not None and book.ask.price_ticks <= cap:
        return _Price(min(cap, book.ask.price_ticks * (BPS + slippage_bps) // BPS), int(TimeInForce.IOC))
    if rest:
        return _Price(max(min(cap, book.fair_ticks or cap), book.low_ticks), int(TimeInForce.GTG))
    return "no_ask" if book.ask is None else "above_cap"


def _mine(book: BookFacts, side: int) -> list[OwnOrder]:
    """This policy's own orders of a side, the worst priced first: they do least."""
    orders = [order for order in book.own if order.is_mine and order.side == side]
    return sorted(orders, key=lambda order: -order.price_ticks if side == Side.SELL else order.price_ticks)


def _cancel(rule: str, book: BookFacts, order: OwnOrder, why: str) -> Action:
    units = order.lots * book.lot_units
    return Action(rule, CANCEL, book.book_id, book.symbol, order.side, order.lots, order.price_ticks, units, why, order_id=order.order_id)


def _buy(rule: str, book: BookFacts, lots: int, price: _Price, why: str, notes: _Notes) -> int:
    return _place(rule, book, Side.BUY, lots, price, why, notes)


def _place(
    rule: str, book: BookFacts, side: int, lots: int, price: _Price, why: str, notes: _Notes, *, pair_book: int | None = None
) -> int:
    lots = min(lots, book.max_lots)
    if lots < book.min_lots:
        notes.skip(rule, book.symbol, "below_minimum", f"{why}; {_WORDS['below_minimum']}")
        return 0
    spend = lots * price.ticks * book.tick_minor if side == Side.BUY else 0
    action = Action(
        rule=rule,
        verb=PLACE,
        book_id=book.book_id,
        symbol=book.symbol,
        side=int(side),
        lots=lots,
        price_ticks=price.ticks,
        units=lots * book.lot_units,
        why=why,
        tif=price.tif,
        pair_book=pair_book,
        spend_minor=spend,
    )
    return notes.add(action)
