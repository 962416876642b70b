"""The rules behind the transfer gate (SPEC §4), one function each; `gates.py` asks them.

A rule returns None when it passes, otherwise what stands in the way, in words; `refusal` adds what would lift it.
"""

from collections.abc import Callable

import msgspec

from rights.domain.moment import text_of
from rights.domain.transfer_policy import TransferPolicy


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What one rule says. A rule that passes has the code it would refuse with."""

    code: str
    passed: bool
    detail: str


class RightFacts(msgspec.Struct, frozen=True, gc=False):
    """A right as the gate sees it. `reserved_units` without what the asking order itself has reserved.

    `locked_units`: covered by an open dispute, a route lock or an attached slice. `window_end_us`: for a rolling
    window counted from activation, its end as it stands now.
    """

    id: str
    status: str
    freeze_reason: str
    remaining_units: int
    reserved_units: int
    window_end_us: int
    acquired_us: int
    activated: bool
    locked_units: int = 0


class HolderFacts(msgspec.Struct, frozen=True, gc=False):
    """A holder; `status` is `suspended` when the account or its participant is. `attestations` it holds today."""

    account_id: int
    public_id: str
    holder_type: str
    jurisdiction: str
    status: str
    attestations: frozenset[str] = frozenset()


class LineageCounts(msgspec.Struct, frozen=True, gc=False):
    """Who holds the root right's units now; only policies that count holders need it (`counts_holders`)."""

    holders: int
    taker_units: int
    giver_units: int


class Grants(msgspec.Struct, frozen=True, gc=False):
    """Whom consents (or acknowledgments) of a right cover now: everybody, or the accounts of `takers`."""

    everybody: bool = False
    takers: frozenset[int] = frozenset()

    @property
    def any(self) -> bool:
        """Whether there is a taker it could go to."""
        return self.everybody or bool(self.takers)

    def covers(self, account_id: int) -> bool:
        return self.everybody or account_id in self.takers


NOBODY = Grants()


class Permits(msgspec.Struct, frozen=True, gc=False):
    """What the issuer has consented to and the registry has acknowledged, for one right."""

    consent: Grants = NOBODY
    acknowledgment: Grants = NOBODY


NO_PERMITS = Permits()


class Case(msgspec.Struct, frozen=True, gc=False):
    """One question to the gate."""

    right: RightFacts
    policy: TransferPolicy
    units: int
    giver: HolderFacts
    now_us: int
    venue: str
    permits: Permits = NO_PERMITS


class Reception(msgspec.Struct, frozen=True, gc=False):
    """May this taker receive `units`?"""

    policy: TransferPolicy
    taker: HolderFacts
    units: int
    counts: LineageCounts | None
    permits: Permits = NO_PERMITS


_STATUS_CODES = {
    "issued": "right_not_active",
    "frozen": "right_frozen",
    "expired": "right_expired",
    "fully_consumed": "right_fully_consumed",
    "finalized": "right_finalized",
    "burned": "right_burned",
}


# What would lift each refusal: said behind what stands in the way, so that nobody is left with a closed door alone.
LIFTED_BY = {
    "right_not_active": "its issuer has to activate it, unless its terms let it move before",
    "right_frozen": "a freezer has to unfreeze it, or its issuer where it is the issuer's own pause",
    "right_expired": "nothing lifts this; take a right of a later window",
    "right_fully_consumed": "nothing lifts this; its units are used",
    "right_finalized": "nothing lifts this; it is closed for good",
    "right_burned": "nothing lifts this; it is out of existence",
    "not_transferable": "its issuer may replace it by a right under other terms",
    "units_unavailable": "ask for fewer, or release what orders and packages reserve of it",
    "not_splittable": "move all its units at once",
    "below_min_transfer": "move more units at once",
    "locked_up": "wait until then",
    "hold_period": "wait until then",
    "transfer_cutoff": "nothing lifts this; use it, or take a right of a later window",
    "venue_not_allowed": "its issuer may replace it by a right under other terms",
    "giver_suspended": "an operator has to reinstate it",
    "taker_suspended": "an operator has to reinstate it",
    "holder_type_not_eligible": "receive it with an account of an eligible type",
    "jurisdiction_not_eligible": "a registry admin has to attest an eligible jurisdiction",
    "holder_denied": "receive it with an account that is not denied",
    "attestation_missing": "a registry admin has to attest what is missing",
    "max_holders": "one of its holders has to give up all he holds of it first",
    "max_units_per_holder": "take fewer units, or give some of them away first",
    "consent_missing": "ask the issuer for its consent",
    "acknowledgment_missing": "ask a registry admin for an acknowledgment",
}


