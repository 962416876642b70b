"""A manifest for people: every field of it, in groups, in words (SPEC §2). The schema's own descriptions say what a field means."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from exchange.web.amounts import moment_text, share_text, span_text, units_text
from rights.domain.manifest import SCHEMA
from rights.domain.moment import parse_us

Write = Callable[[Any, str], str]


class Term(msgspec.Struct, frozen=True):
    """One field: its name and its value in words; `meaning` is the schema's, where it has one."""

    path: str
    name: str
    words: str
    meaning: str


class Group(msgspec.Struct, frozen=True):
    title: str
    terms: list[Term]


def _word(value: Any, _unit: str) -> str:
    return "none" if value in (None, "") else str(value).replace("_", " ")


def _as_is(value: Any, _unit: str) -> str:
    return str(value) if value not in (None, "") else "none"


def _listed(value: Any, _unit: str) -> str:
    return value if isinstance(value, str) else ", ".join(map(str, value)) or "none"


def _yes(value: Any, _unit: str) -> str:
    return "yes" if value else "no"


def _units(value: Any, unit: str) -> str:
    return "no limit" if value is None else units_text(int(value), unit)


def _count(value: Any, _unit: str) -> str:
    return "no limit" if value is None else f"{value:,}"


def _span(value: Any, _unit: str) -> str:
    return span_text(value or 0)


def _share(value: Any, _unit: str) -> str:
    return share_text(value)


def _moment(value: Any, _unit: str) -> str:
    return "none" if value is None else moment_text(parse_us(value))


