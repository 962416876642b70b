"""Suppliers, capabilities, capacity and assurances as their events tell them.

Two columns follow from others: `issued_units` from the rights (issued, less burned) and `pledged_units` from the sources, and the audit compares those (A1).
"""

from exchange.replay.object_states import Fields, ObjectKind, Payload
from exchange.replay.right_tables import MOMENT
from rights.domain import supply_events as facts

States = dict[str, Fields]


def _registered(states: States, object_id: str, payload: Payload, at: str) -> None:
    states[object_id] = {
        **_described(payload),
        "created_at": at,
        "owner": payload["participant"],
        "slug": payload["slug"],
        "status": "active",
    }


def _described(payload: Payload) -> Fields:
    return {name: payload[name] for name in ("name", "public_key", "region", "trust_bps")}


def _changed(states: States, object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001 - one shape for all steps
    states[object_id] |= {**_described(payload), "status": payload["status"]}


def _suspended(states: States, object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001
    states[object_id]["status"] = "suspended"


_SUPPLIERS = f"""
SELECT 'sup_' || s.uuid::text, jsonb_build_object('created_at', {MOMENT.format("s.created_at")}, 'name', s.name, 'owner', p.slug,
       'public_key', s.public_key, 'region', s.region, 'slug', s.slug, 'status', s.status, 'trust_bps', s.trust_bps)::text
FROM rights_supplier s JOIN rights_participant p ON p.id = s.participant_id ORDER BY 1
"""
_AXES = (
    "workload",
    "quality_band",
    "latency_band",
    "privacy_mode",
    "environment",
    "availability",
    "constraints",
    "unit",
    "supplier",
    "tariff",
)


def _capability(states: States, object_id: str, payload: Payload, at: str) -> None:
    states[object_id] = {**{name: payload[name] for name in _AXES}, "created_at": at, "reliability_bps": None, "retired_at": ""}


def _measured(states: States, object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001
    states[object_id]["reliability_bps"] = payload["reliability_bps"]


def _retired(states: States, object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001
    states[object_id]["retired_at"] = at


_CAPABILITIES = f"""
SELECT 'cap_' || c.uuid::text, jsonb_build_object('workload', c.workload, 'quality_band', c.quality_band, 'latency_band', c.latency_band,
       'privacy_mode', c.privacy_mode, 'environment', c.environment, 'availability', c.availability, 'constraints', c.constraints,
       'unit', c.unit, 'supplier', 'sup_' || s.uuid::text,
       'tariff', jsonb_build_object('currency', c.currency, 'minor', c.tariff_minor::text, 'units', c.tariff_units::text),
       'created_at', {MOMENT.format("c.created_at")}, 'reliability_bps', c.reliability_bps, 'retired_at', {MOMENT.format("c.retired_at")})::text
FROM rights_capability c JOIN rights_supplier s ON s.id = c.supplier_id ORDER BY 1
"""


def _capacity(states: States, object_id: str, payload: Payload, at: str) -> None:
    window = payload["window"]
    states[f"{object_id} {window['start']} {window['end']}"] = {
        "issuers": payload["issuers"],
        "posted_at": at,
        "revision": payload["revision"],
        "units": payload["units"],
    }


_POSTED = f"""
SELECT 'cap_' || c.uuid::text || ' ' || {MOMENT.format("p.window_start")} || ' ' || {MOMENT.format("p.window_end")},
       jsonb_build_object('issuers', p.issuers, 'posted_at', {MOMENT.format("p.posted_at")}, 'revision', p.revision, 'units', p.units::text)::text
FROM rights_postedcapacity p JOIN rights_capability c ON c.id = p.capability_id ORDER BY 1
"""
_STATED = ("issuer", "mode", "overbook_bps", "overbook_policy", "reference", "stale_after_s", "unit", "window")
_RESTATED = ("gross_units", "haircut_bps", "revision", "sources", "status")


def _assured(states: States, object_id: str, payload: Payload, at: str) -> None:
    """Assurances of before they had sources and a plan tell of neither."""
    states[object_id] = {
        **{name: payload[name] for name in (*_STATED, "gross_units", "haircut_bps")},
        "class": payload["class"]["fingerprint"],
        "created_at": at,
        "degradation_plan": payload.get("degradation_plan", "pause-issuance"),
        "degraded_at": "",
        "refreshed_at": at,
        "revision": 1,
        "sources": payload.get("sources", []),
        "status": "sound",
    }


def _refreshed(states: States, object_id: str, payload: Payload, at: str) -> None:
    assurance = states[object_id]
    assurance |= {**{name: payload[name] for name in _RESTATED}, "refreshed_at": at}
    if payload["status"] == "sound":
        assurance["degraded_at"] = ""


def _drifted(states: States, object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001
    states[object_id] |= {name: payload[name] for name in _RESTATED}


def _degraded(states: States, object_id: str, payload: Payload, at: str) -> None:
    states[object_id] |= {"degraded_at": at, "status": payload["status"]}


_ASSURANCES = f"""
SELECT 'ast_' || a.uuid::text, jsonb_build_object('class', c.fingerprint, 'created_at', {MOMENT.format("a.created_at")},
       'degradation_plan', a.degradation_plan, 'degraded_at', {MOMENT.format("a.degraded_at")}, 'gross_units', a.gross_units::text,
       'haircut_bps', a.haircut_bps, 'issuer', i.slug, 'mode', a.mode, 'overbook_bps', a.overbook_bps, 'overbook_policy', a.overbook_policy,
       'reference', a.reference, 'refreshed_at', {MOMENT.format("a.refreshed_at")}, 'revision', a.revision, 'stale_after_s', a.stale_after_s,
       'status', a.status, 'unit', a.unit,
       'window', jsonb_build_object('start', {MOMENT.format("a.window_start")}, 'end', {MOMENT.format("a.window_end")}),
       'sources', coalesce((
           SELECT jsonb_agg(jsonb_build_object('capability', 'cap_' || x.uuid::text, 'units', s.units::text, 'window',
                  jsonb_build_object('start', {MOMENT.format("p.window_start")}, 'end', {MOMENT.format("p.window_end")}))
                  ORDER BY x.uuid, p.window_start, p.window_end)
           FROM rights_assurancesource s JOIN rights_postedcapacity p ON p.id = s.capacity_id JOIN rights_capability x ON x.id = p.capability_id
           WHERE s.assurance_id = a.id), '[]'::jsonb))::text
FROM rights_assurance a JOIN rights_issuer i ON i.id = a.issuer_id JOIN rights_computeclass c ON c.id = a.compute_class_id ORDER BY 1
"""


def _followed(states: States, object_id: str, payload: Payload, at: str) -> None:
    for thing in payload["objects"]:
        states.setdefault(f"{object_id} {thing}", {"acts": []})["acts"].append({"act": payload["act"], "done_at": at, "lifted_at": ""})


def _lifted(states: States, object_id: str, payload: Payload, at: str) -> None:
    for thing in payload["objects"]:
        states[f"{object_id} {thing}"]["acts"][-1]["lifted_at"] = at


_ACTS = f"""
SELECT 'ast_' || a.uuid::text || ' ' || x.object_id, jsonb_build_object('acts', jsonb_agg(jsonb_build_object('act', x.act,
       'done_at', {MOMENT.format("x.done_at")}, 'lifted_at', {MOMENT.format("x.lifted_at")}) ORDER BY x.id))::text
FROM rights_planact x JOIN rights_assurance a ON a.id = x.assurance_id GROUP BY 1 ORDER BY 1
"""

KINDS = (
    ObjectKind("supplier", {facts.REGISTERED: _registered, facts.CHANGED: _changed, facts.SUSPENDED: _suspended}, _SUPPLIERS),
    ObjectKind("capability", {facts.POSTED: _capability, facts.MEASURED: _measured, facts.RETIRED: _retired}, _CAPABILITIES),
    ObjectKind("capacity", {facts.CAPACITY_POSTED: _capacity}, _POSTED),
    ObjectKind(
        "assurance",
        {facts.ASSURED: _assured, facts.REFRESHED: _refreshed, facts.DRIFTED: _drifted, facts.DEGRADED: _degraded},
        _ASSURANCES,
    ),
    ObjectKind("plan_act", {facts.PLAN_FOLLOWED: _followed, facts.PLAN_LIFTED: _lifted}, _ACTS),
)