def refusal(code: str, words: str) -> Verdict:
    """The verdict of a rule that is broken: what stands in the way, and what would lift it."""
    return Verdict(code, False, f"{words}; {LIFTED_BY[code]}")


def status_refusal(case: Case) -> Verdict | None:
    right = case.right
    if right.status == "issued":
        return None if case.policy.pre_activation_transfer else refusal("right_not_active", "issued and not active")
    if right.status == "frozen":
        return refusal("right_frozen", f"frozen ({right.freeze_reason})")
    if right.status != "active":
        return refusal(_STATUS_CODES[right.status], f"status {right.status} never moves")
    if case.now_us >= right.window_end_us:
        return refusal("right_expired", f"its window ended at {text_of(right.window_end_us)}")
    return None


def _transferable(case: Case) -> str | None:
    return None if case.policy.transferable else "its terms forbid every change of holder"


def _splittable(case: Case) -> str | None:
    if case.policy.splittable or case.units >= case.right.remaining_units:
        return None
    return f"its terms forbid a split, and it has {case.right.remaining_units} units"


def _units_available(case: Case) -> str | None:
    right = case.right
    available = right.remaining_units - right.reserved_units - right.locked_units
    if 0 < case.units <= available:
        return None
    return f"{case.units} units asked, {available} available ({right.reserved_units} reserved, {right.locked_units} locked)"


def _min_transfer(case: Case) -> str | None:
    least = case.policy.min_transfer_units
    return None if case.units >= least else f"{case.units} units are fewer than the least its terms let move, {least}"


def _lockup(case: Case) -> str | None:
    until = case.policy.lockup_until_us
    return None if case.now_us >= until else f"locked up until {text_of(until)}"


def _hold_period(case: Case) -> str | None:
    if not case.policy.min_hold_s:
        return None
    until = case.right.acquired_us + case.policy.min_hold_s * 1_000_000
    return None if case.now_us >= until else f"to be held {case.policy.min_hold_s} s by each holder: until {text_of(until)}"


def _cutoff(case: Case) -> str | None:
    until = case.right.window_end_us - case.policy.transfer_cutoff_s * 1_000_000
    return None if case.now_us < until else f"transfers ended at {text_of(until)}, {case.policy.transfer_cutoff_s} s before its window ends"


def _consent(case: Case) -> str | None:
    if not case.policy.requires_issuer_consent or case.permits.consent.any:
        return None
    return "needs the issuer's consent, and none stands"


def _acknowledgment(case: Case) -> str | None:
    if not case.policy.requires_registry_acknowledgment or case.permits.acknowledgment.any:
        return None
    return "needs the registry's acknowledgment, and none stands"


def _consent_for(case: Reception) -> str | None:
    if not case.policy.requires_issuer_consent or case.permits.consent.covers(case.taker.account_id):
        return None
    return f"needs the issuer's consent to {case.taker.public_id}, and none stands"


def _acknowledgment_for(case: Reception) -> str | None:
    if not case.policy.requires_registry_acknowledgment or case.permits.acknowledgment.covers(case.taker.account_id):
        return None
    return f"needs the registry's acknowledgment of {case.taker.public_id}, and none stands"


def _venue(case: Case) -> str | None:
    allow = case.policy.venue_allow
    if case.venue in case.policy.venue_deny or (allow is not None and case.venue not in allow):
        return f"its terms keep it off the venue {case.venue}"
    return None


