"""POST /orders/preview: everything an order would meet, and nothing placed. A picture of now, not a promise."""

from typing import Any

import msgspec
from channels.db import database_sync_to_async
from django.db import transaction

from exchange.api.order_entry.operations import Ready
from exchange.domain.command import OrderType, Phase, PostOnly, Reason, SelfTrade, Side, TimeInForce
from exchange.selectors.outcomes import behind_asks, behind_rights, expected_document
from exchange.services.admit import pick
from exchange.services.entry import preview_bounds
from exchange.services.facts import Parcel, Party, ask_parcels, load_holdings, load_parties, read_parcels
from exchange.services.identity import Principal
from exchange.services.live import cash_need
from exchange.services.pairs import shut_pairs
from exchange.services.payload import PlacePayload, decode
from exchange.services.rules import DELIVERED, Rules
from rights.domain.gates import HolderFacts, Receiver, RightFacts, transfer_verdicts
from rights.domain.window import ends_us
from rights.kernel import rows
from rights.kernel.clock import now_us
from rights.kernel.trip import Trip
from rights.selectors.reception import counts_of, holdings_of, permits_for, permits_of, scope_of, with_credentials
from rights.services.reception import policies_of
from settlement.domain.fees import fee_minor
from settlement.domain.record import NOTHING_EXPECTED, WHOLE_BPS, Expected

MOST_MAKERS = 500
# Refusals of an order behind which a gate may stand: their answer shows every verdict.
TOLD_BY_GATES = frozenset({"gate_refused", "insufficient_rights", "holder_suspended"})
_PHASE_REFUSALS = {Phase.HALTED: Reason.PHASE_HALTED, Phase.CLOSED: Reason.PHASE_CLOSED}


class Maker(msgspec.Struct, frozen=True):
    order_id: str
    participant: int
    account: int
    price: int
    lots: int
    slice_rights: list[str]
    slice_units: list[int]


class Walk(msgspec.Struct):
    """What the order would take now. `bound` is the worst price it reaches, also for an own order; `gone`: lots that self-trade prevention
    would take from it; `crosses`: anything at all is there to be met; `passes_over`: makers behind a shut gate are among it, for a buy with what they offer (`closed`).
    """

    lots: int = 0
    notional: int = 0
    worst_price: int | None = None
    bound: int | None = None
    gone: int = 0
    crosses: bool = False
    self_cross: bool = False
    parts: list[tuple[str, int]] = []  # (right, units)
    passes_over: bool = False
    closed: list[tuple[str, int]] = []


_PHASE = "SELECT phase, post_only FROM exchange_book WHERE instrument_id = %s"
_MAKERS = """
SELECT id::text, participant_id, account_id, price_ticks, remaining_lots, slice_rights::text[], slice_units FROM exchange_order
WHERE book_id = %s AND is_open AND side = %s AND CASE WHEN %s = 0 THEN price_ticks <= %s ELSE price_ticks >= %s END
ORDER BY CASE WHEN %s = 0 THEN price_ticks ELSE -price_ticks END, joined LIMIT %s
"""
_RIGHTS = f"""
SELECT r.id::text, r.status, r.freeze_reason, r.remaining_units, r.reserved_units, (extract(epoch from r.acquired_at) * 1000000)::bigint,
       (extract(epoch from r.activated_at) * 1000000)::bigint, r.terms_hash, i.slug, r.holder_id, r.root_id::text,
       s.window_mode, (extract(epoch from s.window_end) * 1000000)::bigint, s.epoch_size_s
FROM rights_right r JOIN rights_issuer i ON i.id = r.issuer_id JOIN rights_series s ON s.id = r.series_id
WHERE r.id = ANY(%s::uuid[]) OR (%s AND r.series_id IN (SELECT d.series_id FROM {DELIVERED} d WHERE d.instrument_id = %s)
    AND r.holder_id = %s AND r.remaining_units > r.reserved_units)
ORDER BY r.created_at, r.id
"""
_RECEIVERS = """
SELECT r.id::text, r.terms_hash, i.slug, r.root_id::text FROM rights_right r JOIN rights_issuer i ON i.id = r.issuer_id WHERE r.id = ANY(%s::uuid[])
"""
_BIDS = "SELECT coalesce(sum(remaining_lots), 0)::bigint FROM exchange_order WHERE book_id = %s AND is_open AND side = 0 AND participant_id = %s"


async def preview(ready: Ready, who: Principal) -> dict[str, Any]:
    """The preview's body; reads one snapshot."""
    return await database_sync_to_async(_preview, thread_sensitive=False)(ready, who)


