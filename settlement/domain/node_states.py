"""The path of a job that nodes do, and of a node (SPEC §8): tables beside their words."""

from enum import StrEnum


class JobState(StrEnum):
    OPEN = "open"
    LEASED = "leased"
    DONE = "done"
    PARKED = "parked"


class AttemptEnd(StrEnum):
    """How a lease ended. `struck`: the result was a lie; `returned`: the venue took the job back."""

    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"
    STRUCK = "struck"
    RETURNED = "returned"


_J = JobState
JOB_STATES = tuple(str(state) for state in JobState)
ATTEMPT_ENDS = tuple(str(end) for end in AttemptEnd)
JOB_TABLE: dict[JobState, frozenset[JobState]] = {
    _J.OPEN: frozenset({_J.LEASED, _J.PARKED}),
    _J.LEASED: frozenset({_J.OPEN, _J.DONE, _J.PARKED}),
}
OVER = frozenset({_J.DONE, _J.PARKED})

NODE_STATES = ("active", "suspended")
SUSPENDERS = ("", "supplier", "venue")  # who may reinstate: whoever suspended, and the venue
# So many lies, and a node is suspended without anybody looking.
MOST_STRIKES = 3


def after_attempt(*, attempts: int, max_attempts: int, is_in_time: bool) -> JobState:
    """Where a job goes whose attempt came to nothing: to the next node, or aside for good."""
    return JobState.OPEN if attempts < max_attempts and is_in_time else JobState.PARKED