def _giver(case: Case) -> str | None:
    return None if case.giver.status == "active" else f"{case.giver.public_id} is suspended"


def _taker(case: Reception) -> str | None:
    return None if case.taker.status == "active" else f"{case.taker.public_id} is suspended"


def _holder_type(case: Reception) -> str | None:
    allowed = case.policy.eligible_holder_types
    if allowed is None or case.taker.holder_type in allowed:
        return None
    return f"a holder of type {case.taker.holder_type} may not receive it; eligible: {', '.join(sorted(allowed)) or 'nobody'}"


def _jurisdiction(case: Reception) -> str | None:
    allowed = case.policy.eligible_jurisdictions
    if allowed is None or case.taker.jurisdiction in allowed:
        return None
    return f"jurisdiction {case.taker.jurisdiction or 'unknown'} is not eligible; eligible: {', '.join(sorted(allowed)) or 'none'}"


def _denied(case: Reception) -> str | None:
    return f"its terms deny it to {case.taker.public_id}" if case.taker.public_id in case.policy.denied_holders else None


def _attestations(case: Reception) -> str | None:
    missing = case.policy.required_attestations - case.taker.attestations
    return f"{case.taker.public_id} lacks: {', '.join(sorted(missing))}" if missing else None


def _max_holders(case: Reception) -> str | None:
    most = case.policy.max_holders
    if most is None:
        return None
    if case.counts is None:
        return f"at most {most} holders, and who holds it now was not looked up"
    counts = case.counts
    after = counts.holders + (counts.taker_units == 0) - (counts.giver_units == case.units)
    return None if after <= most else f"it would have {after} holders; its terms allow {most}"


def _max_units(case: Reception) -> str | None:
    most = case.policy.max_units_per_holder
    if most is None:
        return None
    if case.counts is None:
        return f"at most {most} units per holder, and what the taker holds now was not looked up"
    after = case.counts.taker_units + case.units
    return None if after <= most else f"{case.taker.public_id} would hold {after} units; its terms allow {most}"


# In the order they are reported: first what no counterparty can change.
RIGHT_RULES: tuple[tuple[str, Callable[[Case], str | None], str], ...] = (
    ("not_transferable", _transferable, "its terms let it change hands"),
    ("units_unavailable", _units_available, "the units are free"),
    ("not_splittable", _splittable, "the amount may move on its own"),
    ("below_min_transfer", _min_transfer, "the amount is large enough"),
    ("locked_up", _lockup, "no lock-up stands"),
    ("hold_period", _hold_period, "held long enough"),
    ("transfer_cutoff", _cutoff, "before the cut-off"),
    ("venue_not_allowed", _venue, "this venue is allowed"),
    ("giver_suspended", _giver, "the giver is in good standing"),
)
# Asked while the taker is not known yet; once he is, the rules of the same codes below are asked instead.
UNTAKEN_RULES: tuple[tuple[str, Callable[[Case], str | None], str], ...] = (
    ("consent_missing", _consent, "no consent is needed, or one stands"),
    ("acknowledgment_missing", _acknowledgment, "no acknowledgment is needed, or one stands"),
)
TAKER_RULES: tuple[tuple[str, Callable[[Reception], str | None], str], ...] = (
    ("taker_suspended", _taker, "the taker is in good standing"),
    ("holder_type_not_eligible", _holder_type, "the taker's type is eligible"),
    ("jurisdiction_not_eligible", _jurisdiction, "the taker's jurisdiction is eligible"),
    ("holder_denied", _denied, "the taker is not denied"),
    ("attestation_missing", _attestations, "the taker has the attestations"),
    ("max_holders", _max_holders, "the number of holders stays within its terms"),
    ("max_units_per_holder", _max_units, "the taker's units stay within its terms"),
    ("consent_missing", _consent_for, "no consent is needed, or one covers the taker"),
    ("acknowledgment_missing", _acknowledgment_for, "no acknowledgment is needed, or one covers the taker"),
)
CODES = (*_STATUS_CODES.values(), *(r[0] for r in RIGHT_RULES), *(r[0] for r in TAKER_RULES))
