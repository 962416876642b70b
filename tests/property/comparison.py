"""Run one command list through the core and the twin and say where they first part, if they do."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, Protocol

from exchange.domain.command import Amend, OrderType, Phase, Place, Side
from exchange.domain.outcome import Amended, Cancelled, Outcome, Reduced, Refused, Rested, Traded
from tests.property.command_lists import CommandList, Pair, Step
from tests.property.naive_twin import NaiveBook

Level = tuple[int, int, int]
Touched = tuple[int, int, int, int]

state_of = attrgetter(
    "order_id",
    "account",
    "participant",
    "side",
    "price_ticks",
    "quantity_lots",
    "remaining_lots",
    "filled_lots",
    "stp",
    "tif",
    "post_only",
    "expire_at",
    "expire_reason",
    "policy",
    "holder",
    "group",
)
joined_of = attrgetter("joined")


class CoreBook(Protocol):
    """The part of the core's book that the document names; orders are compared by their fields."""

    phase: Any
    blocked: Any
    post_only: Any

    def apply(self, command: Any, now: int) -> list[Outcome]: ...
    def expire(self, now: int) -> list[Outcome]: ...
    def best_bid(self) -> int | None: ...
    def best_ask(self) -> int | None: ...
    def levels(self, side: Any, depth: int | None = None) -> Sequence[Level]: ...
    def orders(self, side: Any) -> Iterable[Any]: ...
    def resting(self, order_id: str) -> Any: ...
    def take_touched(self) -> Iterable[Touched]: ...
    def load(self, order: Any) -> None: ...


MakeBook = Callable[[int, frozenset[Pair]], CoreBook]


class DivergedError(AssertionError):
    pass


def agree(what: str, core: object, twin: object) -> None:
    if core != twin:
        raise DivergedError(f"{what}\n  core: {core!r}\n  twin: {twin!r}")


def hold(what: str, condition: object) -> None:
    if not condition:
        raise DivergedError(what)


@dataclass(slots=True)
class Account:
    """What an order's own story, told by outcomes alone, says must be left of it."""

    quantity: int
    filled: int = 0
    decremented: int = 0
    cancelled: int = 0
    ended: bool = False

    @property
    def remaining(self) -> int:
        return self.quantity - self.filled - self.decremented - self.cancelled


