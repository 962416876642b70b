"""When one class is at least as good as another (SPEC §3): an order per dimension, and nothing that trades one against another.

A right may be delivered in the place of another one when no dimension of it is worse and its window covers the other's. Words are
from the right's side: `better` means that the right promises its holder more than was asked for. Each order is reflexive, transitive
and antisymmetric up to equality; where holders would not all agree what is better, unequal is `incomparable`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from rights.domain.capability import LATENCY_BANDS, QUALITY_ORDER
from rights.domain.moment import parse_us
from rights.domain.window import WindowFacts


class Relation(StrEnum):
    """How a right's value stands to the one that is asked for."""

    EQUAL = "equal"
    BETTER = "better"
    WORSE = "worse"
    INCOMPARABLE = "incomparable"


_R = Relation
Compare = Callable[[Any, Any], Relation]


class Rule(msgspec.Struct, frozen=True):
    """The order of one dimension, and in words what is better."""

    words: str
    compare: Compare


def _by(is_at_least: Callable[[Any, Any], bool]) -> Compare:
    """The relation that "at least as good as" makes."""

    def compare(own: Any, other: Any) -> Relation:
        upward, downward = is_at_least(own, other), is_at_least(other, own)
        if upward and downward:
            return _R.EQUAL
        return _R.BETTER if upward else _R.WORSE if downward else _R.INCOMPARABLE

    return compare


def _ranked(best_first: Sequence[object]) -> Compare:
    """Along a list; what is not on it is comparable with itself only."""

    def is_at_least(own: Any, other: Any) -> bool:
        return own == other or (own in best_first and other in best_first and best_first.index(own) < best_first.index(other))

    return _by(is_at_least)


def _holds(own: Collection[str] | str, other: Collection[str] | str) -> bool:
    """Whether every member of `other` is one of `own`; `any` has every member."""
    return own == "any" or (other != "any" and set(other) <= set(own))


def _not_tighter(own: str | int | None, other: str | int | None) -> bool:
    """Limits, in units as digits or in counts; none does not limit."""
    return own is None or (other is not None and int(own) >= int(other))


def _above_nothing(own: Any, other: Any) -> bool:
    return own == other or other in {"none", "burn"}


ALIKE = Rule("has to be the same", _by(lambda own, other: own == other))
_MORE = Rule("what includes all that is asked for, and more, is better", _by(_holds))
_WITHIN = Rule("what lies within what is allowed is better", _by(lambda own, other: _holds(other, own)))
_REFUSED = Rule("not to accept this degradation is better", _ranked((False, True)))
_LESS = Rule("less is better", _by(lambda own, other: own <= other))
_HIGHER = Rule("a higher limit is better; none is best", _by(_not_tighter))

# Every dimension of a class has a rule (rights/domain/fungibility.py; a test compares).
RULES: Mapping[str, Rule] = {
    "fallback_policy.allow_fallback": _REFUSED,
    "fallback_policy.defer_within_window": _REFUSED,
    "fallback_policy.downgrade_latency_class": _REFUSED,
    "fallback_policy.downgrade_priority": _REFUSED,
    "fallback_policy.downgrade_quality_to": Rule(
        "a higher floor is better; no downgrade is best", _ranked((None, *reversed(QUALITY_ORDER)))
    ),
    "fallback_policy.max_latency_expansion_bps": _LESS,
    "fallback_policy.max_quality_loss_bps": _LESS,
    "fallback_policy.substitute_model_class": _REFUSED,
    "fallback_policy.substitute_providers": _REFUSED,
    "issuer.tier": Rule("a smaller number is the better tier", _by(lambda own, other: own <= other)),
    "limits.max_burst": _HIGHER,
    "limits.max_concurrent": _HIGHER,
    "limits.max_per_request": _HIGHER,
    "limits.partial_fill_allowed": ALIKE,
    "limits.rate_limit_per_minute": _HIGHER,
    "resource.capability_tags": _MORE,
    "resource.model_class": _MORE,
    "resource.type": ALIKE,
    "resource.unit": ALIKE,
    "service.jurisdiction": _WITHIN,
    "service.latency_class": Rule("faster is better", _ranked(LATENCY_BANDS)),
    "service.priority": Rule("a higher priority is better", _ranked(("premium", "standard", "background"))),
    "service.privacy_class": Rule("stricter is better", _ranked(("local-only", "confidential", "private", "public"))),
    "service.provider_constraints.allow": _WITHIN,
    "service.provider_constraints.deny": _MORE,
    "service.quality_band": Rule("a higher band is better; deterministic stands apart", _ranked(tuple(reversed(QUALITY_ORDER)))),
    "settlement_policy.dispute_window_seconds": Rule("a longer time to dispute is better", _by(lambda own, other: own >= other)),
    "settlement_policy.expiry_policy": Rule("roll or reissue is better than burn; of the two neither", _by(_above_nothing)),
    "settlement_policy.proof_profile": Rule("a stricter proof is better", _ranked(("strict", "standard", "basic"))),
    "settlement_policy.refund_policy": Rule("any refund is better than none; of two kinds neither", _by(_above_nothing)),
}
WINDOW_RULES: Mapping[str, str] = {
    "window.start": "not later is better; epochs are counted from it, so with them it has to be the same",
    "window.end": "not earlier is better; an epoch's allowance follows from it, so with them it has to be the same",
    "window.mode": "has to be the same",
    "window.period_s": "a longer rolling window is better; epochs have to be the same",
}


def relation(field: str, own: Any, other: Any) -> Relation:
    """How the right's value of a dimension stands to the class's; a dimension without a rule has to be the same."""
    return RULES.get(field, ALIKE).compare(own, other)


def class_relations(own: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Relation]:
    """Every dimension that one of the two has; one that the other lacks is incomparable."""
    return {
        field: relation(field, own[field], other[field]) if field in own and field in other else _R.INCOMPARABLE
        for field in sorted(own.keys() | other.keys())
    }


def window_relations(own: WindowFacts, other: WindowFacts) -> dict[str, Relation]:
    """The parts of a window: what covers the other one is better."""
    alike, least, most = ALIKE.compare, _LESS.compare, _by(lambda one, two: one >= two)
    by_epochs = "epoch" in {own.mode, other.mode}
    return {
        "window.start": (alike if by_epochs else least)(parse_us(own.start), parse_us(other.start)),
        "window.end": (alike if by_epochs else most)(parse_us(own.end), parse_us(other.end)),
        "window.mode": alike(own.mode, other.mode),
        "window.period_s": (alike if by_epochs or own.mode != other.mode else most)(own.period_s, other.period_s),
    }


def overall(relations: Iterable[Relation]) -> Relation:
    """The relation of two wholes, part by part: better is better somewhere and worse nowhere."""
    found = set(relations) - {_R.EQUAL}
    return _R.EQUAL if not found else found.pop() if len(found) == 1 else _R.INCOMPARABLE


def dominates(*, own_dims: Mapping[str, Any], own_window: WindowFacts, dims: Mapping[str, Any], window: WindowFacts) -> bool:
    """Whether rights of the one class and window may be delivered in the place of the other's."""
    relations = [*class_relations(own_dims, dims).values(), *window_relations(own_window, window).values()]
    return overall(relations) in {_R.EQUAL, _R.BETTER}
