"""The request envelope (SPEC §8): what somebody wants done, with which of his rights, inside which bounds. Pure.

Its canonical JSON is hashed. What is to be done is no part of it but by its SHA-256.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from rights.domain.canonical_json import canonical_json
from rights.domain.capability import WORKLOADS
from rights.domain.effective_policy import FALLBACKS, Policy, policy_document, policy_of_document
from rights.domain.package import MOST_PARTS
from settlement.domain.request_states import BUDGETS, DELIVERIES

MOST_UNITS = 2**63 - 1
MOST_WEIGHT = 10_000
MOST_BRANCH = 40  # characters
PREFERENCES = ("cost", "latency", "privacy", "quality")
OPERATION = re.compile(r"[a-z0-9][a-z0-9._/-]{0,63}", re.ASCII)
HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
SHAPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+-]{0,63}", re.ASCII)


class Candidate(msgspec.Struct, frozen=True):
    """A right that may be used (bare UUID), in the order of the list; of it at most `max_spend_units`."""

    right_id: str
    max_spend_units: int | None = None


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """`fallbacks` None leaves them to the right; `preferences` are weights of what orders the routes.

    With `package_id`, or a delegation of a package, its parts are the candidates, in its own order; `candidates` then say which of them, and
    `branch` which of a strategy's.
    """

    workload: str
    operation: str
    expected_units: int
    candidates: tuple[Candidate, ...]
    payload_hash: str
    constraints: Policy = Policy()
    preferences: Mapping[str, int] = MappingProxyType({})
    fallbacks: frozenset[str] | None = None
    budget: str = "actual"
    spill_over: bool = True
    delivery: str = "sync"
    latest_us: int | None = None
    delegation_id: str | None = None
    package_id: str | None = None
    branch: str = ""
    result_shape: str = ""


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with which field, as the API calls it."""

    field: str
    detail: str


def envelope_faults(envelope: Envelope) -> list[Fault]:
    """Everything that no state could make right."""
    return list(_faults(envelope))


def _faults(envelope: Envelope) -> Iterator[Fault]:
    rules = (
        (envelope.workload in WORKLOADS, "workload", f"must be one of {', '.join(WORKLOADS)}"),
        (
            OPERATION.fullmatch(envelope.operation),
            "operation",
            "must be 1 to 64 of a-z, 0-9, '.', '_', '/', '-'; a letter or a digit first",
        ),
        (0 < envelope.expected_units <= MOST_UNITS, "units", f"must be from 1 to {MOST_UNITS}"),
        (HASH.fullmatch(envelope.payload_hash), "payload_hash", "must be a SHA-256 in 64 hexadecimal digits"),
        (not envelope.result_shape or SHAPE.fullmatch(envelope.result_shape), "result_shape", "must be a word such as json or text/plain"),
        (envelope.budget in BUDGETS, "budget", f"must be one of {', '.join(BUDGETS)}"),
        (len(envelope.branch) <= MOST_BRANCH, "branch", f"must be at most {MOST_BRANCH} characters"),
        (not envelope.branch or envelope.package_id or envelope.delegation_id, "branch", "is of a package"),
        (envelope.delivery in DELIVERIES, "delivery", f"must be one of {', '.join(DELIVERIES)}"),
    )
    for holds, field, words in rules:
        if not holds:
            yield Fault(field, words)
    unknown = sorted((envelope.fallbacks or frozenset()) - set(FALLBACKS))
    if unknown:
        yield Fault("fallback_policy", f"knows no {', '.join(unknown)}")
    for name, weight in envelope.preferences.items():
        if name not in PREFERENCES or not 0 <= weight <= MOST_WEIGHT:
            yield Fault(f"preferences.{name}", f"must be one of {', '.join(PREFERENCES)}, from 0 to {MOST_WEIGHT}")
    yield from _candidate_faults(envelope)


def _candidate_faults(envelope: Envelope) -> Iterator[Fault]:
    named = [candidate.right_id for candidate in envelope.candidates]
    if not named and envelope.package_id is None and envelope.delegation_id is None:
        yield Fault("rights", "names at least one right, unless a package or a delegation says which")
    if len(named) > MOST_PARTS:
        yield Fault("rights", f"names at most {MOST_PARTS} rights")
    if len(set(named)) < len(named):
        yield Fault("rights", "names a right once")
    for position, candidate in enumerate(envelope.candidates):
        if candidate.max_spend_units is not None and not 0 < candidate.max_spend_units <= MOST_UNITS:
            yield Fault(f"rights.{position}.max_spend", f"must be from 1 to {MOST_UNITS}")


def envelope_document(envelope: Envelope, *, choose: bool) -> dict[str, Any]:
    """What is hashed; ids are public ones. `choose`: the router picks, or the caller does."""
    return {
        "branch": envelope.branch,
        "budget": envelope.budget,
        "constraints": policy_document(envelope.constraints),
        "delegation": None if envelope.delegation_id is None else f"dlg_{envelope.delegation_id}",
        "delivery": envelope.delivery,
        "fallbacks": None if envelope.fallbacks is None else sorted(envelope.fallbacks),
        "latest_us": None if envelope.latest_us is None else str(envelope.latest_us),
        "operation": envelope.operation,
        "package": None if envelope.package_id is None else f"pkg_{envelope.package_id}",
        "payload_hash": envelope.payload_hash,
        "preferences": dict(sorted(envelope.preferences.items())),
        "result_shape": envelope.result_shape,
        "rights": [
            {"max_spend": None if found.max_spend_units is None else str(found.max_spend_units), "right": f"rgt_{found.right_id}"}
            for found in envelope.candidates
        ],
        "route": "auto" if choose else "manual",
        "spill_over": envelope.spill_over,
        "units": str(envelope.expected_units),
        "workload": envelope.workload,
    }


def hashed(document: Mapping[str, Any]) -> tuple[str, str]:
    """The canonical text of an envelope's document, and its SHA-256."""
    text = canonical_json(document)
    return text.decode(), hashlib.sha256(text).hexdigest()


def envelope_of(document: Mapping[str, Any]) -> Envelope:
    """The envelope that a document was made of."""
    return Envelope(
        workload=document["workload"],
        operation=document["operation"],
        expected_units=int(document["units"]),
        candidates=tuple(
            Candidate(found["right"].removeprefix("rgt_"), None if found["max_spend"] is None else int(found["max_spend"]))
            for found in document["rights"]
        ),
        payload_hash=document["payload_hash"],
        constraints=policy_of_document(document["constraints"]),
        preferences=document["preferences"],
        fallbacks=None if document["fallbacks"] is None else frozenset(document["fallbacks"]),
        budget=document["budget"],
        spill_over=document["spill_over"],
        delivery=document["delivery"],
        latest_us=None if document["latest_us"] is None else int(document["latest_us"]),
        delegation_id=None if document["delegation"] is None else document["delegation"].removeprefix("dlg_"),
        package_id=None if document["package"] is None else document["package"].removeprefix("pkg_"),
        branch=document["branch"],
        result_shape=document["result_shape"],
    )
