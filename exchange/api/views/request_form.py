"""A request to use rights as it comes over the wire, read strictly: every wrong field is named."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from exchange.api import fields
from exchange.api.form import Form
from rights.domain.capability import LATENCY_BANDS, REGION, SLUG, WORKLOADS
from rights.domain.effective_policy import FALLBACKS, PRIVACY_ORDER, Policy
from rights.domain.package import MOST_PARTS
from settlement.domain.envelope import HASH, MOST_BRANCH, MOST_WEIGHT, OPERATION, PREFERENCES, SHAPE, Candidate, Envelope
from settlement.domain.record import WHOLE_BPS
from settlement.domain.request_states import BUDGETS, DELIVERIES

MOST_PAYLOAD = 200_000
MOST_PLACES = 64
_ANY_TEXT = re.compile(rf".{{1,{MOST_PAYLOAD}}}", re.DOTALL)
_ENVELOPE = (
    "workload", "operation", "units", "rights", "constraints", "preferences", "fallback_policy", "budget", "spill_over", "delivery",
    "payload", "payload_hash", "delegation_id", "package_id", "branch", "route", "result_shape",
)  # fmt: skip
_CONSTRAINTS = (
    "latest_at",
    "privacy_class",
    "jurisdictions",
    "max_latency_class",
    "tags",
    "providers",
    "denied_providers",
    "min_full_rate_bps",
)


def words(*names: str) -> dict[str, str]:
    return {name: name for name in names}


def _place(value: object, field: str) -> str:
    return fields.matching(value, field, REGION, "must be a region such as US or EU-WEST")


def _slug(value: object, field: str) -> str:
    return fields.matching(value, field, SLUG, "must be a name of a-z, 0-9, '.', '_', '-'")


def _set(value: object, field: str, one: Any) -> frozenset[str]:
    return frozenset(fields.items(value, field, 0, MOST_PLACES, one))


def _fallback(value: object, field: str) -> str:
    return fields.choice(value, field, words(*FALLBACKS))


def _candidate(value: object, field: str) -> Candidate:
    found = fields.members(value, field, ("right_id", "max_spend"), ("right_id",))
    most = found.get("max_spend")
    return Candidate(
        fields.public_id(found["right_id"], f"{field}.right_id", "rgt"),
        None if most is None else fields.whole(most, f"{field}.max_spend", low=1),
    )


def _candidates(value: object, field: str) -> tuple[Candidate, ...]:
    found = tuple(fields.items(value, field, 0, MOST_PARTS, _candidate))
    if len({one.right_id for one in found}) < len(found):
        raise fields.FieldError(field, "names a right once", "conflict")
    return found


def _branch(value: object, field: str) -> str:
    return fields.text(value, field, high=MOST_BRANCH)


def _constraints(value: object, field: str) -> Policy:
    found = {name: said for name, said in fields.members(value, field, _CONSTRAINTS).items() if said is not None}

    def read(name: str, reader: Any, *arguments: Any) -> Any:
        return reader(found[name], f"{field}.{name}", *arguments) if name in found else None

    return Policy(
        latest_us=read("latest_at", fields.moment_us),
        privacy=read("privacy_class", fields.choice, words(*PRIVACY_ORDER)),
        jurisdictions=read("jurisdictions", _set, _place),
        slowest=read("max_latency_class", fields.choice, words(*LATENCY_BANDS)),
        tags=read("tags", _set, _slug) or frozenset(),
        providers=read("providers", _set, _slug),
        denied_providers=read("denied_providers", _set, _slug) or frozenset(),
        min_full_rate_bps=read("min_full_rate_bps", fields.integer, 0, WHOLE_BPS),
    )


def _preferences(value: object, field: str) -> Mapping[str, int]:
    found = fields.members(value, field, PREFERENCES)
    return {name: fields.integer(weight, f"{field}.{name}", 0, MOST_WEIGHT) for name, weight in found.items() if weight is not None}


def _payload(value: object, field: str) -> str:
    """The work as it goes to the supplier: the text of a JSON object, whose numbers are the supplier's affair."""
    text = fields.matching(value, field, _ANY_TEXT, f"must be the text of a JSON object, at most {MOST_PAYLOAD} characters")
    try:
        # As whoever executes it will read it; the other reader knows of constants that are no JSON.
        is_object = isinstance(json.loads(text, parse_constant=_no_number), dict) and isinstance(msgspec.json.decode(text), dict)
    except (ValueError, RecursionError, msgspec.MsgspecError):
        is_object = False
    if not is_object:
        raise fields.FieldError(field, "must be the text of a JSON object", "not_json")
    return text


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def read_envelope(body: Mapping[str, Any]) -> tuple[Envelope, str | None, bool]:
    """(the envelope, the payload if it came along, whether the router chooses)."""
    form = Form(body, _ENVELOPE)
    payload = form.read("payload", "", _payload) if form.given("payload") else None
    given = form.read("payload_hash", "", fields.matching, HASH, "must be a SHA-256 in 64 hexadecimal digits")
    if payload is None and not form.given("payload_hash"):
        form.wrong("payload", "is required, or payload_hash when the work stays with whoever executes it", "required")
    if form.given("payload") and form.given("payload_hash"):
        form.wrong("payload_hash", "is not given beside payload")
    if not body.get("rights") and not form.given("delegation_id") and not form.given("package_id"):
        form.wrong("rights", "is required, unless package_id or delegation_id says which", "required")
    if form.given("branch") and not form.given("delegation_id") and not form.given("package_id"):
        form.wrong("branch", "is of a package: package_id or delegation_id says which", "conflict")
    fallbacks = form.read("fallback_policy", frozenset[str](), _set, _fallback) if form.given("fallback_policy") else None
    route = form.read("route", "auto", fields.choice, words("auto", "manual"))
    envelope = Envelope(
        workload=form.need("workload", WORKLOADS[0], fields.choice, words(*WORKLOADS)),
        operation=form.need("operation", "", fields.matching, OPERATION, "must be 1 to 64 of a-z, 0-9, '.', '_', '/', '-'"),
        expected_units=form.need("units", 1, fields.whole, 1),
        candidates=form.read("rights", (), _candidates),
        payload_hash=hashlib.sha256(payload.encode()).hexdigest() if payload else given,
        constraints=form.read("constraints", Policy(), _constraints),
        preferences=form.read("preferences", {}, _preferences),
        fallbacks=fallbacks,
        budget=form.read("budget", "actual", fields.choice, words(*BUDGETS)),
        spill_over=form.read("spill_over", True, fields.boolean),
        delivery=form.read("delivery", "sync", fields.choice, words(*DELIVERIES)),
        delegation_id=form.read("delegation_id", "", fields.public_id, "dlg") or None,
        package_id=form.read("package_id", "", fields.public_id, "pkg") or None,
        branch=form.read("branch", "", _branch),
        result_shape=form.read("result_shape", "", fields.matching, SHAPE, "must be a word such as json or text/plain"),
    )
    form.close()
    return envelope, payload, route == "auto"
