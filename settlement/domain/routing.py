"""The router (SPEC §8): from the facts of rights and suppliers to quotes, and which of them do the request. Pure.

Rights are used in the order the request names them. One right and one supplier where they suffice; several rights where one has too few
units and the request lets it spill over; several suppliers where the work can be divided. What nodes do is never divided, for each of
them does the whole payload; and whoever works by himself does it all, for only then is his receipt the request's, and his time its lock's.
A degradation only where nothing else is left.
"""

from collections.abc import Mapping, Sequence

import msgspec

from settlement.domain.claims import Claim, Offer, Payer, Reason, claim_reasons, room_units
from settlement.domain.envelope import Envelope
from settlement.domain.route_fit import Fit, dearest_own, fit
from settlement.domain.route_score import score_of

# Work of many parts, each of which may be done by another supplier.
DIVISIBLE = frozenset({"text.embedding", "text.classification", "image.generation", "image.edit", "audio.transcription", "gpu.batch"})
MOST_QUOTES = 24
_ALONE = Reason("no_single_supplier", "no supplier may serve all of it, and such work is not divided")
Pair = tuple[str, int]  # right, capability


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """One way to do a part of it. `refusals` say why it may not; of those that are `is_chosen` the units make up the request's."""

    right_id: str
    offer: Offer
    units: int
    escrow_minor: int
    payer: Payer | None
    payee: Payer | None
    score: int
    reasons: tuple[Reason, ...]
    fallbacks: tuple[str, ...]
    quality_loss_bps: int
    refusals: tuple[Reason, ...]
    is_chosen: bool = False

    @property
    def pair(self) -> Pair:
        return self.right_id, self.offer.capability_id


class Refused(msgspec.Struct, frozen=True):
    """Why a right, or a supplier for a right, is left out; `supplier` None: whoever would do it. `right_id` "": the request itself."""

    right_id: str
    supplier: str | None
    reason: Reason


class RoutePlan(msgspec.Struct, frozen=True):
    """Chosen quotes first, then others by score, then the refused. `may_wait`: a right lets the request wait for better times."""

    quotes: tuple[Quote, ...]
    refusals: tuple[Refused, ...]
    missing_units: int
    may_wait: bool

    @property
    def chosen(self) -> tuple[Quote, ...]:
        return tuple(quote for quote in self.quotes if quote.is_chosen)


def plan_routes(
    *,
    envelope: Envelope,
    claims: Sequence[Claim],
    offers: Sequence[Offer],
    payers: Mapping[int, Payer],
    scale: int,
    now_us: int,
    is_late: bool = False,
    only: Sequence[Pair] | None = None,
) -> RoutePlan:
    """Quotes for every right and supplier, and the choice. `payers` by participant; `scale`: the decimals of all their cash; `only`: the
    caller's own choice, in his order.

    `is_late`: the request was put off before, which is a degradation of its own.
    """
    refusals = [Refused(claim.right_id, None, why) for claim in claims for why in claim_reasons(claim, envelope=envelope, now_us=now_us)]
    shut = {refused.right_id for refused in refusals}
    quotes: list[Quote] = []
    for claim in claims:
        if claim.right_id not in shut:
            quotes += _quotes_of(claim, envelope, offers, payers, scale, now_us, is_late=is_late)
    refusals += [Refused(quote.right_id, quote.offer.supplier, why) for quote in quotes for why in quote.refusals]
    open_quotes = [quote for quote in quotes if not quote.refusals]
    rooms = {claim.right_id: room_units(claim) for claim in claims if claim.right_id not in shut}
    taken = _chosen(envelope, [claim.right_id for claim in claims], rooms, open_quotes, only)
    early = None if only is None else _overflow_early(envelope, claims, rooms, open_quotes, taken)
    if early is not None:
        taken = []
        refusals.append(Refused("", None, early))
    elif not taken and (open_quotes or not refusals):
        refusals.append(Refused("", None, _why_not(envelope, [claim.right_id for claim in claims], rooms, open_quotes, only)))
    missing = envelope.expected_units - sum(quote.units for quote in taken)
    pairs = {quote.pair for quote in taken}
    rest = sorted((quote for quote in open_quotes if quote.pair not in pairs), key=lambda quote: (-quote.score, quote.pair))
    refused = [quote for quote in quotes if quote.refusals]
    return RoutePlan(
        tuple([*taken, *rest, *refused][: max(MOST_QUOTES, len(taken))]), tuple(refusals), missing, _may_wait(claims, refusals)
    )


