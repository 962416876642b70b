"""Roles as their events tell them."""

from exchange.replay.object_states import Fields, ObjectKind, Payload


def _granted(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
    states[object_id] = {
        "issuer": payload["issuer"],
        "participant": payload["participant"],
        "role": payload["role"],
        "at": at,
        "ended": False,
    }


def _revoked(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001 - one shape for all steps
    states[object_id]["ended"] = True


_SQL = """
SELECT 'rol_' || r.uuid::text, jsonb_build_object('issuer', i.slug, 'participant', p.slug, 'role', r.role,
       'at', to_char(r.granted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'ended', r.revoked_at IS NOT NULL)
FROM rights_rolegrant r JOIN rights_participant p ON p.id = r.participant_id LEFT JOIN rights_issuer i ON i.id = r.issuer_id ORDER BY r.uuid
"""
KINDS = (ObjectKind("role", {"role.granted": _granted, "role.revoked": _revoked}, _SQL),)
