"""Assurances as their events tell them; `issued_units` follows from the rights, which have a comparison of their own."""

from exchange.replay.object_states import Fields, ObjectKind, Payload


def _posted(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001 - one shape for all steps
    states[object_id] = {
        "gross_units": payload["gross_units"],
        "haircut_bps": payload["haircut_bps"],
        "issuer": payload["issuer"],
        "mode": payload["mode"],
        "overbook_bps": payload["overbook_bps"],
        "reference": payload["reference"],
    }


_ASSURANCES = """
SELECT 'ast_' || a.uuid::text, jsonb_build_object('gross_units', a.gross_units::text, 'haircut_bps', a.haircut_bps, 'issuer', i.slug,
       'mode', a.mode, 'overbook_bps', a.overbook_bps, 'reference', a.reference)
FROM rights_assurance a JOIN rights_issuer i ON i.id = a.issuer_id ORDER BY 1
"""

KINDS = (ObjectKind("assurance", {"assurance.posted": _posted}, _ASSURANCES),)
