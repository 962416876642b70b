"""Admission: may this command enter the core now? Holds cash or reserves rights when it may (SPEC §4, §5).

Nothing is written here: the batch works on its own copy of what it read and writes the sums once at the end.
"""

from exchange.domain.command import Amend, OrderType, Place, Reason, SelfTrade, Side
from exchange.services.facts import Parcel, rights_valid_until
from exchange.services.live import Live, cash_need
from exchange.services.pairs import block
from exchange.services.payload import AmendPayload, PlacePayload
from exchange.services.working import Working
from rights.domain.gates import restriction_key

# One fill may take all of an ask: each right behind it is a leg of one ledger entry.
MAX_SLICES = 1000


ENDED_BY_OWN = frozenset((int(SelfTrade.CANCEL_NEWEST), int(SelfTrade.CANCEL_BOTH)))  # by meeting an order of its own participant


class Refusal(Exception):
    """The command is refused by a rule; nothing has changed."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.name)
        self.reason = reason


def admit_place(work: Working, *, order: Live, payload: PlacePayload, now_us: int) -> Place:
    """The order as the core may have it; holds or reserves what it needs. Raises Refusal."""
    rules = work.rules
    if payload.deadline_us and now_us > payload.deadline_us:
        raise Refusal(Reason.DEADLINE_PASSED)
    party = work.parties[order.account]
    if not party.active:
        raise Refusal(Reason.HOLDER_SUSPENDED)
    if not rules.min_lots <= order.quantity <= rules.max_lots:
        raise Refusal(Reason.QUANTITY_LIMIT)
    if now_us >= rules.gate_us:
        raise Refusal(Reason.GATE_CLOSED)
    lots = order.remaining
    if order.type == OrderType.MARKET:
        order.price, lots = _market_bound(work, order)
    elif order.price is None or not rules.collar_low <= order.price <= rules.collar_high:
        raise Refusal(Reason.PRICE_OUTSIDE_COLLAR)
    if order.side == Side.BUY:
        _hold_cash(work, order, lots, order.price)
    else:
        reserve(work, order, order.remaining * rules.lot_size)
    return Place(
        order_id=order.id,
        account=order.account,
        participant=order.participant,
        side=order.side,
        type=order.type,
        price_ticks=order.price,
        quantity_lots=order.quantity,
        tif=order.tif,
        post_only=order.post_only,
        stp=order.stp,
        expire_at=order.valid_us,
        expire_reason=order.valid_reason,
        policy=order.policy,
        holder=order.holder,
        group=order.group,
    )


def _market_bound(work: Working, order: Live) -> tuple[int, int]:
    """The worst price a market order needs, never beyond the collar (API.md: never unbounded), and the lots it finds there.

    Makers that it may not meet are passed over, as the core passes over them (SPEC §4).
    """
    rules = work.rules
    if order.side == Side.SELL:
        return rules.collar_low, order.quantity
    core, left, found, bound = work.memory.core, order.quantity, 0, rules.collar_low
    for maker in core.asks():
        if left <= 0 or maker.price_ticks > rules.collar_high:
            break
        if maker.participant == order.participant:
            bound = maker.price_ticks  # self-trade prevention does there what the order asks for
            if order.stp in ENDED_BY_OWN:
                break
            left -= maker.remaining_lots if order.stp == SelfTrade.DECREMENT else 0
        elif (maker.policy, order.holder) not in core.blocked:
            bound = maker.price_ticks
            found += min(left, maker.remaining_lots)
            left -= maker.remaining_lots
    return bound, found


def _hold_cash(work: Working, order: Live, lots: int, price: int) -> None:
    """Hold what the rest of a buy needs, instead of what it held before."""
    rules = work.rules
    if rules.position_limit_lots is not None and work.position(order) + lots > rules.position_limit_lots:
        raise Refusal(Reason.POSITION_LIMIT)
    need = cash_need(lots, price, rules.tick_minor, work.worst_bps)
    if need - order.held > work.parties[order.account].cash:
        raise Refusal(Reason.INSUFFICIENT_FUNDS)
    work.set_held(order, need)


def reserve(work: Working, order: Live, units: int) -> None:
    """Reserve `units` of the seller's rights: those it named, else the oldest first (SPEC §5). Raises Refusal."""
    parcels = work.parcels.get(order.account, [])
    chosen = order.rights
    if order.slices:
        # The core keeps the terms an ask was placed with: what is added must be under the same ones. A named right may be sold by then.
        parcels = [p for p in parcels if _same_terms(p, order)]
        left = {p.right_id for p in parcels}
        chosen = chosen and [right for right in chosen if right in left]
    taken, short = pick(parcels, units, work.rules.lot_size, chosen, MAX_SLICES - len(order.slices))
    if short is not None:
        raise Refusal(short)
    for parcel, part in taken:
        work.reserve(order, parcel, part)
    _bind_rules(work, order, [p for p, _ in taken])


