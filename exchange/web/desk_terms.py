"""The manifest as a form. What a field takes, what it means and what it is when left alone is the published schema's own word."""

from typing import Any

import msgspec

from rights.domain.manifest import SCHEMA


class Field(msgspec.Struct, frozen=True):
    """One field of the manifest. `kind` says how its text becomes JSON (exchange/static/js/lib/desk_terms.js)."""

    path: str
    label: str
    kind: str
    hint: str
    choices: tuple[str, ...] = ()
    value: str = ""


class Group(msgspec.Struct, frozen=True):
    """Fields that belong together; `folded`: most leave them alone."""

    title: str
    fields: tuple[Field, ...]
    folded: bool = False


# Where the schema has no default, the form begins with what most say.
_USUAL = {
    "service.priority": "standard",
    "service.quality_band": "standard",
    "service.latency_class": "interactive",
    "service.privacy_class": "private",
}


def _found(path: str) -> dict[str, Any]:
    """The schema of one field."""
    schema: dict[str, Any] = SCHEMA
    for name in path.split("."):
        schema = schema["properties"][name]
    return schema


def _kind(schema: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    """How a field is written: a choice, a flag, a whole number, units, a moment, a list, or a list that may be `any`; `maybe` is left out."""
    if "enum" in schema:
        return "choice", tuple(schema["enum"])
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2], ()
    if "anyOf" in schema:
        first, second = schema["anyOf"]
        if first.get("const") == "any":
            return "any", tuple(second["items"].get("enum", ()))
        kind, choices = _kind(first)
        return f"maybe-{kind}", choices
    return {"boolean": "flag", "integer": "count", "array": "list"}.get(schema["type"], "text"), ()


def _field(path: str, label: str) -> Field:
    schema = _found(path)
    kind, choices = _kind(schema)
    default = schema.get("default", _USUAL.get(path))
    if isinstance(default, bool):
        value = "yes" if default else ""
    elif isinstance(default, list):
        value = ", ".join(default)
    else:
        value = "" if default in {None, "any"} else str(default)
    return Field(path, label, kind, schema.get("description", ""), choices, value)


def _group(title: str, *fields: tuple[str, str], folded: bool = False) -> Group:
    return Group(title, tuple(_field(path, label) for path, label in fields), folded)


# What makes the class, and the window: an assurance and the rights under it agree in these.
CLASS = (
    _group(
        "What is delivered",
        ("resource.type", "Resource"),
        ("resource.unit", "Unit"),
        ("resource.model_class", "Model classes"),
        ("resource.capability_tags", "Capability tags"),
    ),
    _group(
        "How well",
        ("service.priority", "Priority"),
        ("service.quality_band", "Quality band"),
        ("service.latency_class", "Latency class"),
        ("service.privacy_class", "Privacy class"),
        ("service.jurisdiction", "Jurisdictions"),
    ),
    _group(
        "When",
        ("window.start", "Window starts, UTC"),
        ("window.end", "Window ends, UTC"),
        ("window.mode", "Mode"),
        ("window.epoch_size_seconds", "Epoch, seconds"),
        ("window.rolling_length_seconds", "Length, seconds"),
    ),
    _group(
        "Limits and fallback",
        ("limits.max_per_request", "Units per request"),
        ("limits.max_concurrent", "Requests at once"),
        ("limits.max_burst", "Units in flight"),
        ("limits.rate_limit_per_minute", "Requests a minute"),
        ("limits.partial_fill_allowed", "Partly done counts"),
        ("fallback_policy.allow_fallback", "Fallback is allowed"),
        ("fallback_policy.substitute_model_class", "Another model class may serve"),
        ("fallback_policy.substitute_providers", "Another supplier may serve"),
        ("fallback_policy.downgrade_priority", "A lower priority may do"),
        ("fallback_policy.downgrade_latency_class", "A slower latency class may do"),
        ("fallback_policy.defer_within_window", "It may be deferred"),
        folded=True,
    ),
    _group(
        "Settlement",
        ("settlement_policy.proof_profile", "Proof profile"),
        ("settlement_policy.refund_policy", "Refund"),
        ("settlement_policy.expiry_policy", "At expiry"),
        ("settlement_policy.dispute_window_seconds", "Dispute window, seconds"),
        folded=True,
    ),
)
# What each right says for itself.
TERMS = (
    _group("This right", ("kind", "Kind"), ("resource.amount", "Units"), ("metadata.label", "Label")),
    _group(
        "Who may receive it",
        ("transfer_policy.transferable", "May change hands"),
        ("transfer_policy.splittable", "A part may move on its own"),
        ("transfer_policy.delegable", "Its use may be lent"),
        ("transfer_policy.requires_issuer_consent", "You have to consent"),
        ("transfer_policy.requires_registry_acknowledgment", "The registry has to acknowledge"),
        ("transfer_policy.pre_activation_transfer", "May move before it is active"),
        ("transfer_policy.eligible_holder_types", "Kinds of holders"),
        ("transfer_policy.eligible_jurisdictions", "Jurisdictions of receivers"),
        ("transfer_policy.required_attestations", "Attestations receivers need"),
        ("transfer_policy.denied_holders", "Accounts that may never receive it"),
        ("transfer_policy.min_transfer_units", "Least units at once"),
        ("transfer_policy.max_holders", "Most holders"),
        ("transfer_policy.max_units_per_holder", "Most units in one hand"),
        ("transfer_policy.lockup_until", "No transfer before, UTC"),
        ("transfer_policy.min_hold_seconds", "Held at least, seconds"),
        ("transfer_policy.transfer_cutoff_seconds", "None in the last seconds"),
        folded=True,
    ),
)