_GROUPS: tuple[tuple[str, tuple[tuple[str, str, Write], ...]], ...] = (
    (
        "What is delivered",
        (
            ("resource.type", "Resource", _word),
            ("resource.amount", "At most", _units),
            ("resource.unit", "Counted in", _word),
            ("resource.model_class", "Model classes", _listed),
            ("resource.capability_tags", "Capabilities", _listed),
            ("kind", "Kind of promise", _word),
        ),
    ),
    (
        "When",
        (
            ("window.start", "From", _moment),
            ("window.end", "Until", _moment),
            ("window.mode", "Mode", _word),
            ("window.epoch_size_seconds", "An epoch lasts", _span),
            ("window.rolling_length_seconds", "From activation it lasts", _span),
        ),
    ),
    (
        "How well",
        (
            ("service.priority", "Priority", _word),
            ("service.quality_band", "Quality", _word),
            ("service.latency_class", "Latency", _word),
            ("service.privacy_class", "Privacy", _word),
            ("service.jurisdiction", "Where the work may run", _listed),
            ("service.provider_constraints.allow", "Suppliers", _listed),
            ("service.provider_constraints.deny", "Suppliers kept out", _listed),
        ),
    ),
    (
        "How fast it may be used",
        (
            ("limits.max_per_request", "In one request", _units),
            ("limits.max_concurrent", "Requests at once", _count),
            ("limits.max_burst", "Under way at once", _units),
            ("limits.rate_limit_per_minute", "Requests a minute", _count),
            ("limits.partial_fill_allowed", "Partly done counts for its part", _yes),
        ),
    ),
    (
        "Who may receive it",
        (
            ("transfer_policy.transferable", "May change hands", _yes),
            ("transfer_policy.splittable", "A part may move on its own", _yes),
            ("transfer_policy.delegable", "Its use may be lent", _yes),
            ("transfer_policy.pre_activation_transfer", "May move before it is active", _yes),
            ("transfer_policy.requires_issuer_consent", "Needs the issuer's consent", _yes),
            ("transfer_policy.requires_registry_acknowledgment", "Needs the registry's acknowledgment", _yes),
            ("transfer_policy.eligible_holder_types", "Kinds of holders", _listed),
            ("transfer_policy.eligible_jurisdictions", "Holders' jurisdictions", _listed),
            ("transfer_policy.required_attestations", "A receiver has to have proven", _listed),
            ("transfer_policy.denied_holders", "Never to", _listed),
            ("transfer_policy.lockup_until", "Locked up until", _moment),
            ("transfer_policy.min_hold_seconds", "Each holder keeps it at least", _span),
            ("transfer_policy.transfer_cutoff_seconds", "No transfer in the last", _span),
            ("transfer_policy.min_transfer_units", "Least that moves at once", _units),
            ("transfer_policy.max_holders", "Holders at most", _count),
            ("transfer_policy.max_units_per_holder", "In one holder's hands at most", _units),
            ("transfer_policy.venue_allow", "Venues", _listed),
            ("transfer_policy.venue_deny", "Venues kept out", _listed),
        ),
    ),
    (
        "What may be done instead",
        (
            ("fallback_policy.allow_fallback", "Anything else at all", _yes),
            ("fallback_policy.substitute_model_class", "Another model class", _yes),
            ("fallback_policy.substitute_providers", "Another supplier", _yes),
            ("fallback_policy.downgrade_priority", "Lower priority", _yes),
            ("fallback_policy.downgrade_latency_class", "Slower", _yes),
            ("fallback_policy.downgrade_quality_to", "Quality down to", _word),
            ("fallback_policy.defer_within_window", "Later in the window", _yes),
            ("fallback_policy.max_quality_loss_bps", "Quality lost at most", _share),
            ("fallback_policy.max_latency_expansion_bps", "Latency longer by at most", _share),
        ),
    ),
    (
        "How outcomes are recognised",
        (
            ("settlement_policy.success_states", "Delivered is", _listed),
            ("settlement_policy.failure_states", "Not delivered is", _listed),
            ("settlement_policy.proof_profile", "Proofs", _word),
            ("settlement_policy.proof_requirements", "Proofs beyond these", _listed),
            ("settlement_policy.refund_policy", "For what was not delivered", _word),
            ("settlement_policy.expiry_policy", "What is left at the end", _word),
            ("settlement_policy.dispute_window_seconds", "May be challenged for", _span),
        ),
    ),
    (
        "Who issued it, on what",
        (
            ("issuer.id", "Issuer", _as_is),
            ("issuer.issuer_type", "Kind of issuer", _word),
            ("issuer.attestations", "The issuer has proven", _listed),
            ("issuer.issuance_path", "Issuance path", _word),
            ("assurance.mode", "Backed by", _word),
            ("assurance.reference", "Reference", _as_is),
            ("assurance.unit", "Backing counted in", _word),
            ("assurance.usable_basis", "Basis", _word),
        ),
    ),
    (
        "Wishes and labels",
        (
            ("routing_hints.preferred_providers", "Rather these suppliers", _listed),
            ("routing_hints.preferred_regions", "Rather these regions", _listed),
            ("routing_hints.cost_weight_bps", "Weight of cost", _share),
            ("routing_hints.latency_weight_bps", "Weight of latency", _share),
            ("routing_hints.privacy_weight_bps", "Weight of privacy", _share),
            ("routing_hints.quality_weight_bps", "Weight of quality", _share),
            ("metadata.label", "Label", _as_is),
            ("metadata.description", "Description", _as_is),
            ("metadata.tags", "Tags", _listed),
            ("version", "Terms written as", _as_is),
        ),
    ),
)
# Also what the class's dimensions are called; the issuer's tier is none of the manifest's.
NAMES = {path: name for _, fields in _GROUPS for path, name, _ in fields} | {"issuer.tier": "Issuer's tier"}
_WRITERS: dict[str, Write] = {path: write for _, fields in _GROUPS for path, _, write in fields}


def _at(document: Mapping[str, Any], path: str) -> Any:
    found: Any = document
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _meaning(path: str) -> str:
    found: Mapping[str, Any] = SCHEMA
    for name in path.split("."):
        found = found["properties"][name]
    return str(found.get("description", ""))


def words_of(path: str, value: Any, unit: str) -> str:
    """One value in words; of a field that has none, as it stands."""
    write = _WRITERS.get(path)
    return _as_is(value, unit) if write is None or (value is None and write is _share) else write(value, unit)


def manifest_groups(document: Mapping[str, Any]) -> list[Group]:
    """Every field of a manifest that is written out in full, as rights show it."""
    unit = document["resource"]["unit"]
    return [
        Group(title, [Term(path, name, words_of(path, _at(document, path), unit), _meaning(path)) for path, name, _ in fields])
        for title, fields in _GROUPS
    ]
