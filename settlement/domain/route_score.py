"""How good a route is, of 10,000, and why (SPEC §8): the points of the reasons add up to the score. Pure, whole numbers only.

Six tenths are what the request prefers (cost, latency, privacy, quality by its weights, or by the right's hints), four tenths how surely it
delivers. Degradations cost points; suppliers and regions that the right prefers gain some. Preferences only order what is allowed.
"""

from collections.abc import Mapping, Sequence

from rights.domain.capability import LATENCY_BANDS, PRIVACY_MODES, QUALITY_ORDER, lies_in
from settlement.domain.claims import Claim, Offer, Reason
from settlement.domain.envelope import PREFERENCES
from settlement.domain.money import money_text

WHOLE = 10_000
PREFERENCE_SHARE, DELIVERY_SHARE = 6_000, 4_000
FALLBACK_POINTS, PREFERRED_POINTS = -1_000, 300
PRIOR = 20  # requests that a supplier's measured reliability counts as, beside what it did here


def score_of(
    claim: Claim, offer: Offer, *, offers: Sequence[Offer], wanted: Mapping[str, int], fallbacks: Sequence[str], scale: int
) -> tuple[int, tuple[Reason, ...]]:
    """The score and its reasons. `offers`: those it is compared with, itself among them; `scale`: the decimals of their currency."""
    weights = {name: wanted.get(name, 0) for name in PREFERENCES} if wanted else {name: claim.weights.get(name, 0) for name in PREFERENCES}
    if not any(weights.values()):
        weights = dict.fromkeys(PREFERENCES, 1)
    parts = {
        "cost": (_cost(offer, offers), f"{money_text(offer.tariff_minor, scale)} {offer.currency} for {offer.tariff_units} {offer.unit}"),
        "latency": (_latency(offer, offers), _measured(offer)),
        "privacy": (_rank(offer.privacy_mode, PRIVACY_MODES), f"runs {offer.privacy_mode}"),
        "quality": (_quality(offer), f"quality {offer.quality_band}"),
    }
    total = sum(weights.values())
    reasons = [
        Reason(name, detail, part * weights[name] * PREFERENCE_SHARE // (total * WHOLE))
        for name, (part, detail) in parts.items()
        if weights[name]
    ]
    expected = expected_bps(offer)
    reasons.append(Reason("delivery", f"delivers {expected} of 10,000", expected * DELIVERY_SHARE // WHOLE))
    reasons += [Reason(kind, "a degradation that right and request allow", FALLBACK_POINTS) for kind in fallbacks]
    if offer.supplier in claim.preferred_suppliers:
        reasons.append(Reason("preferred_supplier", "the right prefers this supplier", PREFERRED_POINTS))
    if any(lies_in(offer.region, [region]) for region in claim.preferred_regions):
        reasons.append(Reason("preferred_region", "the right prefers this region", PREFERRED_POINTS))
    score = sum(reason.points for reason in reasons)
    if not 0 <= score <= WHOLE:
        bounded = min(max(score, 0), WHOLE)
        reasons.append(Reason("bounds", "a score is from 0 to 10,000", bounded - score))
        score = bounded
    return score, tuple(reasons)


def expected_bps(offer: Offer) -> int:
    """How many of 10,000 requests are expected whole: what was measured, or half of the way to its trust, moved by what it did here."""
    before = offer.trust_bps if offer.reliability_bps is None else (offer.reliability_bps * 3 + offer.trust_bps) // 4
    return (before * PRIOR + offer.delivered * WHOLE) // (PRIOR + offer.asked)


def _cost(offer: Offer, offers: Sequence[Offer]) -> int:
    """The cheapest has the whole; one that costs twice as much has half."""
    if offer.tariff_minor == 0:
        return WHOLE
    cheapest = min(
        (other for other in offers if other.currency == offer.currency), key=lambda other: other.tariff_minor * WHOLE // other.tariff_units
    )
    return WHOLE * cheapest.tariff_minor * offer.tariff_units // (cheapest.tariff_units * offer.tariff_minor)


def _latency(offer: Offer, offers: Sequence[Offer]) -> int:
    """What was measured, against the fastest; half of what its band says while nobody has measured."""
    if offer.latency_us is None:
        return _rank(offer.latency_band, LATENCY_BANDS) // 2
    fastest = min(other.latency_us for other in offers if other.latency_us is not None)
    return WHOLE * (fastest + 1) // (offer.latency_us + 1)


def _measured(offer: Offer) -> str:
    return f"{offer.latency_band}, not measured yet" if offer.latency_us is None else f"{spoken(offer.latency_us)} measured"


def spoken(took_us: int) -> str:
    """A time as a person reads it, to three digits, rounded down: "0.84 ms", "12.3 ms", "310 ms", "2.35 s"."""
    thousandths, unit = (took_us, "ms") if took_us < 1_000_000 else (took_us // 1000, "s")
    whole, part = divmod(thousandths, 1000)
    decimals = f"{part:03d}"[: max(0, 3 - len(str(whole)))].rstrip("0")
    return f"{whole}.{decimals} {unit}" if decimals else f"{whole} {unit}"


def _rank(word: str, best_first: Sequence[str]) -> int:
    return WHOLE - WHOLE * best_first.index(word) // len(best_first)


def _quality(offer: Offer) -> int:
    return WHOLE if offer.quality_band not in QUALITY_ORDER else WHOLE * (QUALITY_ORDER.index(offer.quality_band) + 1) // len(QUALITY_ORDER)
