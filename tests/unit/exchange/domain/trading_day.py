"""A trading day in writing: each line tells the book something and says what it is to answer.

    ann: a1 sell 5 @ 101          | a1 rests 5 @ 101
    bob: b1 buy 3 @ 102 ioc       | b1 takes 3 @ 101 from a1
    cancel a1                     | a1 cancelled 2 user

After an order come, in any order, a time in force (`gtd`, `ioc`, `fok`), `market`, `reject` or `slide`, a
self-trade mode (`newest`, `oldest`, `both`, `decrement`), and `expires=`, `policy=`, `holder=`, `group=`.
Other lines: `amend a1 price=.. lots=.. expires=..`, `cancel all`, `cancel ann`, `cancel all sell`,
`phase halted`, `clock 20` (time passes, orders expire). Nothing after the bar: no outcome at all.
"""

from functools import singledispatchmethod

from exchange.domain.book import Book
from exchange.domain.command import (
    Amend,
    Cancel,
    CancelMany,
    OrderType,
    Phase,
    Place,
    PostOnly,
    Reason,
    SelfTrade,
    SetPhase,
    Side,
    TimeInForce,
)
from exchange.domain.outcome import Amended, Cancelled, Outcome, PhaseSet, Reduced, Refused, Rested, Traded

MEMBERS = ["", "ann", "bob", "cat", "dan"]
SIDES = {"buy": Side.BUY, "sell": Side.SELL}
WORDS = {
    "gtd": {"tif": TimeInForce.GTD},
    "ioc": {"tif": TimeInForce.IOC},
    "fok": {"tif": TimeInForce.FOK},
    "market": {"type": OrderType.MARKET},
    "reject": {"post_only": PostOnly.REJECT},
    "slide": {"post_only": PostOnly.SLIDE},
    "newest": {"stp": SelfTrade.CANCEL_NEWEST},
    "oldest": {"stp": SelfTrade.CANCEL_OLDEST},
    "both": {"stp": SelfTrade.CANCEL_BOTH},
    "decrement": {"stp": SelfTrade.DECREMENT},
}
NUMBERS = {"expires": "expire_at", "price": "price_ticks", "lots": "quantity_lots", "policy": "policy", "holder": "holder"}


class Day:
    def __init__(self, phase=Phase.CONTINUOUS, blocked=frozenset()):
        self.book = Book(phase=phase, blocked=blocked)
        self.now = 1

    def play(self, script: str) -> None:
        for line in script.strip().splitlines():
            told, _, expected = line.partition("|")
            answered = [self.say(outcome) for outcome in self.tell(told.split())]
            wanted = [" ".join(part.split()) for part in expected.split(";") if part.strip()]
            assert answered == wanted, f"{' '.join(told.split())}: {answered} instead of {wanted}"

    def shows(self, table: str) -> None:
        """Compare the book with a table of `lots @ bid | lots @ ask` lines, best first."""
        columns = [[], []]
        for row in table.strip().splitlines():
            for column, cell in zip(columns, row.split("|"), strict=True):
                column.extend([" ".join(cell.split())] if cell.strip() else [])
        for side, column in zip(Side, columns, strict=True):
            levels = self.book.levels(side)
            assert [f"{lots} @ {price}" for price, lots, _ in levels] == column
            queued = self.book.orders(side)
            assert sum(order.remaining_lots for order in queued) == sum(lots for _, lots, _ in levels)
            assert len(queued) == sum(orders for _, _, orders in levels)

    def queue(self, side: str) -> str:
        return " ".join(order.order_id for order in self.book.orders(SIDES[side]))

    def tell(self, words: list[str]) -> list[Outcome]:
        match words:
            case ["clock", now]:
                self.now = int(now)
                return self.book.expire(self.now)
            case ["phase", name]:
                command = SetPhase(int(Phase[name.upper()]))
            case ["amend", order_id, *terms]:
                command = Amend(order_id, **self._terms(terms))
            case ["cancel", "all" | "ann" | "bob" | "cat" | "dan" as whose, *terms]:
                account = 0 if whose == "all" else MEMBERS.index(whose)
                side = next((int(SIDES[term]) for term in terms if term in SIDES), None)
                narrowed = self._terms([term for term in terms if term not in SIDES])
                command = CancelMany(account, side, **narrowed)
            case ["cancel", order_id]:
                command = Cancel(order_id)
            case [member, order_id, side, lots, "@", price, *terms]:
                member = MEMBERS.index(member.removesuffix(":"))
                given = {"type": int(OrderType.LIMIT)} | self._terms(terms)
                command = Place(order_id, member, member, int(SIDES[side]), price_ticks=int(price), quantity_lots=int(lots), **given)
        return self.book.apply(command, self.now)

    def _terms(self, words: list[str]) -> dict:
        terms = {}
        for word in words:
            name, _, value = word.partition("=")
            if not value:
                terms |= {key: int(member) for key, member in WORDS[word].items()}
            elif name == "group":
                terms["group"] = value
            else:
                terms[NUMBERS[name]] = int(value)
        return terms

    @singledispatchmethod
    def say(self, outcome) -> str:
        raise TypeError(outcome)

    @say.register
    def _(self, it: Rested) -> str:
        return f"{it.order_id} rests {it.remaining_lots} @ {it.price_ticks}"

    @say.register
    def _(self, it: Traded) -> str:
        verb = "meets" if it.auction else "takes"
        return f"{it.taker_id} {verb} {it.quantity_lots} @ {it.price_ticks} from {it.maker_id}"

    @say.register
    def _(self, it: Cancelled) -> str:
        return f"{it.order_id} cancelled {it.remaining_lots} {Reason(it.reason).name.lower()}"

    @say.register
    def _(self, it: Reduced) -> str:
        return f"{it.order_id} reduced by {it.by_lots} to {it.remaining_lots}"

    @say.register
    def _(self, it: Amended) -> str:
        expiry = f" expires={it.expire_at}" if it.expire_at else ""
        return f"{it.order_id} {'kept' if it.kept else 'requeued'} {it.quantity_lots} @ {it.price_ticks}{expiry}"

    @say.register
    def _(self, it: Refused) -> str:
        return f"{it.order_id} refused {Reason(it.reason).name.lower()}".strip()

    @say.register
    def _(self, it: PhaseSet) -> str:
        return f"phase {Phase(it.phase).name.lower()}"
