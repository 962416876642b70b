"""Command lists that make hot books, the same list for the same seed for ever.

Every seed first draws a temper (how many prices, participants, blocked pairs, how often what happens),
so that some books are calm and deep and others are mostly self-trades, expiries or phase changes.
"""

from dataclasses import dataclass, field, replace
from random import Random

from exchange.domain.command import (
    Amend,
    Cancel,
    CancelMany,
    Command,
    OrderType,
    Phase,
    Place,
    PostOnly,
    Reason,
    SelfTrade,
    SetPhase,
    SetPostOnly,
    Side,
    TimeInForce,
)

Pair = tuple[int, int]

COMMANDS = 100
OPENING = 1_700_000_000_000_000
EXPIRE_REASONS = (Reason.ORDER_EXPIRED, Reason.RIGHT_EXPIRED, Reason.TRANSFER_CUTOFF)
CANCEL_REASONS = (Reason.USER, Reason.KILL_SWITCH, Reason.RIGHT_FROZEN, Reason.HOLDER_SUSPENDED)
GROUPS = ("", "a", "b")
SIDES = (Side.BUY, Side.SELL)


@dataclass(frozen=True, slots=True)
class Step:
    now: int
    command: Command
    toggled: Pair | None = None  # blocked becomes free or free blocked, before the command


@dataclass(frozen=True, slots=True)
class CommandList:
    seed: int
    phase: int
    blocked: frozenset[Pair]
    steps: list[Step]
    rebuilt_at: int  # before this step the book is loaded anew from its own orders


@dataclass(slots=True)
class Temper:
    prices: int
    participants: int
    quantities: int
    restrictions: int  # policies and holders run from 0 to this
    hurry: int  # the longest life of an order that expires
    place: int
    amend: int
    cancel: int
    cancel_many: int
    set_phase: int
    toggle: float
    expiring: float
    ioc: float
    fok: float
    market: float
    post_only: float
    stp: int | None
    sellers: float


@dataclass(slots=True)
class Remembered:
    """What the generator believes of an order: enough to aim amends, not the order's true state."""

    order_id: str
    price_ticks: int
    quantity_lots: int
    expire_at: int


@dataclass(slots=True)
class Generator:
    random: Random
    temper: Temper
    now: int = OPENING
    placed: int = 0
    closed: bool = False
    orders: list[Remembered] = field(default_factory=list)  # those that may rest

    def step(self, *, last: bool) -> Step:
        self.now += self.random.choice((0, 0, 1, 1, 2, 3, 7))
        toggled = None
        if self.random.random() < self.temper.toggle:
            toggled = self.pair()
        if last:
            self.closed = True
            return Step(self.now, SetPhase(Phase.CLOSED), toggled)
        temper = self.temper
        make = self.random.choices(
            (self.place, self.amend, self.cancel, self.cancel_many, self.set_phase),
            (temper.place, temper.amend, temper.cancel, temper.cancel_many, 30 if self.closed else temper.set_phase),
        )[0]
        return Step(self.now, make(), toggled)

    def pair(self) -> Pair:
        limit = self.temper.restrictions
        return self.random.randint(0, limit), self.random.randint(0, limit)

    def price(self, side: int) -> int:
        """Bids lean low and asks high, so that the book has depth on both sides and still crosses often."""
        draws = [self.random.randint(1, self.temper.prices) for _ in range(self.random.choice((1, 2, 2)))]
        return min(draws) if side == Side.BUY else max(draws)

    def quantity(self) -> int:
        return self.random.randint(1, self.temper.quantities)

    def moment(self) -> int:
        """Mostly ahead, at times just now or past: an order dead on arrival."""
        return self.now + self.random.choice((-1, 0, 1, 1, *[self.random.randint(1, self.temper.hurry)] * 12))

    def place(self) -> Command:
        chance, temper = self.random.random, self.temper
        side = Side.SELL if chance() < temper.sellers else Side.BUY
        kind, tif, post_only = OrderType.LIMIT, TimeInForce.GTG, PostOnly.OFF
        if chance() < temper.market:
            kind = OrderType.MARKET
            tif = self.random.choice((TimeInForce.GTG, TimeInForce.IOC, TimeInForce.IOC, TimeInForce.FOK))
        elif chance() < temper.fok:
            tif = TimeInForce.FOK
        elif chance() < temper.ioc:
            tif = TimeInForce.IOC
        elif chance() < temper.post_only:
            post_only = self.random.choice((PostOnly.REJECT, PostOnly.SLIDE, PostOnly.SLIDE))
        expire_at = 0
        if chance() < temper.expiring:
            expire_at = self.moment()
            if kind == OrderType.LIMIT and tif == TimeInForce.GTG and chance() < 0.7:
                tif = TimeInForce.GTD
        price = self.price(side)
        if kind == OrderType.MARKET or (tif == TimeInForce.FOK and chance() < 0.5):
            price = self.price(Side.SELL if side == Side.BUY else Side.BUY)
        account = self.random.randint(1, temper.participants + 1)
        order = Remembered(f"o{self.placed}", price, self.quantity(), expire_at)
        self.placed += 1
        if kind == OrderType.LIMIT and tif in (TimeInForce.GTG, TimeInForce.GTD):
            self.orders.append(order)
        return Place(
            order_id=order.order_id,
            account=account,
            participant=(account - 1) % temper.participants + 1,  # the first participant has two accounts
            side=side,
            type=kind,
            price_ticks=price,
            quantity_lots=order.quantity_lots,
            tif=tif,
            post_only=post_only,
            stp=self.random.choice(tuple(SelfTrade)) if temper.stp is None else temper.stp,
            expire_at=expire_at,
            expire_reason=self.random.choice(EXPIRE_REASONS),
            policy=self.random.randint(0, temper.restrictions) if side == Side.SELL or chance() < 0.1 else 0,
            holder=self.random.randint(0, temper.restrictions) if side == Side.BUY or chance() < 0.1 else 0,
            group=self.random.choice(GROUPS),
        )

    def aimed(self) -> Remembered:
        """An order that probably still rests; at times any, at times one that never was."""
        chance = self.random.random()
        if not self.orders or chance < 0.03:
            return Remembered("nobody", 1, 1, 0)
        if chance < 0.2:
            return self.random.choice(self.orders)
        return self.random.choice(self.orders[-6:])

    def amend(self) -> Command:
        order = self.aimed()
        price: int | None = None
        quantity: int | None = None
        expire_at: int | None = None
        what = self.random.randint(1, 7)
        if what & 1:
            price = self.random.choice((order.price_ticks, self.random.randint(1, self.temper.prices), 1, self.temper.prices))
        if what & 2:
            quantity = self.random.choice(
                (order.quantity_lots, max(order.quantity_lots - 1, 0), order.quantity_lots + 1, self.quantity(), self.quantity())
            )
        if what & 4:
            expire_at = self.random.choice((order.expire_at, 0, self.now, self.moment(), self.moment()))
        if self.random.random() < 0.02:
            price = quantity = expire_at = None
        order.price_ticks = order.price_ticks if price is None else price
        order.quantity_lots = order.quantity_lots if quantity is None else quantity
        order.expire_at = order.expire_at if expire_at is None else expire_at
        reasons = (None, *EXPIRE_REASONS)
        reason = None if expire_at is None else reasons[expire_at % len(reasons)]
        return Amend(order.order_id, price, quantity, expire_at, reason)

    def cancel(self) -> Command:
        return Cancel(self.aimed().order_id, self.random.choice(CANCEL_REASONS))

    def cancel_many(self) -> Command:
        return CancelMany(
            account=self.random.choice((0, *[self.random.randint(1, self.temper.participants + 2)] * 4)),
            side=self.random.choice((None, *SIDES)),
            group=self.random.choice((None, None, *GROUPS, "c")),
            reason=self.random.choice(CANCEL_REASONS),
        )

    def set_phase(self) -> Command:
        """Closed is left to the end: what follows it is all refusals."""
        if self.closed:
            return SetPhase(self.random.choice(tuple(Phase)))
        likely = (*[Phase.CONTINUOUS] * 6, *[Phase.PRE_OPEN] * 3, Phase.HALTED)
        return SetPhase(self.random.choice(likely))


