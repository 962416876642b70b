"""What an outcome does to the lock of every route of a request (SPEC §9), and how events tell it."""

from collections.abc import Mapping, Sequence

import msgspec

from rights.services.use_locked import Take
from settlement.domain import settlement_events as told
from settlement.domain.consequences import Lock, Part, Share, charged_units, share_of
from settlement.domain.receipt_body import LegTold, Told
from settlement.domain.settlement_states import Outcome
from settlement.models import Settlement
from settlement.services.case import Case, LockedRoute
from settlement.services.compensation import custom_minor


class Slice(msgspec.Struct, frozen=True):
    """A route with what becomes of its lock."""

    route: LockedRoute
    share: Share
    leg: LegTold | None


def slices_of(case: Case, receipt: Told, outcome: Outcome) -> list[Slice]:
    """What an outcome does to every route's lock."""
    legs = {leg.route_id: leg for leg in receipt.legs}
    manifests = case.manifests()
    found = []
    for route, units in zip(case.routes, _charged(case, legs, outcome), strict=True):
        leg = legs.get(route.id)
        policy = manifests[route.id].document["settlement_policy"]["refund_policy"]
        loss = 0 if leg is None else leg.quality_loss_bps
        lock = Lock(route.units, route.escrow_minor, policy)
        own = custom_minor(case=case, route=route, leg=leg) if policy == "custom" and outcome is Outcome.FALLBACK else None
        share = share_of(outcome=outcome, lock=lock, units=units, quality_loss_bps=loss, custom_minor=own)
        found.append(Slice(route, share, leg))
    return found


def _charged(case: Case, legs: Mapping[str, LegTold], outcome: Outcome) -> list[int]:
    """What every route is charged, as the request's budget says. One of which nothing was told has done nothing."""
    parts = []
    for route in case.routes:
        leg = legs.get(route.id)
        parts.append(Part(route.units, 0, is_broken=True) if leg is None else Part(route.units, leg.delivered_units, bool(leg.error)))
    return charged_units(outcome=outcome, budget=case.budget, quoted_units=case.expected_units, parts=parts)


def takes_of(slices: Sequence[Slice]) -> list[Take]:
    """What becomes of the locks that routes hold."""
    return [Take(each.route.right_id, each.route.public_id, each.route.units, each.share.used, each.route.locked_us) for each in slices]


def shares_told(slices: Sequence[Slice], state: str) -> list[told.ShareTold]:
    """The slices as events tell them; `state` is what their routes have become."""
    return [
        told.ShareTold(
            each.route.id,
            each.route.right_id,
            state,
            each.route.units,
            each.share.used,
            each.share.payout_minor,
            each.share.compensation_minor,
            each.share.release_minor,
        )
        for each in slices
    ]


def weigh(settlement: Settlement, slices: Sequence[Slice]) -> None:
    """The settlement's amounts: the sums of its slices."""
    settlement.units = sum(each.share.used for each in slices)
    settlement.payout_minor = sum(each.share.payout_minor for each in slices)
    settlement.compensation_minor = sum(each.share.compensation_minor for each in slices)
    settlement.release_minor = sum(each.share.release_minor for each in slices)
