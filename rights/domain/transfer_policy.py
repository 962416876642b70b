"""A transfer policy (SPEC §4) ready to be asked, and the strictest of several."""

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any

import msgspec

from rights.domain.moment import parse_us, text_of


class TransferPolicy(msgspec.Struct, frozen=True, gc=False):
    """The manifest's `transfer_policy` in numbers. Sets of None admit anybody; limits of None don't limit."""

    transferable: bool = True
    splittable: bool = True
    delegable: bool = True
    pre_activation_transfer: bool = False
    requires_issuer_consent: bool = False
    requires_registry_acknowledgment: bool = False
    eligible_holder_types: frozenset[str] | None = None
    eligible_jurisdictions: frozenset[str] | None = None
    required_attestations: frozenset[str] = frozenset()
    denied_holders: frozenset[str] = frozenset()
    lockup_until_us: int = 0
    min_hold_s: int = 0
    transfer_cutoff_s: int = 0
    min_transfer_units: int = 1
    max_holders: int | None = None
    max_units_per_holder: int | None = None
    venue_allow: frozenset[str] | None = None
    venue_deny: frozenset[str] = frozenset()

    @property
    def counts_holders(self) -> bool:
        """Whether judging a taker needs to know who holds how much of the lineage."""
        return self.max_holders is not None or self.max_units_per_holder is not None

    @property
    def needs_permits(self) -> bool:
        """Whether a consent or an acknowledgment has to stand."""
        return self.requires_issuer_consent or self.requires_registry_acknowledgment

    @property
    def looks_up(self) -> bool:
        """Whether judging a taker needs what stands about this very lineage: consents, acknowledgments, counts."""
        return self.counts_holders or self.needs_permits

    @property
    def asks_credentials(self) -> bool:
        """Whether judging a taker needs what has been attested of him."""
        return bool(self.required_attestations) or self.eligible_jurisdictions is not None

    @property
    def joins(self) -> bool:
        """Whether what is delivered under it may join what the receiver has: not where that would bind earlier units for longer."""
        return not self.min_hold_s

    @property
    def restricts(self) -> bool:
        """Whether there is anybody who may not receive."""
        return self.looks_up or self.asks_credentials or self.eligible_holder_types is not None or bool(self.denied_holders)


def _members(value: Any) -> frozenset[str] | None:
    return None if value is None or value == "any" else frozenset(value)


def _limit(value: str | None) -> int | None:
    return None if value is None else int(value)


def read_policy(policy: Mapping[str, Any]) -> TransferPolicy:
    """The policy of a manifest (or of `strictest`); absent fields have the defaults of the manifest schema."""
    get = policy.get
    lockup = get("lockup_until")
    return TransferPolicy(
        transferable=get("transferable", True),
        splittable=get("splittable", True),
        delegable=get("delegable", True),
        pre_activation_transfer=get("pre_activation_transfer", False),
        requires_issuer_consent=get("requires_issuer_consent", False),
        requires_registry_acknowledgment=get("requires_registry_acknowledgment", False),
        eligible_holder_types=_members(get("eligible_holder_types")),
        eligible_jurisdictions=_members(get("eligible_jurisdictions")),
        required_attestations=frozenset(get("required_attestations", ())),
        denied_holders=frozenset(get("denied_holders", ())),
        lockup_until_us=0 if lockup is None else parse_us(lockup),
        min_hold_s=get("min_hold_seconds", 0),
        transfer_cutoff_s=get("transfer_cutoff_seconds", 0),
        min_transfer_units=int(get("min_transfer_units", 1)),
        max_holders=get("max_holders"),
        max_units_per_holder=_limit(get("max_units_per_holder")),
        venue_allow=_members(get("venue_allow")),
        venue_deny=frozenset(get("venue_deny", ())),
    )


def _both(a: frozenset[str] | None, b: frozenset[str] | None) -> frozenset[str] | None:
    if a is None or b is None:
        return b if a is None else a
    return a & b


def _least(a: int | None, b: int | None) -> int | None:
    if a is None or b is None:
        return b if a is None else a
    return min(a, b)


def _stricter(a: TransferPolicy, b: TransferPolicy) -> TransferPolicy:
    return TransferPolicy(
        transferable=a.transferable and b.transferable,
        splittable=a.splittable and b.splittable,
        delegable=a.delegable and b.delegable,
        pre_activation_transfer=a.pre_activation_transfer and b.pre_activation_transfer,
        requires_issuer_consent=a.requires_issuer_consent or b.requires_issuer_consent,
        requires_registry_acknowledgment=a.requires_registry_acknowledgment or b.requires_registry_acknowledgment,
        eligible_holder_types=_both(a.eligible_holder_types, b.eligible_holder_types),
        eligible_jurisdictions=_both(a.eligible_jurisdictions, b.eligible_jurisdictions),
        required_attestations=a.required_attestations | b.required_attestations,
        denied_holders=a.denied_holders | b.denied_holders,
        lockup_until_us=max(a.lockup_until_us, b.lockup_until_us),
        min_hold_s=max(a.min_hold_s, b.min_hold_s),
        transfer_cutoff_s=max(a.transfer_cutoff_s, b.transfer_cutoff_s),
        min_transfer_units=max(a.min_transfer_units, b.min_transfer_units),
        max_holders=_least(a.max_holders, b.max_holders),
        max_units_per_holder=_least(a.max_units_per_holder, b.max_units_per_holder),
        venue_allow=_both(a.venue_allow, b.venue_allow),
        venue_deny=a.venue_deny | b.venue_deny,
    )


def strictest(policies: Iterable[Mapping[str, Any] | TransferPolicy]) -> TransferPolicy:
    """What satisfies every one of `policies`: the policy of a lineage, or of an ask that reserves several rights."""
    compiled = [policy if isinstance(policy, TransferPolicy) else read_policy(policy) for policy in policies]
    return reduce(_stricter, compiled) if compiled else TransferPolicy()


def _listed(members: frozenset[str] | None) -> list[str] | str:
    return "any" if members is None else sorted(members)


def policy_document(policy: TransferPolicy) -> dict[str, Any]:
    """The policy as a manifest writes it, every field filled in. An empty `eligible_…` list admits nobody."""
    return {
        "transferable": policy.transferable,
        "splittable": policy.splittable,
        "delegable": policy.delegable,
        "pre_activation_transfer": policy.pre_activation_transfer,
        "requires_issuer_consent": policy.requires_issuer_consent,
        "requires_registry_acknowledgment": policy.requires_registry_acknowledgment,
        "eligible_holder_types": _listed(policy.eligible_holder_types),
        "eligible_jurisdictions": _listed(policy.eligible_jurisdictions),
        "required_attestations": sorted(policy.required_attestations),
        "denied_holders": sorted(policy.denied_holders),
        "lockup_until": text_of(policy.lockup_until_us) if policy.lockup_until_us else None,
        "min_hold_seconds": policy.min_hold_s,
        "transfer_cutoff_seconds": policy.transfer_cutoff_s,
        "min_transfer_units": str(policy.min_transfer_units),
        "max_holders": policy.max_holders,
        "max_units_per_holder": None if policy.max_units_per_holder is None else str(policy.max_units_per_holder),
        "venue_allow": _listed(policy.venue_allow),
        "venue_deny": sorted(policy.venue_deny),
    }
