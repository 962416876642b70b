"""The states of a settlement (SPEC §9): the table beside its enums. The database holds the same table."""

from enum import StrEnum


class Outcome(StrEnum):
    """What a request came to. Exactly one for every request."""

    FULL = "full"
    FALLBACK = "fallback"
    PARTIAL = "partial"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


DEDUCTING = frozenset({Outcome.FULL, Outcome.FALLBACK, Outcome.PARTIAL})  # outcomes of work that was done

JUDGED = ("dispute_upheld", "reviewed")  # rules of what a reviewer decided: whose fault it was, he has looked at himself


class SettlementState(StrEnum):
    UNSETTLED = "unsettled"
    PENDING_PROOF = "pending_proof"
    CLASSIFIED_FULL = "classified_full"
    CLASSIFIED_FALLBACK = "classified_fallback"
    CLASSIFIED_PARTIAL = "classified_partial"
    CLASSIFIED_FAILED = "classified_failed"
    CLASSIFIED_EXPIRED = "classified_expired"
    CLASSIFIED_CANCELLED = "classified_cancelled"
    PENDING_DISPUTE_WINDOW = "pending_dispute_window"
    IN_DISPUTE = "in_dispute"
    REVERSED = "reversed"
    FINALIZED = "finalized"


class SettlementEvent(StrEnum):
    """Why a settlement moves on."""

    PROOFS_INCOMPLETE = "proofs_incomplete"  # but recoverable
    PROOFS_SUFFICIENT = "proofs_sufficient"
    PROOF_DEADLINE_PASSED = "proof_deadline_passed"
    NO_DISPUTE_WINDOW = "no_dispute_window"
    DISPUTE_WINDOW_OPENED = "dispute_window_opened"
    CHALLENGED = "challenged"
    DISPUTE_WINDOW_PASSED = "dispute_window_passed"
    DISPUTE_REJECTED = "dispute_rejected"
    DISPUTE_UPHELD = "dispute_upheld"
    RECLASSIFIED = "reclassified"
    CORRECTION_APPLIED = "correction_applied"


_S, _E = SettlementState, SettlementEvent
CLASSIFIED = {outcome: SettlementState(f"classified_{outcome}") for outcome in Outcome}

TABLE: dict[tuple[SettlementState, SettlementEvent], frozenset[SettlementState]] = {
    (_S.UNSETTLED, _E.PROOFS_INCOMPLETE): frozenset({_S.PENDING_PROOF}),
    (_S.UNSETTLED, _E.PROOFS_SUFFICIENT): frozenset(CLASSIFIED.values()),
    (_S.PENDING_PROOF, _E.PROOFS_SUFFICIENT): frozenset(CLASSIFIED.values()),
    (_S.PENDING_PROOF, _E.PROOF_DEADLINE_PASSED): frozenset({_S.CLASSIFIED_FAILED}),
    **{(state, _E.NO_DISPUTE_WINDOW): frozenset({_S.FINALIZED}) for state in CLASSIFIED.values()},
    **{(state, _E.DISPUTE_WINDOW_OPENED): frozenset({_S.PENDING_DISPUTE_WINDOW}) for state in CLASSIFIED.values()},
    (_S.PENDING_DISPUTE_WINDOW, _E.CHALLENGED): frozenset({_S.IN_DISPUTE}),
    (_S.PENDING_DISPUTE_WINDOW, _E.DISPUTE_WINDOW_PASSED): frozenset({_S.FINALIZED}),
    (_S.IN_DISPUTE, _E.DISPUTE_REJECTED): frozenset({_S.FINALIZED}),
    (_S.IN_DISPUTE, _E.DISPUTE_UPHELD): frozenset({_S.REVERSED}),
    # A second look at the same facts by a reviewer; it has had its dispute, so no second window follows.
    (_S.IN_DISPUTE, _E.RECLASSIFIED): frozenset(CLASSIFIED.values()),
    (_S.REVERSED, _E.CORRECTION_APPLIED): frozenset({_S.FINALIZED}),
}
ENDED = frozenset(state for state in SettlementState if not any(start is state for start, _ in TABLE))


def may_move(state: SettlementState, event: SettlementEvent, following: SettlementState) -> bool:
    """Whether the table has the step."""
    return following in TABLE.get((state, event), ())


def steps() -> list[tuple[str, str, str]]:
    """Every step, for the database's table: (from, when, to)."""
    return sorted((str(start), str(event), str(end)) for (start, event), ends in TABLE.items() for end in ends)
