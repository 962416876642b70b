"""The channels there are: what subscribing needs, and what comes. The guide and AsyncAPI are made from this table."""

import msgspec

from exchange.api.schemas.words import COUNT, PRICE, WHOLE, Schema, answer, many, ref
from exchange.sockets.use_channels import OPEN_REQUEST, OPEN_SETTLEMENT, REQUEST_CHANGE, SETTLEMENT_CHANGE

DEPTHS: dict[int | str, int | None] = {10: 10, 50: 50, "full": None}


class Channel(msgspec.Struct, frozen=True):
    """`conflates`: a slow reader gets fewer messages of it, never wrong ones."""

    name: str
    about: str
    snapshot: Schema  # of `data`
    change: Schema
    per_instrument: bool = False
    private: bool = False
    conflates: bool = False
    kinds: tuple[str, ...] = ("snapshot", "event")


_LEVEL: Schema = {"type": "array", "prefixItems": [PRICE, WHOLE, COUNT], "items": False, "minItems": 3}
_BOOK = answer({"bids": many(_LEVEL), "asks": many(_LEVEL)}, description="[price, quantity, orders] of each level")

_TABLE = [
    Channel(
        "book",
        "The book by price level to `depth` 10, 50 or full: a snapshot, then one delta per batch with the absolute size of each changed "
        'level ("0" removes it). `seq` is the book\'s batch number.',
        _BOOK,
        _BOOK,
        per_instrument=True,
        conflates=True,
        kinds=("snapshot", "delta"),
    ),
    Channel(
        "trades",
        "Public trades, oldest first: the latest 50, then those of each batch. `seq` is the number of a message's last trade.",
        many(ref("Trade")),
        many(ref("Trade")),
        per_instrument=True,
    ),
    Channel(
        "ticker",
        "Best prices, last trade, the last 24 hours (to the minute), the phase; at most ten times a second, when something changed.",
        ref("Ticker"),
        ref("Ticker"),
        per_instrument=True,
        conflates=True,
    ),
    Channel(
        "instruments",
        "All instruments, then each one that is listed or changes its phase or reference price.",
        many(ref("Instrument")),
        ref("Instrument"),
    ),
    Channel("status", "The state of the venue's parts, whenever one changes.", ref("Status"), ref("Status")),
    Channel(
        "orders",
        "The account's orders: those that are open, then each order as each batch leaves it.",
        many(ref("Order")),
        ref("Order"),
        private=True,
    ),
    Channel(
        "fills",
        "The account's fills with their deliveries. The snapshot is empty: it only says where events begin.",
        many(ref("Fill"), high=0),
        ref("Fill"),
        private=True,
    ),
    Channel(
        "balances",
        "The account's cash: all balances, then each one that changed.",
        many(ref("Balance")),
        ref("Balance"),
        private=True,
    ),
    Channel(
        "requests",
        "Requests that the account made, or that use its rights: those that have not ended, then everything that happens to one, its routes "
        "and its receipt.",
        many(OPEN_REQUEST),
        REQUEST_CHANGE,
        private=True,
    ),
    Channel(
        "settlements",
        "Settlements that the account is a party to (who asked, holder, supplier, issuer) or reviews: those that are not final, then every "
        "step of one and of its disputes.",
        many(OPEN_SETTLEMENT),
        SETTLEMENT_CHANGE,
        private=True,
    ),
]
CHANNELS = {channel.name: channel for channel in _TABLE}
# In API.md, and not offered yet: refused by their own code.
PLANNED = ("book_l3", "auction", "quotes", "mmp", "positions", "rights", "consents", "drop_copy")
PLANNED_FAMILIES = ("candles.", "curve.")


def is_planned(name: str) -> bool:
    return name in PLANNED or name.startswith(PLANNED_FAMILIES)
