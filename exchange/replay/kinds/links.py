"""Rights that stand for others, as the events at both ends tell them."""

from exchange.replay.object_states import Fields, ObjectKind, Payload, Step
from rights.domain import right_events as types


def _told(end: str) -> Step:
    def step(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
        former, latter = (object_id, payload["by"]) if end == "former" else (payload["former"], object_id)
        said = {"at": at, "kind": payload["kind"], "reason": payload["reason"], "units": payload["units"]}
        held = states.setdefault(f"{former} {latter}", said | {"told_of_former": False, "told_of_latter": False})
        if {name: held[name] for name in said} != said or held[f"told_of_{end}"]:
            raise ValueError(f"{former} and {latter} are linked otherwise already")
        held[f"told_of_{end}"] = True

    return step


_LINKS = """
SELECT 'rgt_' || former_id::text || ' rgt_' || latter_id::text, jsonb_build_object(
    'at', to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'kind', kind, 'reason', reason, 'units', units::text,
    'told_of_former', true, 'told_of_latter', true)
FROM rights_rightlink ORDER BY former_id, latter_id
"""
KINDS = (
    ObjectKind("link", {types.REPLACED: _told("former"), types.REISSUED_FROM: _told("latter"), types.MIGRATED: _told("latter")}, _LINKS),
)
