"""The life of a right (SPEC §2): the table beside its enum. The database holds the same table (`rights_lifecycle`)."""

from enum import StrEnum


class RightStatus(StrEnum):
    ISSUED = "issued"
    ACTIVE = "active"
    FROZEN = "frozen"
    FULLY_CONSUMED = "fully_consumed"
    EXPIRED = "expired"
    FINALIZED = "finalized"
    BURNED = "burned"


class FreezeReason(StrEnum):
    ISSUER_PAUSE = "issuer_pause"
    DISPUTE = "dispute"
    COMPLIANCE = "compliance"
    SETTLEMENT_LOCK = "settlement_lock"
    GOVERNANCE = "governance"
    CUSTOM = "custom"


_S = RightStatus

LIFECYCLE: dict[RightStatus, frozenset[RightStatus]] = {
    _S.ISSUED: frozenset({_S.ACTIVE, _S.FROZEN, _S.EXPIRED, _S.BURNED}),
    _S.ACTIVE: frozenset({_S.FROZEN, _S.EXPIRED, _S.FULLY_CONSUMED, _S.FINALIZED}),
    # Back to what it was, or to what has come true meanwhile: see `thawed_status`.
    _S.FROZEN: frozenset({_S.ISSUED, _S.ACTIVE, _S.EXPIRED, _S.FULLY_CONSUMED, _S.FINALIZED, _S.BURNED}),
    _S.FULLY_CONSUMED: frozenset({_S.FINALIZED, _S.BURNED}),
    _S.EXPIRED: frozenset({_S.FINALIZED, _S.BURNED}),
    _S.FINALIZED: frozenset(),
    _S.BURNED: frozenset(),
}
TERMINAL = frozenset(status for status, following in LIFECYCLE.items() if not following)


def may_become(status: RightStatus, following: RightStatus) -> bool:
    """Whether the table has the step."""
    return following in LIFECYCLE[status]


def thawed_status(*, prior: RightStatus, max_units: int, remaining_units: int, window_end_us: int, now_us: int) -> RightStatus:
    """What a frozen right becomes when it is unfrozen: its prior status, unless it was used up or ran out meanwhile.

    One that sold everything has nothing left either, but nothing of it was used: its maximum went with its units.
    """
    if now_us >= window_end_us:
        return RightStatus.EXPIRED
    if remaining_units == 0 < max_units and prior is RightStatus.ACTIVE:
        return RightStatus.FULLY_CONSUMED
    return prior