def _preview(ready: Ready, who: Principal) -> dict[str, Any]:
    payload = decode(0, ready.command.payload)
    if not isinstance(payload, PlacePayload):
        raise TypeError("only a place can be previewed")
    with transaction.atomic():
        rows.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        looked = _look(ready.rules, payload, who)
        bounds = [] if who.key_id is None else preview_bounds(key_id=who.key_id, command=ready.command, now_us=now_us())
    if not bounds:
        return looked
    told = [{"code": bound.code, "passed": False, "detail": bound.detail} for bound in bounds]
    return {**looked, "accepted": False, "reason": looked["reason"] or bounds[0].code, "gates": [*looked["gates"], *told]}


def _look(rules: Rules, payload: PlacePayload, who: Principal) -> dict[str, Any]:
    party = load_parties(rules, [who.account_id])[who.account_id]
    state = rows.fetch_one(_PHASE, [rules.book_id]) or (Phase.CLOSED, False)
    phase, takers_out = Phase(state[0]), bool(state[1])
    at, selling = now_us(), payload.side == Side.SELL
    own, short = _own(rules, payload, party, at, takers_out=takers_out) if selling else ([], None)
    walk = _walk(rules, payload, party, own, at)
    limit = payload.price_ticks if payload.price_ticks is not None else walk.bound
    buying = payload.side == Side.BUY
    # What would rest across a maker that was passed over ends (docs/matching.md, rule 5).
    resting = 0 if payload.type == OrderType.MARKET or walk.passes_over else payload.quantity_lots - walk.lots - walk.gone
    taker, maker = fee_minor(walk.notional, rules.taker_bps), fee_minor(resting * (limit or 0) * rules.tick_minor, rules.maker_bps)
    held_lots = walk.lots if payload.type == OrderType.MARKET else payload.quantity_lots
    hold = cash_need(held_lots, limit or 0, rules.tick_minor, max(rules.maker_bps, rules.taker_bps)) if buying else 0
    parts, gates = _rights(rules, payload, party, _units(own) if selling else walk.parts, walk.closed, at)
    too_much = buying and _passes_limit(rules, party, held_lots)
    reason = _first_refusal(rules, payload, party, hold, too_much, short) or _core_refusal(payload, phase, walk, takers_out)
    expected = _expected(rules, [right["right_id"].removeprefix("rgt_") for right in parts]) if buying else None
    return {
        "instrument": rules.symbol,
        "accepted": reason is None,
        "reason": None if reason is None else reason.name.lower(),
        "phase": phase.name.lower(),
        "would_fill": str(walk.lots),
        "would_rest": str(resting if payload.tif not in (TimeInForce.IOC, TimeInForce.FOK) else 0),
        "worst_price": None if walk.worst_price is None else rules.price_text(walk.worst_price),
        "notional": rules.money_text(walk.notional),
        "fee": {"taker": rules.money_text(taker), "maker_if_filled_later": rules.money_text(maker), "currency": rules.currency},
        "hold": {
            "cash": rules.money_text(hold),
            "currency": rules.currency,
            "units": "0" if buying else str(payload.quantity_lots * rules.lot_size),
        },
        "available": {"cash": rules.money_text(party.cash), "currency": rules.currency},
        "self_cross": walk.self_cross,
        **expected_document(expected or NOTHING_EXPECTED),
        "price_per_expected_lot": None if expected is None else _price_expected(rules, walk, limit, expected),
        "rights": parts,
        "gates": gates,
    }


def _expected(rules: Rules, right_ids: list[str]) -> Expected:
    """Of the issuers of what would be delivered now; of those behind all asks while nothing would be."""
    return behind_rights(right_ids) if right_ids else behind_asks([rules.book_id]).get(rules.book_id, NOTHING_EXPECTED)


