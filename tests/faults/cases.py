"""Every kind of command and every act that changes a book or money, as a script to be killed in.

A case starts from one of three markets: `open` (trading, a book with depth on both sides), `auction` (not yet open, crossed orders
waiting) and `stale` (trading, and a right behind resting asks is frozen without anybody having told the book).
"""

from collections.abc import Callable
from typing import Any

import msgspec

from exchange.domain.command import Phase
from exchange.models import ApiKey
from exchange.models.book import CommandKind
from exchange.services import payload
from rights.kernel.clock import to_us
from rights.kernel.ids import Mint
from rights.services.freeze import freeze_right
from tests.honest_market import HonestMarket
from tests.unit.rights.domain.manifests import chat_day

MINT = Mint()
Act = dict[str, Any]


class Case(msgspec.Struct):
    """`same`: the ids a client mints when it asks again → those of its first request. `repeats`: parts of the state in which it
    shows that an act was done twice, where that does no harm.
    """

    name: str
    market: str
    acts: list[Act]
    same: dict[str, str]
    repeats: frozenset[str]


class Pit(HonestMarket):
    """An honest market with orders to act upon, and the words for acts."""

    def __init__(self, kind: str) -> None:
        super().__init__(policy={"min_transfer_units": "1000000"})
        self.now_us += 1_000_000
        self.desk.accounts = self.accounts
        self.second_right = str(self.desk.issue(20_000_000, holder="third").pk)
        self.orders: dict[str, str] = {}
        self.rest("early", "other", "buy", 2, 205)
        self.rest("asked", "holder", "sell", 3, 200)
        if kind != "auction":
            self.match()
            self.phase(Phase.CONTINUOUS)
            self.match()
            self._fill_the_book()
        if kind == "stale":
            self.now_us += 1000
            freeze_right(right_id=self.right_id, freeze_reason="dispute", note="a complaint", actor="command:test", now_us=self.now_us)
        self.now_us += 1_000_000

    def rest(self, name: str, slug: str, side: str, quantity: int, price: int, **more: Any) -> None:
        self.orders[name] = self.place(slug, side, quantity, price, **more)

    def _fill_the_book(self) -> None:
        for level in range(3):
            self.rest(f"ask{level}", "holder", "sell", 4, 220 + level)
            self.rest(f"bid{level}", "other", "buy", 4, 190 - level, group="grid")
        self.rest("third ask", "third", "sell", 5, 221)
        self.rest("dated", "other", "buy", 2, 180, tif=1, expire_us=self.now_us + 3_600_000_000)
        self.match()
        # A first delivery, so that the next one joins its child.
        self.place("other", "buy", 1, 220)
        self.match()

    # ---- acts

    def asked(
        self, kind: CommandKind, body: payload.Payload, slug: str, order_id: str | None = None, cid: str | None = None
    ) -> dict[str, Any]:
        key: ApiKey = self.keys[slug]
        return {
            "book_id": self.book_id,
            "account_id": key.account_id,
            "kind": int(kind),
            "payload": payload.encode(body),
            "actor": f"key:{key.uuid}",
            "order_id": order_id,
            "client_order_id": cid,
            "key_id": key.pk,
        }

    def wish(self, slug: str, side: str, quantity: int, price: int | None, **more: Any) -> dict[str, Any]:
        """A place with a client_order_id."""
        order_id = MINT.uuid(self.now_us)
        body = payload.PlacePayload(side=int(side == "sell"), type=int(price is None), quantity_lots=quantity, price_ticks=price, **more)
        return self.asked(CommandKind.PLACE, body, slug, order_id, cid=f"mine-{order_id[-8:]}")

    def door(self, *commands: dict[str, Any]) -> Act:
        seconds = [MINT.uuid(self.now_us) if c["client_order_id"] else None for c in commands]
        return {"do": "door", "commands": list(commands), "second_ids": seconds, "now_us": self.now_us}

    def cancel_act(self, name: str, slug: str) -> Act:
        return self.door(self.asked(CommandKind.CANCEL, payload.CancelPayload(), slug, self.orders[name]))

    def amend_act(self, name: str, slug: str, **new: int) -> Act:
        return self.door(self.asked(CommandKind.AMEND, payload.AmendPayload(**new), slug, self.orders[name]))

    def matched(self, later_us: int = 1000) -> Act:
        return {"do": "match", "book": self.book_id, "now_us": self.now_us + later_us}

    def at_gate(self) -> tuple[Act, Act]:
        self.now_us = to_us(self.instrument.gate_closes_at) + 1000
        return {"do": "timetable", "now_us": self.now_us}, self.matched()

    def at_end(self) -> tuple[Act, Act, Act]:
        """Once the window is over: the book closes, the asks leave, the rights expire."""
        self.now_us = to_us(self.series.window_end) + 1000
        return {"do": "timetable", "now_us": self.now_us}, self.matched(), {"do": "timetable", "now_us": self.now_us + 2000}


def _phase(pit: Pit, phase: Phase) -> Act:
    body = payload.encode(payload.PhasePayload(phase=int(phase), reason="test"))
    actor = f"key:{pit.operator.uuid}"
    return {
        "do": "phase",
        "book": pit.book_id,
        "phase": int(phase),
        "reason": "test",
        "actor": actor,
        "payload": body,
        "now_us": pit.now_us,
    }


