"""Members with their standing, and proposals with what became of them, as their events tell them."""

from exchange.replay.object_states import Fields, ObjectKind, Payload

_STANDING = ("active", "groups", "participant", "scopes", "staff")


def _added(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001 - one shape for all steps
    if object_id in states:
        raise ValueError(f"{object_id} was a member before")
    states[object_id] = {name: payload[name] for name in _STANDING}


def _changed(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001
    states[object_id] |= {name: payload[name] for name in _STANDING}


def _made(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
    if object_id in states:
        raise ValueError(f"{object_id} was made before")
    told = {name: payload[name] for name in ("act", "by", "expires_at", "kind", "reason")}
    states[object_id] = told | {"at": at, "status": "open", "decided_by": "", "decided_at": None, "decision": "", "outcome": ""}


def _decide(proposal: Fields, status: str, by: str, payload: Payload, at: str) -> None:
    if proposal["status"] != "open":
        raise ValueError(f"the proposal was {proposal['status']} already")
    if (payload["by"], payload["kind"]) != (proposal["by"], proposal["kind"]):
        raise ValueError(f"the proposal was made by {proposal['by']}, a {proposal['kind']}")
    words = {"decision": payload.get("reason", ""), "outcome": payload.get("outcome", "")}
    proposal |= {"status": status, "decided_by": by, "decided_at": at} | words


def _approved(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
    _decide(states[object_id], "approved", payload["approved_by"], payload, at)


def _rejected(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
    _decide(states[object_id], "rejected", payload["rejected_by"], payload, at)


def _expired(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
    _decide(states[object_id], "expired", "timetable", payload, at)


def _moment(column: str) -> str:
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


# Whoever has a role in the console without being a member is in the table and in no event.
_MEMBERS = """
SELECT 'user:' || u.id, jsonb_build_object('active', u.is_active, 'groups', coalesce(g.names, '[]'), 'participant', p.slug,
       'scopes', coalesce(to_jsonb(m.scopes), '[]'), 'staff', u.is_staff)
FROM auth_user u LEFT JOIN exchange_membership m ON m.user_id = u.id LEFT JOIN rights_participant p ON p.id = m.participant_id
LEFT JOIN LATERAL (SELECT jsonb_agg(g.name ORDER BY g.name) AS names FROM auth_user_groups x JOIN auth_group g ON g.id = x.group_id
    WHERE x.user_id = u.id AND g.name IN ('operators', 'auditors')) g ON true
WHERE m.id IS NOT NULL OR g.names IS NOT NULL ORDER BY u.id
"""
_PROPOSALS = f"""
SELECT 'prp_' || id, jsonb_build_object('act', payload, 'at', {_moment("proposed_at")}, 'by', proposed_by, 'decided_at', {_moment("decided_at")},
       'decided_by', decided_by, 'decision', decision, 'expires_at', {_moment("expires_at")}, 'kind', kind, 'outcome', outcome, 'reason', reason,
       'status', status)
FROM exchange_proposal ORDER BY id
"""

KINDS = (
    ObjectKind("member", {"member.added": _added, "member.changed": _changed}, _MEMBERS),
    ObjectKind(
        "proposal",
        {"proposal.made": _made, "proposal.approved": _approved, "proposal.rejected": _rejected, "proposal.expired": _expired},
        _PROPOSALS,
    ),
)