class Ledger:
    """filled + remaining + cancelled + decremented = quantity, for every order at every moment."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}

    def hear(self, command: object, outcomes: list[Outcome]) -> None:
        if isinstance(command, Place):
            hold("an id is placed once", command.order_id not in self.accounts)
            self.accounts[command.order_id] = Account(command.quantity_lots)
        for outcome in outcomes:
            self._hear_one(command, outcome)

    def _hear_one(self, command: object, outcome: Outcome) -> None:
        match outcome:
            case Traded(maker_id=maker_id, taker_id=taker_id, quantity_lots=lots):
                hold("a trade has lots", lots > 0)
                for order_id in (maker_id, taker_id):
                    self.live(order_id).filled += lots
                    hold("no order is filled beyond its quantity", self.accounts[order_id].remaining >= 0)
            case Reduced(order_id=order_id, by_lots=by, remaining_lots=left):
                account = self.live(order_id)
                account.decremented += by
                hold("a decrement takes something and leaves something", by > 0 and left > 0)
                agree(f"what a decrement leaves of {order_id}", left, account.remaining)
            case Cancelled(order_id=order_id, remaining_lots=left):
                account = self.live(order_id)
                agree(f"what is cancelled of {order_id}", left, account.remaining)
                hold("something is left to cancel", left > 0)
                account.cancelled += left
                account.ended = True
            case Amended(order_id=order_id, quantity_lots=total):
                account = self.live(order_id)
                account.quantity = total + account.decremented
                hold("an amended order has something left", account.remaining > 0)
            case Rested(order_id=order_id, remaining_lots=left):
                agree(f"what rests of {order_id}", left, self.live(order_id).remaining)
            case Refused(order_id=order_id):
                if isinstance(command, Place):
                    agree("the refused order", order_id, command.order_id)
                    self.accounts[order_id].cancelled = self.accounts[order_id].quantity
            case _:
                pass

    def live(self, order_id: str) -> Account:
        account = self.accounts[order_id]
        hold(f"{order_id} has not ended before", not account.ended)
        return account

    def check(self, orders: dict[str, Any]) -> None:
        for order_id, order in orders.items():
            account = self.accounts[order_id]
            hold(f"{order_id} rests with something left", order.remaining_lots > 0)
            agree(f"what rests of {order_id}", order.remaining_lots, account.remaining)
            agree(f"what is filled of {order_id}", order.filled_lots, account.filled)
            agree(f"the total of {order_id}", order.quantity_lots, account.quantity - account.decremented)

    def check_ended(self, orders: dict[str, Any]) -> None:
        for order_id, account in self.accounts.items():
            if order_id not in orders:
                agree(f"what is left of {order_id}, which does not rest", account.remaining, 0)


def anew(order: Any) -> Any:
    """The same order as it would be made from a stored row."""
    terms = Place(
        order_id=order.order_id,
        account=order.account,
        participant=order.participant,
        side=order.side,
        type=OrderType.LIMIT,
        price_ticks=order.price_ticks,
        quantity_lots=order.quantity_lots,
        tif=order.tif,
        post_only=order.post_only,
        stp=order.stp,
        expire_at=order.expire_at,
        expire_reason=order.expire_reason,
        policy=order.policy,
        holder=order.holder,
        group=order.group,
    )
    return type(order)(terms, order.price_ticks, order.quantity_lots, order.remaining_lots, order.joined)


class Run:
    def __init__(self, make_core: MakeBook, phase: int, blocked: frozenset[Pair]) -> None:
        self.make_core = make_core
        self.core = make_core(phase, frozenset(blocked))
        self.twin = NaiveBook(phase, blocked)
        self.ledger = Ledger()
        self.seen: dict[tuple[int, int], tuple[int, int]] = {}  # (side, price): the level, as touches told it

    def step(self, step: Step) -> None:
        if step.toggled is not None:
            self.twin.blocked ^= {step.toggled}
            self.core.blocked = frozenset(self.twin.blocked)
        expired = self.core.expire(step.now)
        agree(f"expiries at {step.now}", expired, self.twin.expire(step.now))
        self.ledger.hear(None, expired)
        outcomes = self.core.apply(step.command, step.now)
        agree(f"outcomes of {step}", outcomes, self.twin.apply(step.command, step.now))
        self.ledger.hear(step.command, outcomes)
        self.check_reading(step)

    def check_reading(self, step: Step) -> None:
        core, twin = self.core, self.twin
        agree("phase", core.phase, twin.phase)
        agree("post-only", core.post_only, twin.post_only)
        orders: dict[str, Any] = {}
        for side in (Side.BUY, Side.SELL):
            levels = list(core.levels(side))
            agree(f"levels of {side!r} after {step}", levels, twin.levels(side))
            agree(f"two levels of {side!r} after {step}", list(core.levels(side, 2)), levels[:2])
            mine = list(core.orders(side))
            theirs = twin.orders(side)
            agree(f"orders of {side!r} after {step}", list(map(state_of, mine)), list(map(state_of, theirs)))
            agree("levels are their orders' sum", sum(level[1] for level in levels), sum(o.remaining_lots for o in mine))
            orders |= {order.order_id: order for order in mine}
        by_join = sorted(orders.values(), key=joined_of)
        agree("join order", [o.order_id for o in by_join], [o.order_id for o in sorted(self.twin_orders(), key=joined_of)])
        hold("no two orders join at once", len({order.joined for order in by_join}) == len(by_join))
        bid, ask = core.best_bid(), core.best_ask()
        agree("best bid and ask", (bid, ask), (twin.best_bid(), twin.best_ask()))
        if core.phase == Phase.CONTINUOUS:
            hold(f"never crossed at rest: {bid} {ask}", bid is None or ask is None or bid < ask)
        if core.phase == Phase.CLOSED:
            hold("nothing rests when closed", not orders)
        for order_id in self.named(step):
            agree(f"resting({order_id})", core.resting(order_id), orders.get(order_id))
        self.ledger.check(orders)
        self.check_touched()

    def twin_orders(self) -> list[Any]:
        return [*self.twin.orders(Side.BUY), *self.twin.orders(Side.SELL)]

    def named(self, step: Step) -> list[str]:
        if isinstance(step.command, Place | Amend):
            return [step.command.order_id]
        return []

    def check_touched(self) -> None:
        touched = list(self.core.take_touched())
        agree("touched levels", touched, self.twin.take_touched())
        places = [(side, price) for side, price, _, _ in touched]
        agree("touched levels are sorted and named once", places, sorted(set(places)))
        for side, price, lots, count in touched:
            if lots:
                self.seen[side, price] = (lots, count)
            else:
                agree("a level that is gone has no orders", count, 0)
                self.seen.pop((side, price), None)
        book = {(int(side), price): (lots, count) for side in (Side.BUY, Side.SELL) for price, lots, count in self.core.levels(side)}
        agree("the book as touched levels tell it", self.seen, book)
        agree("nothing is touched twice", list(self.core.take_touched()), [])

    def rebuild(self) -> None:
        """Put every order back into a new book, in join order: nothing may be different afterwards."""
        old, self.core = self.core, self.make_core(self.core.phase, frozenset(self.core.blocked))
        self.core.post_only = old.post_only
        for order in sorted([*old.orders(Side.BUY), *old.orders(Side.SELL)], key=joined_of):
            again = anew(order)
            self.core.load(again)
            agree("a loaded order", (state_of(again), again.joined), (state_of(order), order.joined))
        loaded = [(side, price, lots, count) for side in Side for price, lots, count in sorted(self.core.levels(side))]
        agree("levels touched by loading", list(self.core.take_touched()), loaded)

    def end(self) -> None:
        self.ledger.check_ended({order.order_id: order for order in self.twin_orders()})


def divergence(make_core: MakeBook, commands: CommandList) -> str | None:
    """None when core and twin agree throughout; else where they part. A core that raises parts too."""
    run = Run(make_core, commands.phase, commands.blocked)
    for index, step in enumerate(commands.steps):
        try:
            if index == commands.rebuilt_at:
                run.rebuild()
            run.step(step)
            if index % 16 == 0:
                run.end()
        except Exception as error:  # noqa: BLE001
            return f"seed {commands.seed}, step {index}: {type(error).__name__}: {error}"
    try:
        run.end()
    except DivergedError as error:
        return f"seed {commands.seed}, at the end: {error}"
    return None


def shrunk(make_core: MakeBook, commands: CommandList) -> CommandList:
    """The same divergence in fewer steps, for whoever has to read it."""
    smaller = replace(commands, rebuilt_at=-1)
    if divergence(make_core, smaller) is not None:
        commands = smaller
    width = len(commands.steps) // 2
    while width:
        start = 0
        while start < len(commands.steps):
            steps = commands.steps[:start] + commands.steps[start + width :]
            fewer = replace(commands, steps=steps)
            if divergence(make_core, fewer) is None:
                start += width
            else:
                commands = fewer
        width //= 2
    return commands


def report(make_core: MakeBook, commands: CommandList) -> str:
    small = shrunk(make_core, commands)
    told = "\n".join(f"  {step}" for step in small.steps)
    phase, blocked = Phase(small.phase).name, sorted(small.blocked)
    return f"{divergence(make_core, commands)}\n\nIn short, from {phase}, blocked {blocked}:\n{told}\n{divergence(make_core, small)}"