def _venue_cancel(pit: Pit, *names: str) -> Act:
    commands = [
        {
            "book_id": pit.book_id,
            "account_id": None,
            "kind": int(CommandKind.CANCEL),
            "payload": payload.encode(payload.CancelPayload(reason=1)),
            "actor": "command:test",
            "order_id": pit.orders[name],
        }
        for name in names
    ]
    return {"do": "submit", "commands": commands, "now_us": pit.now_us}


def _issue(pit: Pit) -> Act:
    document = chat_day(resource={"amount": "7000000"}, transfer_policy={"min_transfer_units": "1000000"})
    return {"do": "issue", "account": pit.accounts["third"].pk, "document": document, "now_us": pit.now_us}


def _fund(pit: Pit, way: str) -> Act:
    return {"do": "fund", "way": way, "account": pit.accounts["third"].pk, "amount": "12.50", "now_us": pit.now_us}


def _mass(pit: Pit, **which: Any) -> Act:
    return pit.door(pit.asked(CommandKind.CANCEL_MANY, payload.CancelManyPayload(**which), "other"))


# In one call: one that eats through three levels of two sellers, one that rests, one that is refused, one that takes and goes.
def _crossing(pit: Pit) -> Act:
    return pit.door(
        pit.wish("other", "buy", 9, 221),
        pit.wish("third", "buy", 2, 150),
        pit.wish("other", "buy", 900_000, 200),
        pit.wish("third", "sell", 3, 189, tif=2),
    )


def _many(pit: Pit) -> Act:
    """A longer call of all sorts (in full runs)."""
    commands = [pit.wish("third" if n % 3 else "other", "buy", 1 + n % 4, 215 + n % 9) for n in range(12)]
    commands += [pit.wish("holder", "sell", 1 + n % 3, 188 + n % 5) for n in range(12)]
    commands.append(pit.asked(CommandKind.AMEND, payload.AmendPayload(price_ticks=188), "other", pit.orders["bid0"]))
    commands.append(pit.asked(CommandKind.CANCEL, payload.CancelPayload(), "other", pit.orders["bid2"]))
    return pit.door(*commands)


SCRIPTS: dict[str, tuple[str, Callable[[Pit], list[Act]]]] = {
    "place that rests": ("open", lambda p: [p.door(p.wish("other", "buy", 3, 170)), p.matched()]),
    "ask that reserves": ("open", lambda p: [p.door(p.wish("third", "sell", 6, 240)), p.matched()]),
    "places that cross": ("open", lambda p: [_crossing(p), p.matched()]),
    "market order": ("open", lambda p: [p.door(p.wish("third", "buy", 2, None)), p.matched()]),
    "cancel": ("open", lambda p: [p.cancel_act("bid1", "other"), p.matched()]),
    "cancel of an ask": ("open", lambda p: [p.cancel_act("ask1", "holder"), p.matched()]),
    "amend that keeps": ("open", lambda p: [p.amend_act("bid0", "other", quantity_lots=2), p.matched()]),
    "amend that loses": ("open", lambda p: [p.amend_act("ask2", "holder", price_ticks=221, quantity_lots=6), p.matched()]),
    "amend that crosses": ("open", lambda p: [p.amend_act("bid2", "other", price_ticks=220), p.matched()]),
    "mass cancel": ("open", lambda p: [_mass(p, group="grid"), p.matched()]),
    "venue's cancels": ("open", lambda p: [_venue_cancel(p, "ask0", "bid0"), p.matched()]),
    "halt": ("open", lambda p: [_phase(p, Phase.HALTED), p.matched()]),
    "opening": ("auction", lambda p: [_phase(p, Phase.CONTINUOUS), p.matched()]),
    "order expires": ("open", lambda p: [p.door(p.wish("third", "buy", 1, 160)), p.matched(later_us=7_200_000_000)]),
    "gate closes": ("open", lambda p: list(p.at_gate())),
    "right expires": ("open", lambda p: list(p.at_end())),
    "freeze": ("open", lambda p: [{"do": "freeze", "right": p.right_id, "now_us": p.now_us}, p.matched()]),
    "pull of a frozen right": ("stale", lambda p: [p.door(p.wish("other", "buy", 6, 222)), p.matched()]),
    "suspension": ("open", lambda p: [{"do": "suspend", "slug": "other", "now_us": p.now_us}, p.matched()]),
    "funding": ("open", lambda p: [_fund(p, "fund")]),
    "withdrawal": ("open", lambda p: [_fund(p, "withdraw")]),
    "issue": ("open", lambda p: [_issue(p)]),
    "many at once": ("open", lambda p: [_many(p), p.matched()]),
}

# The timetable pulls the asks of an ended right each time it looks, until they are gone: the second cancel finds no order.
REPEATS = {"right expires": frozenset({"command", "batch", "book"})}


def script(name: str, pit: Pit) -> Case:
    """The case `name` in a market of its kind; the moment of `pit` moves on."""
    began = pit.now_us
    acts = SCRIPTS[name][1](pit)
    pit.now_us = began
    same = {
        second: command["order_id"]
        for act in acts
        for command, second in zip(act.get("commands", ()), act.get("second_ids", ()), strict=False)
        if second
    }
    return Case(name, SCRIPTS[name][0], acts, same, REPEATS.get(name, frozenset()))
