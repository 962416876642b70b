"""What a right's state, its gates and its events mean, in sentences. Each table is complete: a test holds it against the domain's."""

from collections.abc import Mapping

from exchange.web.amounts import units_text
from rights.domain import right_events
from rights.domain.lifecycle import LIFECYCLE, FreezeReason, RightStatus
from rights.domain.succession import BURN, NO_ROOM, NO_WINDOW, UNFIT

_S = RightStatus
STATUS = {
    _S.ISSUED: "Issued, but not active yet: it can't be used.",
    _S.ACTIVE: "Active: it may be used within its window, and change hands as its terms allow.",
    _S.FROZEN: "Frozen: it neither moves nor works until somebody lets it go on.",
    _S.FULLY_CONSUMED: "Used up: every unit was delivered.",
    _S.EXPIRED: "Its window is over; what was left is gone, or stands in another right where its terms carry it over.",
    _S.FINALIZED: "Closed for good. It stays on record.",
    _S.BURNED: "Taken out of existence. It stays on record.",
}
FREEZE = {
    FreezeReason.ISSUER_PAUSE: "The issuer paused it and may lift that.",
    FreezeReason.DISPUTE: "A dispute about it is open; its decision lifts this.",
    FreezeReason.COMPLIANCE: "For compliance; two operators lift it.",
    FreezeReason.SETTLEMENT_LOCK: "While a settlement is under way.",
    FreezeReason.GOVERNANCE: "By the registry's governance; two operators lift it.",
    FreezeReason.CUSTOM: "For a reason of its own, which its event tells.",
}
# Every step of the lifecycle's table: what has to happen for it.
NEXT = {
    (_S.ISSUED, _S.ACTIVE): "its issuer activates it",
    (_S.ISSUED, _S.FROZEN): "its issuer or a freezer stops it",
    (_S.ISSUED, _S.EXPIRED): "its window ends",
    (_S.ISSUED, _S.BURNED): "a burner takes it back",
    (_S.ACTIVE, _S.FROZEN): "its issuer or a freezer stops it",
    (_S.ACTIVE, _S.EXPIRED): "its window ends",
    (_S.ACTIVE, _S.FULLY_CONSUMED): "its last unit is used",
    (_S.ACTIVE, _S.FINALIZED): "it is merged into a sibling, replaced, or closed by a finalizer",
    (_S.FROZEN, _S.ISSUED): "it is let go on, and was not active before",
    (_S.FROZEN, _S.ACTIVE): "it is let go on",
    (_S.FROZEN, _S.EXPIRED): "its window ends",
    (_S.FROZEN, _S.FULLY_CONSUMED): "it is let go on, and nothing is left",
    (_S.FROZEN, _S.FINALIZED): "a finalizer closes it",
    (_S.FROZEN, _S.BURNED): "a burner takes it back",
    (_S.FULLY_CONSUMED, _S.FINALIZED): "a finalizer closes it",
    (_S.FULLY_CONSUMED, _S.BURNED): "a burner takes it out",
    (_S.EXPIRED, _S.FINALIZED): "a finalizer closes it",
    (_S.EXPIRED, _S.BURNED): "a burner takes it out",
}
EVENTS = {
    right_events.ISSUED: "Issued",
    right_events.ACTIVATED: "Activated",
    right_events.AMENDED: "Amended",
    right_events.BALANCE_CHANGED: "Units changed",
    right_events.PARTIALLY_CONSUMED: "Used in part",
    right_events.FULLY_CONSUMED: "Used up",
    right_events.FROZEN: "Frozen",
    right_events.UNFROZEN: "Let go on",
    right_events.EXPIRED: "Expired",
    right_events.FINALIZED: "Finalized",
    right_events.BURNED: "Burned",
    right_events.SPLIT: "Split",
    right_events.MERGED: "Merged",
    right_events.TRANSFERRED: "Changed hands",
    right_events.REPLACED: "Replaced",
    right_events.REISSUED_FROM: "Reissued",
    right_events.MIGRATED: "Migrated",
}
RELATIONS = {"equal": "the same", "better": "better", "worse": "worse", "incomparable": "different"}

# Why units burned at an end that their terms would have carried over; otherwise issuing was refused, by that code.
UNCARRIED = {
    NO_WINDOW: "its issuer has posted no capacity for the window they were to go into",
    NO_ROOM: "that window had no room left for them",
    UNFIT: "its terms fit no window that is to come",
}


def status_name(status: str) -> str:
    """A status as a heading: "Fully consumed"."""
    return status.replace("_", " ").capitalize()


def other_event(kind: str) -> str:
    """What happened to something that the right is a part of: "Route locked"."""
    return kind.replace(".", " ").replace("_", " ").capitalize()


def steps_from(status: RightStatus) -> list[tuple[str, str]]:
    """What may become of a right: (the status it would have, what has to happen for it), in the order of a life."""
    return [(status_name(following), NEXT[status, following]) for following in RightStatus if following in LIFECYCLE[status]]


def end_words(told: Mapping[str, str | None]) -> str:
    """What `right.expired` says became of what was left; "" where nothing was, or where its reader may not know."""
    policy, left, carried = told.get("policy"), int(told.get("units") or 0), int(told.get("carried_units") or 0)
    if policy is None or not left:
        return ""
    if policy == BURN:
        return f"Burned, as its terms say: {units_text(left, 'units')}."
    over = f"{units_text(carried, 'units')} went over into another right ({policy})" if carried else ""
    why = told.get("why")
    lost = f"{units_text(left - carried, 'units')} burned: {UNCARRIED.get(why, f'issuing was refused, {why}')}" if why else ""
    return "; ".join(part for part in (over, lost) if part) + "."