def draw_temper(random: Random) -> Temper:
    blocking = random.random() < 0.5
    return Temper(
        prices=random.choice((1, 2, 3, 4, 6, 6, 9)),
        participants=random.choice((1, 2, 3, 4, 4, 6, 8, 12)),
        quantities=random.choice((1, 3, 5, 10, 40)),
        restrictions=random.choice((1, 2, 2)) if blocking else 0,
        hurry=random.choice((5, 30, 150)),
        place=60,
        amend=random.choice((0, 15, 40)),
        cancel=random.choice((2, 6, 12)),
        cancel_many=random.choice((0, 1, 3)),
        set_phase=random.choice((0, 1, 3, 8)),
        toggle=random.choice((0.0, 0.02)) if blocking else 0.0,
        expiring=random.choice((0.0, 0.1, 0.4)),
        ioc=random.choice((0.0, 0.1, 0.2)),
        fok=random.choice((0.0, 0.1, 0.2)),
        market=random.choice((0.0, 0.1)),
        post_only=random.choice((0.0, 0.2, 0.5)),
        stp=random.choice((None, None, None, *SelfTrade)),
        sellers=random.choice((0.4, 0.5, 0.5, 0.6)),
    )


def command_list(seed: int, length: int = COMMANDS) -> CommandList:
    made = drawn(Random(seed), length, seed)
    return replace(made, steps=with_takers_kept_out(Random(f"post-only {seed}"), made.steps))


def with_takers_kept_out(random: Random, steps: list[Step]) -> list[Step]:
    """The same commands with some stretches of a post-only book among them; drawn apart, so that no list changes by it."""
    if random.random() < 0.5:
        return steps
    found = list(steps)
    for _ in range(random.choice((1, 1, 2, 4))):
        start = random.randrange(len(found))
        end = min(len(found), start + random.choice((2, 5, 15, 40)))
        # At times it is told what it knows, and at times nobody lifts it.
        if random.random() < 0.8:
            found.insert(end, Step(found[end - 1].now, SetPostOnly(0)))
        found.insert(start, Step(found[start].now, SetPostOnly(1)))
    return found


def drawn(random: Random, length: int, seed: int = -1) -> CommandList:
    generator = Generator(random, draw_temper(random))
    phase = random.choice((*[Phase.CONTINUOUS] * 5, *[Phase.PRE_OPEN] * 4, Phase.HALTED))
    restrictions = generator.temper.restrictions
    blocked = frozenset(generator.pair() for _ in range(random.randint(1, 4))) if restrictions else frozenset()
    opened_at = random.randint(3, length // 3) if phase != Phase.CONTINUOUS else -1
    closed_at = length - random.randint(1, 6) if random.random() < 0.4 else -1
    rebuilt_at = random.randrange(length)
    steps = []
    for index in range(length):
        if index == opened_at:
            steps.append(Step(generator.now, SetPhase(Phase.CONTINUOUS)))
        else:
            steps.append(generator.step(last=index == closed_at))
    return CommandList(seed, phase, blocked, steps, rebuilt_at)
