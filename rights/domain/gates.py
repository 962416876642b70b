"""The transfer gate (SPEC §4): the one function every change of holder passes, and passes again at the fill.

It answers with every reason at once. Codes are stable; `detail` says in words what stands in the way and what would
lift it. The batch asks `transfer_refusals` once per right and `taker_refusals` once per (policy, holder).
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import orjson

from rights.domain.gate_rules import (
    CODES,
    LIFTED_BY,
    NO_PERMITS,
    NOBODY,
    RIGHT_RULES,
    TAKER_RULES,
    UNTAKEN_RULES,
    Case,
    Grants,
    HolderFacts,
    LineageCounts,
    Permits,
    Reception,
    RightFacts,
    Verdict,
    refusal,
    status_refusal,
)
from rights.domain.transfer_policy import TransferPolicy, policy_document, read_policy, strictest

__all__ = [
    "CODES",
    "LIFTED_BY",
    "NOBODY",
    "NO_PERMITS",
    "Grants",
    "HolderFacts",
    "LineageCounts",
    "Permits",
    "Receiver",
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
    permits: Permits = NO_PERMITS,
) -> list[Verdict]:
    """What every rule says of moving `units` of `right` from giver to taker; without a taker his rules are not asked."""
    case = Case(right, _compiled(policy), units, giver, now_us, venue, permits)
    verdicts = [status_refusal(case) or Verdict("right_status", True, f"status {right.status}")]
    for code, rule, fine in RIGHT_RULES if taker is not None else (*RIGHT_RULES, *UNTAKEN_RULES):
        words = rule(case)
        verdicts.append(Verdict(code, True, fine) if words is None else refusal(code, words))
    if taker is not None:
        reception = Reception(case.policy, taker, units, counts, permits)
        for code, taker_rule, fine in TAKER_RULES:
            words = taker_rule(reception)
            verdicts.append(Verdict(code, True, fine) if words is None else refusal(code, words))
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
    permits: Permits = NO_PERMITS,
) -> list[Verdict]:
    """The failed verdicts of `transfer_verdicts`: empty when the transfer is allowed."""
    case = Case(right, _compiled(policy), units, giver, now_us, venue, permits)
    status = status_refusal(case)
    refusals = [] if status is None else [status]
    for code, rule, _ in RIGHT_RULES if taker is not None else (*RIGHT_RULES, *UNTAKEN_RULES):
        words = rule(case)
        if words is not None:
            refusals.append(refusal(code, words))
    if taker is not None:
        refusals += taker_refusals(case.policy, taker, units=units, counts=counts, permits=permits)
    return refusals


def taker_refusals(
    policy: _Policy, taker: HolderFacts, *, units: int = 0, counts: LineageCounts | None = None, permits: Permits = NO_PERMITS
) -> list[Verdict]:
    """Only the rules about who may receive. Without `counts`, a policy that counts holders refuses everybody."""
    reception = Reception(_compiled(policy), taker, units, counts, permits)
    refusals = []
    for code, rule, _ in TAKER_RULES:
        words = rule(reception)
        if words is not None:
            refusals.append(refusal(code, words))
    return refusals


class Receiver(msgspec.Struct, frozen=True, gc=False):
    """Who may receive a right: its policy, and the lineage, terms and issuer that consents and counts are about."""

    policy: TransferPolicy
    issuer: str = ""
    root: str = ""
    terms_hash: str = ""


_RECEIVER_FIELDS = (
    "eligible_holder_types",
    "eligible_jurisdictions",
    "required_attestations",
    "denied_holders",
    "max_holders",
    "max_units_per_holder",
    "requires_issuer_consent",
    "requires_registry_acknowledgment",
)
_ANYBODY = {field: value for field, value in policy_document(TransferPolicy()).items() if field in _RECEIVER_FIELDS}


def restriction_key(receivers: Iterable[Receiver]) -> int:
    """0 when anybody may receive; otherwise a 60-bit number of the combined receiver rules, the same everywhere.

    Where consents or counts decide, it also names what they are about: two lineages under the same rules are two keys.
    """
    given = list(receivers)
    document = policy_document(strictest([receiver.policy for receiver in given]))
    rules = {field: document[field] for field in _RECEIVER_FIELDS}
    if rules == _ANYBODY:
        return 0
    scopes = sorted({(r.issuer, r.root, r.terms_hash) for r in given if r.policy.looks_up})
    digest = hashlib.sha256(orjson.dumps([rules, scopes], option=orjson.OPT_SORT_KEYS)).digest()
    return int.from_bytes(digest[:8], "big") >> 4 or 1


def transferable_until_us(policy: _Policy, window_end_us: int) -> int:
    """The moment from which the cut-off refuses every transfer."""
    return window_end_us - _compiled(policy).transfer_cutoff_s * 1_000_000
