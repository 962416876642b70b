"""The transfer gate (SPEC §4): the one function every change of holder passes, and passes again at the fill.

It answers with every reason at once. Codes are stable; `detail` says in words what stands in the way and what would
lift it. The batch asks `transfer_refusals` once per right and `taker_refusals` once per (policy, holder).
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from rights.domain.gate_rules import (
    CODES,
    RIGHT_RULES,
    TAKER_RULES,
    Case,
    HolderFacts,
    LineageCounts,
    Reception,
    RightFacts,
    Verdict,
    status_refusal,
)
from rights.domain.transfer_policy import TransferPolicy, policy_document, read_policy, strictest

__all__ = [
    "CODES",
    "HolderFacts",
    "LineageCounts",
    "RightFacts",
    "Verdict",
    "restriction_key",
    "taker_refusals",
    "transfer_refusals",
    "transfer_verdicts",
    "transferable_until_us",
]

VENUE = "synthference"

_Policy = Mapping[str, Any] | TransferPolicy


def _compiled(policy: _Policy) -> TransferPolicy:
    return policy if isinstance(policy, TransferPolicy) else read_policy(policy)


def transfer_verdicts(
    *,
    right: RightFacts,
    policy: _Policy,
    units: int,
    giver: HolderFacts,
    taker: HolderFacts | None,
    now_us: int,
    venue: str = VENUE,
    counts: LineageCounts | None = None,
) -> list[Verdict]:
    """What every rule says of moving `units` of `right` from giver to taker; without a taker his rules are not asked."""
    case = Case(right, _compiled(policy), units, giver, now_us, venue)
    verdicts = [status_refusal(case) or Verdict("right_status", True, f"status {right.status}")]
    for code, rule, fine in RIGHT_RULES:
        words = rule(case)
        verdicts.append(Verdict(code, words is None, fine if words is None else words))
    if taker is not None:
        reception = Reception(case.policy, taker, units, counts)
        for code, taker_rule, fine in TAKER_RULES:
            words = taker_rule(reception)
            verdicts.append(Verdict(code, words is None, fine if words is None else words))
    return verdicts


def transfer_refusals(
    *,
    right: RightFacts,
    policy: _Policy,
    units: int,
    giver: HolderFacts,
    taker: HolderFacts | None,
    now_us: int,
    venue: str = VENUE,
    counts: LineageCounts | None = None,
) -> list[Verdict]:
    """The failed verdicts of `transfer_verdicts`: empty when the transfer is allowed."""
    case = Case(right, _compiled(policy), units, giver, now_us, venue)
    status = status_refusal(case)
    refusals = [] if status is None else [status]
    for code, rule, _ in RIGHT_RULES:
        words = rule(case)
        if words is not None:
            refusals.append(Verdict(code, False, words))
    if taker is not None:
        refusals += taker_refusals(case.policy, taker, units=units, counts=counts)
    return refusals


def taker_refusals(policy: _Policy, taker: HolderFacts, *, units: int = 0, counts: LineageCounts | None = None) -> list[Verdict]:
    """Only the rules about who may receive. Without `counts`, a policy that counts holders refuses everybody."""
    reception = Reception(_compiled(policy), taker, units, counts)
    refusals = []
    for code, rule, _ in TAKER_RULES:
        words = rule(reception)
        if words is not None:
            refusals.append(Verdict(code, False, words))
    return refusals


_RECEIVER_FIELDS = (
    "eligible_holder_types",
    "eligible_jurisdictions",
    "required_attestations",
    "denied_holders",
    "max_holders",
    "max_units_per_holder",
)
_ANYBODY = {field: value for field, value in policy_document(TransferPolicy()).items() if field in _RECEIVER_FIELDS}


def restriction_key(policies: Iterable[_Policy]) -> int:
    """0 when anybody may receive; otherwise a 60-bit number of the combined receiver rules, the same everywhere."""
    document = policy_document(strictest(policies))
    rules = {field: document[field] for field in _RECEIVER_FIELDS}
    if rules == _ANYBODY:
        return 0
    digest = hashlib.sha256(orjson.dumps(rules, option=orjson.OPT_SORT_KEYS)).digest()
    return int.from_bytes(digest[:8], "big") >> 4 or 1


def transferable_until_us(policy: _Policy, window_end_us: int) -> int:
    """The moment from which the cut-off refuses every transfer."""
    return window_end_us - _compiled(policy).transfer_cutoff_s * 1_000_000