def _quotes_of(
    claim: Claim, envelope: Envelope, offers: Sequence[Offer], payers: Mapping[int, Payer], scale: int, now_us: int, *, is_late: bool
) -> list[Quote]:
    dearest = dearest_own(claim, offers)
    fits = [(offer, fit(claim, offer, dearest=dearest, is_late=is_late, now_us=now_us)) for offer in offers]
    able = [offer for offer, found in fits if not found.refusals]
    units = min(envelope.expected_units, max(room_units(claim), 1))
    quotes = []
    for offer, found in fits:
        score, reasons = (
            (0, ())
            if found.refusals
            else score_of(claim, offer, offers=able, wanted=envelope.preferences, fallbacks=found.fallbacks, scale=scale)
        )
        quotes.append(_priced(claim, offer, found, units, score, reasons, payers))
    return quotes


def _priced(
    claim: Claim, offer: Offer, found: Fit, units: int, score: int, reasons: tuple[Reason, ...], payers: Mapping[int, Payer]
) -> Quote:
    """With what it would set aside of the issuer's cash; nothing between one participant's own pockets."""
    payer, payee = payers.get(claim.issuer_participant_id), payers.get(offer.participant_id)
    is_own = claim.issuer_participant_id == offer.participant_id
    cost = 0 if is_own else offer.cost_minor(units)
    refusals = list(found.refusals)
    if cost and (payer is None or payer.free_minor < cost):
        refusals.append(Reason("issuer_cash", f"the right's issuer has too little free cash to pay {offer.supplier}", temporary=True))
    if cost and payee is None:
        refusals.append(Reason("supplier_account", f"{offer.supplier} has no account that could be paid"))
    return Quote(
        right_id=claim.right_id,
        offer=offer,
        units=units,
        escrow_minor=cost,
        payer=payer if cost else None,
        payee=payee if cost else None,
        score=0 if refusals else score,
        reasons=() if refusals else reasons,
        fallbacks=found.fallbacks,
        quality_loss_bps=found.quality_loss_bps,
        refusals=tuple(refusals),
    )


def _chosen(
    envelope: Envelope, order: Sequence[str], rooms: Mapping[str, int], quotes: Sequence[Quote], only: Sequence[Pair] | None
) -> list[Quote]:
    """The quotes that do all of it, or none."""
    if only is not None:
        found = _named(envelope, rooms, quotes, only)
        return [] if _is_divided(envelope, found) else found
    spans = [list(order)] if envelope.spill_over else [[right] for right in order]
    place = {right: number for number, right in enumerate(order)}
    for span in spans:
        tries = [_filled(envelope, rooms, one) for one in _attempts(envelope, span, quotes)]
        complete = [found for found in tries if found]
        if complete:
            return min(complete, key=lambda found: _preference(found, place))
    return []


def _named(envelope: Envelope, rooms: Mapping[str, int], quotes: Sequence[Quote], only: Sequence[Pair]) -> list[Quote]:
    """The caller's choice as far as it is needed; [] where it does not make up the request."""
    by_pair = {quote.pair: quote for quote in quotes}
    named = [by_pair[pair] for pair in only if pair in by_pair]
    return _filled(envelope, rooms, named) if len(named) == len(only) else []


def _is_divided(envelope: Envelope, found: Sequence[Quote]) -> bool:
    """Whether it would have several do what one does whole: suppliers what is no work of many parts or one does by himself, nodes anything."""
    suppliers = {quote.offer.capability_id for quote in found}
    is_whole = envelope.workload not in DIVISIBLE or any(quote.offer.own_us for quote in found)
    return (len(suppliers) > 1 and is_whole) or (len(found) > 1 and any(quote.offer.is_by_nodes for quote in found))


def _attempts(envelope: Envelope, span: Sequence[str], quotes: Sequence[Quote]) -> list[list[Quote]]:
    """Orders in which to draw: each supplier by itself, one with nodes out of one right; and, where the work can be divided, the best of
    each right after another, of those that the venue calls.
    """
    place = {right: number for number, right in enumerate(span)}
    mine = [quote for quote in quotes if quote.right_id in place]
    alone, mine = [[quote] for quote in mine if quote.offer.is_by_nodes], [quote for quote in mine if not quote.offer.is_by_nodes]
    suppliers = sorted({quote.offer.capability_id for quote in mine})
    attempts = alone + [
        sorted((quote for quote in mine if quote.offer.capability_id == supplier), key=lambda quote: place[quote.right_id])
        for supplier in suppliers
    ]
    called = [quote for quote in mine if not quote.offer.own_us]
    if envelope.workload in DIVISIBLE and len({quote.offer.capability_id for quote in called}) > 1:
        attempts.append(sorted(called, key=lambda quote: (bool(quote.fallbacks), place[quote.right_id], -quote.score, quote.pair)))
    return attempts


