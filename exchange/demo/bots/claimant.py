"""A tenant that uses what it bought and now and then challenges what it was charged, and the reviewer who decides. Pure."""

import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import msgspec

from rights.domain.moment import parse_us

RESOURCE, WORKLOAD, OPERATION = "embeddings", "text.embedding", "embeddings"
TEXTS = 3
USES = 8  # without a word against them, for each that is challenged
LEAST_LEFT_US = 120 * 1_000_000  # a window that ends sooner is left alone
OFTEN_S, SELDOM_S = 20.0, 600.0
ENOUGH = 2  # so many decided ones, and challenges become seldom


class Grievance(msgspec.Struct, frozen=True):
    """What the tenant says, and what the reviewer makes of it."""

    claim: str
    evidence: str
    decision: str
    reason: str


GRIEVANCES = (
    Grievance(
        "The same text was sent twice by mistake, and both were charged.",
        "Our log of the batch: places 0 and 2 have the same SHA-256.",
        "reject",
        "This class counts a request for each text. Three were sent, and three vectors came back.",
    ),
    Grievance(
        "Two of the three vectors are the same: one of them was not computed.",
        "Vectors 0 and 2 agree in all 384 places.",
        "reject",
        "Texts 0 and 2 are the same, and so are their vectors. Both were asked for.",
    ),
    Grievance(
        "The answer came after the page that needed it had given up.",
        "Our page waits two seconds; its log has no answer by then.",
        "reject",
        "The right's latency class is async: it promises the answer within its window, not within two seconds.",
    ),
    Grievance(
        "The vectors of the batch are not of the model that was agreed on.",
        "The first vector's cosine with our own copy of the model is 0.41; it should be 1.00.",
        "uphold",
        "The supplier brought nothing forward against the holder's figure.",
    ),
)


def usable(rights: Sequence[Mapping[str, Any]], *, now_us: int) -> str | None:
    """The right that ends first of those that can be used now for a while; None when there is none."""
    fit = [
        (right["window"]["end"], right["id"])
        for right in rights
        if right["resource"]["type"] == RESOURCE
        and parse_us(right["window"]["start"]) <= now_us < parse_us(right["window"]["end"]) - LEAST_LEFT_US
        and int(right["remaining_amount"]) - int(right["reserved_amount"]) >= TEXTS
    ]
    return min(fit)[1] if fit else None


def wish(*, right_id: str, number: int) -> dict[str, Any]:
    """A request for a few vectors out of the right."""
    texts = [f"Ticket {number}, line {line % 2}: the customer asks when the window opens." for line in range(TEXTS)]
    return {
        "workload": WORKLOAD,
        "operation": OPERATION,
        "units": str(TEXTS),
        "rights": [{"right_id": right_id}],
        "payload": json.dumps({"input": texts}),
    }


def challenge(*, number: int) -> dict[str, Any]:
    """What is said against the settlement."""
    said = GRIEVANCES[number % len(GRIEVANCES)]
    return {"claim": said.claim, "evidence": said.evidence}


def ripe(disputes: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Of the tenant's disputes, newest first: its own open ones but the newest, which waits for its reviewer."""
    own = [row for row in disputes if row["state"] == "open" and row["side"] == "holder" and _known(row) is not None]
    return own[1:]


def decision(dispute: Mapping[str, Any]) -> dict[str, Any]:
    """What the reviewer says."""
    said = _known(dispute) or GRIEVANCES[0]
    return {"decision": said.decision, "reason": said.reason}


def pause_s(disputes: Sequence[Mapping[str, Any]], *, chance: Random) -> float:
    """Until the next challenge: soon while there is little to look at, seldom after that."""
    decided = sum(row["state"] != "open" for row in disputes)
    return (OFTEN_S if decided < ENOUGH else SELDOM_S) * (600 + chance.randrange(800)) / 1000


def _known(dispute: Mapping[str, Any]) -> Grievance | None:
    return next((said for said in GRIEVANCES if said.claim == dispute["claim"]), None)
