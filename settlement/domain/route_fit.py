"""Whether what a supplier offers may serve a right, and as what (SPEC §8): each misfit is named, each degradation too. Pure."""

from collections.abc import Iterator, Sequence

import msgspec

from rights.domain.capability import MODES_OF_PRIVACY, QUALITY_ORDER, lies_in, serves_latency, serves_quality
from rights.domain.effective_policy import QUALITY, Policy
from settlement.domain.claims import Claim, Offer, Reason, is_own
from settlement.domain.record import WHOLE_BPS

STEP_LOSS_BPS = 250  # what a band lower counts as, within what the right allows


class Fit(msgspec.Struct, frozen=True):
    """`fallbacks`: the degradations it would be; `refusals`: why it may not serve, none when it may."""

    fallbacks: tuple[str, ...]
    quality_loss_bps: int
    refusals: tuple[Reason, ...]


def dearest_own(claim: Claim, offers: Sequence[Offer]) -> Offer | None:
    """The dearest of what the right's own suppliers offer: nobody who takes their place may cost its issuer more."""
    own = [offer for offer in offers if is_own(claim, offer)]
    best: Offer | None = None
    for offer in own:
        if best is None or offer.tariff_minor * best.tariff_units > best.tariff_minor * offer.tariff_units:
            best = offer
    return best


def fit(claim: Claim, offer: Offer, *, dearest: Offer | None, is_late: bool, now_us: int) -> Fit:
    """What this supplier would be for this right. `is_late`: the request was put off before."""
    policy = claim.effective.policy
    kinds = _degradations(claim, offer, is_late=is_late)
    refusals = [*_by_state(offer, now_us), *_by_policy(claim, offer, policy)]
    allowed = policy.fallbacks or frozenset()
    refusals += [Reason(f"no_{kind}", detail) for kind, detail in kinds.items() if kind not in allowed]
    if "substitute_providers" in kinds and (dearest is None or _is_dearer(offer, dearest)):
        refusals.append(Reason("tariff_above_own", "in the place of the right's own suppliers it may not cost more than they do"))
    return Fit(tuple(sorted(kinds)), _loss_bps(claim, offer, policy) if QUALITY in kinds else 0, tuple(refusals))


def _degradations(claim: Claim, offer: Offer, *, is_late: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    if not is_own(claim, offer):
        found["substitute_providers"] = f"{offer.supplier} stands neither behind the right nor in its terms"
    if not serves_latency(offer.latency_band, claim.latency_class):
        found["downgrade_latency_class"] = f"{offer.latency_band} is slower than {claim.latency_class}"
    if not serves_quality(offer.quality_band, claim.quality_band) and "deterministic" not in (offer.quality_band, claim.quality_band):
        found[QUALITY] = f"quality {offer.quality_band} is below {claim.quality_band}"
    if is_late:
        found["defer_within_window"] = "the request was put off"
    return found


def _by_state(offer: Offer, now_us: int) -> Iterator[Reason]:
    if not offer.is_active:
        yield Reason("supplier_suspended", f"{offer.supplier} is suspended")
    if not offer.endpoint:
        yield Reason("endpoint_missing", f"{offer.supplier} has named no endpoint for it")
    elif offer.endpoint != "active":
        yield Reason("endpoint_paused", f"the endpoint of {offer.supplier} is paused", temporary=True)
    if offer.opened_until_us is not None and offer.opened_until_us > now_us:
        yield Reason(
            "breaker_open", f"{offer.supplier} failed {offer.failures} times in a row and is left alone for a while", temporary=True
        )
    if offer.capacity_units is not None and offer.capacity_units <= 0:
        yield Reason("capacity_taken", f"all the capacity that {offer.supplier} posted is at work", temporary=True)


def _by_policy(claim: Claim, offer: Offer, policy: Policy) -> Iterator[Reason]:
    if offer.unit != claim.unit:
        yield Reason("unit_mismatch", f"{offer.supplier} counts {offer.unit}, the right {claim.unit}")
    if policy.privacy is not None and offer.privacy_mode not in MODES_OF_PRIVACY[policy.privacy]:
        modes = ", ".join(MODES_OF_PRIVACY[policy.privacy])
        yield Reason("privacy_mode", f"{policy.privacy} work may run {modes}; not {offer.privacy_mode}")
    if policy.jurisdictions is not None and not lies_in(offer.region, sorted(policy.jurisdictions)):
        yield Reason(
            "region_outside", f"{offer.region} lies outside {', '.join(sorted(policy.jurisdictions)) or 'every place that is left'}"
        )
    if offer.supplier in policy.denied_providers or (policy.providers is not None and offer.supplier not in policy.providers):
        yield Reason("supplier_kept_out", f"right or request keeps {offer.supplier} out")
    promised = claim.tags if is_own(claim, offer) else frozenset[str]()
    missing = sorted(policy.tags - promised - offer.constraints)
    if missing:
        yield Reason("tags_missing", f"{offer.supplier} does not say {', '.join(missing)}")
    if policy.slowest is not None and not serves_latency(offer.latency_band, policy.slowest):
        yield Reason("latency_too_slow", f"{offer.latency_band} is slower than {policy.slowest}")
    if policy.min_full_rate_bps is not None:
        yield from _by_record(offer, policy.min_full_rate_bps)
    if policy.lowest_quality is not None and not serves_quality(offer.quality_band, policy.lowest_quality):
        yield Reason("quality_too_low", f"quality {offer.quality_band} does not serve {policy.lowest_quality}")


def _by_record(offer: Offer, least_bps: int) -> Iterator[Reason]:
    whole_bps = offer.delivered * WHOLE_BPS // offer.asked if offer.asked else None
    if whole_bps is None:
        yield Reason("supplier_record", f"{offer.supplier} has no record, {least_bps} of 10,000 requests are to have come out whole")
    elif whole_bps < least_bps:
        told = f"of the last {offer.asked} requests of {offer.supplier} {whole_bps} of 10,000 came out whole, {least_bps} are asked for"
        yield Reason("supplier_record", told)


def _is_dearer(offer: Offer, other: Offer) -> bool:
    return offer.currency != other.currency or offer.tariff_minor * other.tariff_units > other.tariff_minor * offer.tariff_units


def _loss_bps(claim: Claim, offer: Offer, policy: Policy) -> int:
    steps = QUALITY_ORDER.index(claim.quality_band) - QUALITY_ORDER.index(offer.quality_band)
    most = policy.max_quality_loss_bps
    return steps * STEP_LOSS_BPS if most is None else min(steps * STEP_LOSS_BPS, most)