def _preference(found: Sequence[Quote], place: Mapping[str, int]) -> tuple[bool, list[int], int, int, list[Pair]]:
    """Undegraded before degraded, the first right before the next, fewer routes before more, then by score."""
    weighted = sum(quote.score * quote.units for quote in found) // sum(quote.units for quote in found)
    rights = sorted({place[quote.right_id] for quote in found})
    return any(quote.fallbacks for quote in found), rights, len(found), -weighted, [quote.pair for quote in found]


def _filled(envelope: Envelope, rooms: Mapping[str, int], drawn: Sequence[Quote]) -> list[Quote]:
    """Draw in this order until nothing is missing; [] when something still is. No payer spends more than he has."""
    left, rights = envelope.expected_units, dict(rooms)
    capacity = {quote.offer.capability_id: quote.offer.capacity_units for quote in drawn}
    cash = {quote.payer.account_id: quote.payer.free_minor for quote in drawn if quote.payer is not None}
    found = []
    for quote in drawn:
        posted = capacity[quote.offer.capability_id]
        units = min(left, rights[quote.right_id], left if posted is None else posted)
        cost = quote.offer.cost_minor(units) if quote.payer is not None else 0
        if units <= 0 or (quote.payer is not None and cost > cash[quote.payer.account_id]):
            continue
        left -= units
        rights[quote.right_id] -= units
        capacity[quote.offer.capability_id] = None if posted is None else posted - units
        if quote.payer is not None:
            cash[quote.payer.account_id] -= cost
        found.append(msgspec.structs.replace(quote, units=units, escrow_minor=cost, is_chosen=True))
    return [] if left else found


def _overflow_early(
    envelope: Envelope, claims: Sequence[Claim], rooms: Mapping[str, int], quotes: Sequence[Quote], taken: Sequence[Quote]
) -> Reason | None:
    """Why the caller's own choice may not be: it draws on a tranche's overflow where the baseline could give more."""
    baseline = {claim.right_id for claim in claims if claim.tier == "baseline"}
    if not taken or not baseline or all(quote.right_id in baseline for quote in taken):
        return None
    could = sum(quote.units for quote in _chosen(envelope, [c.right_id for c in claims], rooms, quotes, None) if quote.right_id in baseline)
    drawn = sum(quote.units for quote in taken if quote.right_id in baseline)
    words = f"a tranche's baseline comes before its overflow: {could} units of it may be used, the routes take {drawn}"
    return Reason("baseline_first", words) if could > drawn else None


def _why_not(
    envelope: Envelope, order: Sequence[str], rooms: Mapping[str, int], quotes: Sequence[Quote], only: Sequence[Pair] | None
) -> Reason:
    """Why what may be used does not make up the request."""
    if not quotes:
        return Reason("no_supplier", f"nobody offers {envelope.workload}", temporary=True)
    able = {right: room for right, room in rooms.items() if any(quote.right_id == right for quote in quotes)}
    asked = envelope.expected_units
    if sum(able.values()) < asked:
        return Reason("units_short", f"{asked} units asked, the rights together may give {sum(able.values())} to one request now")
    if only is not None:
        is_divided = _is_divided(envelope, _named(envelope, rooms, quotes, only))
        return _ALONE if is_divided else Reason("routes_short", "the routes that were chosen do not make up the request now")
    unpaid = [msgspec.structs.replace(quote, payer=None) for quote in quotes]
    if _chosen(envelope, order, rooms, unpaid, None):
        return Reason("issuer_cash", "the rights' issuer has too little free cash to pay for all of it", temporary=True)
    if not envelope.spill_over and max(able.values()) < asked:
        return Reason("no_single_right", "no right alone may give that many units, and the request lets it not spill over")
    return _ALONE


def _may_wait(claims: Sequence[Claim], refusals: Sequence[Refused]) -> bool:
    """Whether some right lets the request wait, and nothing but what passes stands in its way for that right."""
    for claim in claims:
        if "defer_within_window" not in (claim.effective.policy.fallbacks or frozenset()):
            continue
        about = [refused for refused in refusals if refused.right_id == claim.right_id]
        of_all = [refused for refused in about if refused.supplier is None]
        suppliers = {refused.supplier for refused in about if refused.supplier is not None}
        lasting = {refused.supplier for refused in about if refused.supplier is not None and not refused.reason.temporary}
        if all(refused.reason.temporary for refused in of_all) and (of_all or suppliers - lasting):
            return True
    return False