def _price_expected(rules: Rules, walk: Walk, limit: int | None, expected: Expected) -> str | None:
    """What a lot costs by what may be expected of it: the average of what trades now, or the limit; rounded up."""
    lots, notional = (walk.lots, walk.notional) if walk.lots else (1, (limit or 0) * rules.tick_minor)
    if not expected.bps or not notional:
        return None
    return rules.money_text(-(-notional * WHOLE_BPS // (lots * expected.bps)))


def _walk(rules: Rules, payload: PlacePayload, party: Party, own: list[tuple[Parcel, int]], at_us: int) -> Walk:
    buying = payload.side == Side.BUY
    bound = payload.price_ticks
    if bound is None:
        bound = rules.collar_high if buying else rules.collar_low
    opposite = int(Side.SELL if buying else Side.BUY)
    found = [
        Maker(*row) for row in rows.fetch_all(_MAKERS, [rules.book_id, opposite, payload.side, bound, bound, payload.side, MOST_MAKERS])
    ]
    closed = _closed_to(rules, found, party, at_us) if buying else _closed_for(rules, found, own, at_us)
    walk = Walk(parts=[], closed=[], crosses=bool(found))
    left = payload.quantity_lots
    for maker in found:
        if left == 0:
            break
        if maker.order_id in closed and maker.participant != party.participant:
            walk.passes_over = True
            if buying:
                walk.closed += _slices(maker, min(left, maker.lots) * rules.lot_size)
            continue
        walk.bound = maker.price
        if maker.participant == party.participant:
            walk.self_cross = True
            if payload.stp != SelfTrade.CANCEL_OLDEST:
                lost = min(left, maker.lots) if payload.stp == SelfTrade.DECREMENT else left
                walk.gone += lost
                left -= lost
            continue
        lots = min(left, maker.lots)
        left -= lots
        walk.lots += lots
        walk.notional += lots * maker.price * rules.tick_minor
        walk.worst_price = maker.price
        if buying:
            walk.parts += _slices(maker, lots * rules.lot_size)
    return walk


def _closed_to(rules: Rules, makers: list[Maker], party: Party, at_us: int) -> set[str]:
    """Asks that may not deliver to the buyer: a right behind each is closed to him (SPEC §4)."""
    found = rows.fetch_all(_RECEIVERS, [rows.array({right for maker in makers for right in maker.slice_rights})])
    policies = policies_of(sorted({row[1] for row in found}))
    receivers = {row[0]: Receiver(policies[row[1]], row[2], row[3], row[1]) for row in found if policies[row[1]].restricts}
    behind = {maker.order_id: [receivers[right] for right in maker.slice_rights if right in receivers] for maker in makers}
    restricted = {order: found for order, found in behind.items() if found}
    return {order for order, _ in shut_pairs(restricted, {party.id: party.facts}, lot_size=rules.lot_size, now_us=at_us)}


def _closed_for(rules: Rules, makers: list[Maker], own: list[tuple[Parcel, int]], at_us: int) -> set[str]:
    """Bids of those who may not receive what the seller would deliver."""
    receivers = [parcel.receiver for parcel, _ in own if parcel.restricted]
    if not receivers:
        return set()
    bidders = {account: found.facts for account, found in load_parties(rules, {maker.account for maker in makers}).items()}
    shut = {account for _, account in shut_pairs({"own": receivers}, bidders, lot_size=rules.lot_size, now_us=at_us)}
    return {maker.order_id for maker in makers if maker.account in shut}


def _slices(maker: Maker, units: int) -> list[tuple[str, int]]:
    """What the maker delivers first of all it has: (right, units)."""
    found = []
    for right, have in zip(maker.slice_rights, maker.slice_units, strict=True):
        part = min(have, units)
        if part == 0:
            break
        found.append((right, part))
        units -= part
    return found


def _passes_limit(rules: Rules, party: Party, lots: int) -> bool:
    """Whether what the participant holds, bids for and now wants would be more than the instrument allows."""
    if rules.position_limit_lots is None:
        return False
    bids = (rows.fetch_one(_BIDS, [rules.book_id, party.participant]) or (0,))[0]
    held = load_holdings(rules, [party.participant]).get(party.participant, 0)
    return bool(held + bids + lots > rules.position_limit_lots)


def _rights(
    rules: Rules, payload: PlacePayload, party: Party, taken: list[tuple[str, int]], closed: list[tuple[str, int]], now: int
) -> tuple[list[dict[str, str]], list[dict[str, Any]]]:
    """(rights and units, every gate's verdict on each). A sell shows its own rights, a buy the makers'.

    Of what a buy passes over (`closed`) the verdicts say why.
    """
    buying = payload.side == Side.BUY
    wanted, shut = _summed(taken), _summed(closed)
    named = [*wanted, *shut] if buying else (payload.rights or [])
    found = rows.fetch_all(_RIGHTS, [rows.array(named), not buying and payload.rights is None, rules.book_id, party.id])
    found.sort(key=_right_ends_us)
    policies = policies_of(sorted({row[7] for row in found}))
    receivers = {row[0]: Receiver(policies[row[7]], row[8], row[10], row[7]) for row in found}
    permits = permits_of({scope_of(r) for r in receivers.values() if r.policy.needs_permits}, now_us=now)
    holdings = holdings_of({r.root for r in receivers.values() if buying and r.policy.counts_holders})
    taker = with_credentials([party.facts], now_us=now)[party.id] if buying else None
    givers = load_parties(rules, {row[9] for row in found}) if buying else {party.id: party}
    left = 0 if buying else payload.quantity_lots * rules.lot_size
    parts: list[dict[str, str]] = []
    gates: list[dict[str, Any]] = []
    for row in found:
        right_id, policy = row[0], policies[row[7]]
        units = wanted.get(right_id, 0)
        # Of a right that was named the answer says why it gives nothing, also when nothing of it is free.
        asked = units or shut.get(right_id, 0) or min(left, row[3] - row[4]) or (left if right_id in named else 0)
        if not asked or (not buying and row[9] != party.id):
            continue
        left -= min(left, units)
        if not buying and not (policy.splittable and policy.min_transfer_units == 1):
            asked = min(asked, rules.lot_size)  # a fill may be as small as that
        facts = RightFacts(
            id=right_id,
            status=row[1],
            freeze_reason=row[2],
            remaining_units=row[3],
            reserved_units=row[4] - (asked if buying else 0),
            window_end_us=_right_ends_us(row),
            acquired_us=row[5],
            activated=row[6] is not None,
        )
        giver: HolderFacts = givers[row[9]].facts
        verdicts = transfer_verdicts(
            right=facts,
            policy=policy,
            units=asked,
            giver=giver,
            taker=taker,
            now_us=now,
            counts=counts_of(holdings, row[10], row[9], party.id),
            permits=permits_for(receivers[row[0]], permits),
        )
        gates += [{"right_id": f"rgt_{right_id}", "code": v.code, "passed": v.passed, "detail": v.detail} for v in verdicts]
        if units:
            parts.append({"right_id": f"rgt_{right_id}", "units": str(units), "issuer_id": row[8]})
    return parts, gates


def _summed(parts: list[tuple[str, int]]) -> dict[str, int]:
    units: dict[str, int] = {}
    for right, part in parts:
        units[right] = units.get(right, 0) + part
    return units


def _own(
    rules: Rules, payload: PlacePayload, party: Party, now: int, *, takers_out: bool
) -> tuple[list[tuple[Parcel, int]], Reason | None]:
    """What a sell would reserve, as the batch reserves it: parcels with their units, and why that is too little."""
    trip = Trip()
    answer = ask_parcels(trip, rules, [party.id])
    trip.go()
    parcels = read_parcels(answer, rules, {party.id: party}, now, takers_out=takers_out).get(party.id, [])
    return pick(parcels, payload.quantity_lots * rules.lot_size, rules.lot_size, payload.rights)


def _units(taken: list[tuple[Parcel, int]]) -> list[tuple[str, int]]:
    return [(parcel.right_id, units) for parcel, units in taken]


def _right_ends_us(row: tuple[Any, ...]) -> int:
    return ends_us(mode=row[11], window_end_us=row[12], period_s=row[13], activated_us=row[6])


def _first_refusal(  # noqa: PLR0911 - the rules in the order in which the batch judges them
    rules: Rules,
    payload: PlacePayload,
    party: Party,
    hold: int,
    too_much: bool,  # noqa: FBT001
    short: Reason | None,
) -> Reason | None:
    if payload.deadline_us and now_us() > payload.deadline_us:
        return Reason.DEADLINE_PASSED
    if not party.active:
        return Reason.HOLDER_SUSPENDED
    if not rules.min_lots <= payload.quantity_lots <= rules.max_lots:
        return Reason.QUANTITY_LIMIT
    if now_us() >= rules.gate_us:
        return Reason.GATE_CLOSED
    if payload.price_ticks is not None and not rules.collar_low <= payload.price_ticks <= rules.collar_high:
        return Reason.PRICE_OUTSIDE_COLLAR
    if too_much:
        return Reason.POSITION_LIMIT
    if payload.side == Side.BUY and hold > party.cash:
        return Reason.INSUFFICIENT_FUNDS
    return short


def _core_refusal(payload: PlacePayload, phase: Phase, walk: Walk, takers_out: bool) -> Reason | None:  # noqa: FBT001
    """What the book itself would say (docs/matching.md, rules 2, 3, 6, 7 and 13)."""
    passing = payload.type == OrderType.MARKET or payload.tif in (TimeInForce.IOC, TimeInForce.FOK)
    if phase in _PHASE_REFUSALS:
        return _PHASE_REFUSALS[phase]
    if phase == Phase.PRE_OPEN and passing:
        return Reason.PHASE_PRE_OPEN
    if takers_out and (passing or (phase == Phase.CONTINUOUS and payload.post_only == PostOnly.OFF and walk.crosses)):
        return Reason.POST_ONLY_BOOK
    if phase == Phase.CONTINUOUS and payload.post_only == PostOnly.REJECT and walk.crosses:
        return Reason.POST_ONLY_WOULD_TAKE
    if payload.tif == TimeInForce.FOK and walk.lots < payload.quantity_lots:
        return Reason.FOK_UNFILLABLE
    return None
