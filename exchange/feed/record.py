"""What a batch tells the rooms that publish: compact, typed, msgpack.

Public part (Batch.public) goes to everybody; private parts (AccountMessage.body) to one account each.
Amounts are integers here; `wire` turns them into API.md's texts.
"""

import msgspec

Level = tuple[int, int, int, int]  # side, price ticks, lots (0: gone), orders


class TradeRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    id: str
    trade_no: int
    price_ticks: int
    quantity_lots: int
    aggressor: int


class PublicRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One batch: absolute levels that changed, trades, and after it the phase and whether takers are kept out."""

    at_us: int
    phase: int
    levels: list[Level]
    trades: list[TradeRecord]
    post_only: int = 0


class OrderRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An order after a batch."""

    id: str
    book_id: int
    client_order_id: str | None
    group: str
    side: int
    type: int
    tif: int
    post_only: int
    stp: int
    price_ticks: int | None
    quantity_lots: int
    filled_lots: int
    remaining_lots: int
    status: int
    reason: int
    notional_minor: int
    fee_minor: int
    expire_us: int
    created_us: int
    updated_us: int
    book_seq: int
    rights: list[str] | None = None  # those its owner named
    deadline_us: int = 0


class DeliveryRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    right_id: str
    parent_id: str
    root_id: str
    units: int
    issuer: str
    assurance_id: str
    terms_hash: str


class FillRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One side of a trade."""

    id: str
    trade_id: str
    order_id: str
    book_id: int
    side: int
    price_ticks: int
    quantity_lots: int
    liquidity: int  # 0 maker, 1 taker, 2 auction
    fee_minor: int
    book_seq: int
    at_us: int
    event_id: str
    event_hash: str
    deliveries: list[DeliveryRecord]


class BalanceRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    currency: str
    scale: int
    amount: int
    held: int


class RequestRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A fact about a request or its routes; ids are public ones. `state`: the request's after it, None where it stays as it was."""

    event_id: str
    event: str
    request_id: str
    state: str | None = None
    route_ids: list[str] = []
    right_id: str | None = None
    units: str | None = None
    receipt_id: str | None = None
    reason: str | None = None


class SettlementRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A fact about a settlement or a dispute of it; ids are public ones. `state`: the settlement's after it, None where it stays as it was."""

    event_id: str
    event: str
    settlement_id: str
    request_id: str
    receipt_id: str
    state: str | None = None
    outcome: str | None = None
    rule: str | None = None
    units: str | None = None
    missing: list[str] = []
    until: str | None = None
    dispute_id: str | None = None
    dispute_state: str | None = None
    reviewer: str | None = None


class ResultRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What became of one command: reason 0 is success; `orders` are those it cancelled or changed."""

    n: int
    kind: int
    reason: int
    orders: list[str]
    priority_kept: bool | None = None


class PrivateRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    at_us: int
    orders: list[OrderRecord]
    fills: list[FillRecord]
    balances: list[BalanceRecord]
    results: list[ResultRecord]
    requests: list[RequestRecord] = []
    settlements: list[SettlementRecord] = []


encode = msgspec.msgpack.Encoder().encode
decode_public = msgspec.msgpack.Decoder(PublicRecord).decode
decode_private = msgspec.msgpack.Decoder(PrivateRecord).decode