def pick(
    parcels: list[Parcel], units: int, lot_size: int, chosen: list[str] | None, most: int = MAX_SLICES
) -> tuple[list[tuple[Parcel, int]], Reason | None]:
    """What a seller's ask would reserve, and why that is not enough, if it is not."""
    if chosen is not None:
        by_id = {p.right_id: p for p in parcels}
        if any(right not in by_id for right in chosen):
            return [], Reason.INSUFFICIENT_RIGHTS
        parcels = [by_id[right] for right in dict.fromkeys(chosen)]
    taken, left = _pick(parcels, units, lot_size, most)
    if not left:
        return taken, None
    return taken, min((p.refused for p in parcels if p.units and p.refused), default=Reason.INSUFFICIENT_RIGHTS)


def most_lots(parcels: list[Parcel], lot_size: int) -> int:
    """The most that asks could reserve of these parcels, whole lots."""
    lots = sum(p.units for p in parcels if not p.refused) // lot_size
    while lots:
        _, left = _pick(parcels, lots * lot_size, lot_size, len(parcels))
        if not left:
            break
        lots -= -(-left // lot_size)
    return lots


def _pick(parcels: list[Parcel], units: int, lot_size: int, most: int) -> tuple[list[tuple[Parcel, int]], int]:
    """Parts of at most `most` parcels that make up `units` (whole lots), and what is missing.

    A fill may be as small as one lot, whoever the takers are. So a right whose terms let it move only in certain amounts joins with whole
    lots at lot boundaries, and only where one lot is such an amount: every fill is then a transfer that its terms allow.
    """
    taken: list[tuple[Parcel, int]] = []
    for parcel in parcels:
        if units == 0 or len(taken) == most:
            break
        part = min(parcel.units, units)
        if not parcel.splittable or parcel.min_units > 1:
            part -= part % lot_size
            if units % lot_size or parcel.min_units > lot_size or not (parcel.splittable or parcel.whole_units == lot_size):
                continue
        if parcel.refused or part == 0:
            continue
        taken.append((parcel, part))
        units -= part
    return taken, units


def _same_terms(parcel: Parcel, order: Live) -> bool:
    until_fits = not parcel.until_us or (order.valid_us != 0 and order.valid_us <= parcel.until_us)
    return until_fits and (restriction_key([parcel.receiver]) if parcel.restricted else 0) == order.policy


def _bind_rules(work: Working, order: Live, parcels: list[Parcel]) -> None:
    """The order is valid only as long as every right behind it may move, and only for takers all of them accept."""
    for parcel in parcels:
        if parcel.until_us and (not order.valid_us or parcel.until_us < order.valid_us):
            order.valid_us, order.valid_reason = parcel.until_us, int(Reason.TRANSFER_CUTOFF)
    restricted = [p.receiver for p in parcels if p.restricted]
    if restricted or order.policy:
        receivers = [*work.memory.policies.get(order.policy, []), *restricted]
        order.policy = restriction_key(receivers)
        # A lane that was rebuilt knows a key by what is left behind its asks: what this order brings must be judged as well.
        known = work.memory.policies.setdefault(order.policy, [])
        brought = [receiver for receiver in receivers if receiver not in known]
        if brought:
            known += brought
            work.judged.discard(order.policy)
        block(work, order.policy)


def admit_amend(work: Working, *, order: Live, payload: AmendPayload, now_us: int) -> Amend:
    """The amend as the core may have it, after holding what its growth needs. Raises Refusal.

    The core may still refuse; the caller then restores the order from its own copy.
    """
    rules = work.rules
    if payload.deadline_us and now_us > payload.deadline_us:
        raise Refusal(Reason.DEADLINE_PASSED)
    if now_us >= rules.gate_us:
        raise Refusal(Reason.GATE_CLOSED)
    quantity = order.quantity if payload.quantity_lots is None else payload.quantity_lots
    price = order.price if payload.price_ticks is None else payload.price_ticks
    if payload.quantity_lots is not None and not rules.min_lots <= quantity <= rules.max_lots:
        raise Refusal(Reason.QUANTITY_LIMIT)
    if price is None or not rules.collar_low <= price <= rules.collar_high:
        raise Refusal(Reason.PRICE_OUTSIDE_COLLAR)
    remaining = quantity - order.filled - order.cancelled
    if remaining > 0:
        if order.is_buy:
            _hold_cash(work, order, remaining, price)
        elif remaining > order.remaining:
            if not work.parties[order.account].active:
                raise Refusal(Reason.HOLDER_SUSPENDED)
            reserve(work, order, (remaining - order.remaining) * rules.lot_size)
    expire_at, expire_reason = _new_expiry(work, order, payload)
    return Amend(
        order_id=order.id,
        price_ticks=payload.price_ticks,
        quantity_lots=None if payload.quantity_lots is None else payload.quantity_lots - order.cancelled,
        expire_at=expire_at,
        expire_reason=expire_reason,
    )


def _new_expiry(work: Working, order: Live, payload: AmendPayload) -> tuple[int | None, int | None]:
    """When the amended order stops being valid, and why: as asked, but never later than the rights behind an ask may move."""
    if payload.expire_us is None:
        return None, None
    until = 0 if order.is_buy else rights_valid_until(work.rules, order)
    if until and (not payload.expire_us or until < payload.expire_us):
        return until, int(Reason.TRANSFER_CUTOFF)
    return payload.expire_us, int(Reason.ORDER_EXPIRED)
