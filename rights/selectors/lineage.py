"""A right's lineage (SPEC §2): the line it descends from, what was made from it, the whole family of its root.

Each a page of bounded work whatever the family's size: a walk along parents takes `limit` steps, the others read `limit` rows of an index.
A line can't run in a circle: the database lets no right be made of one that is not there, nor its parent change (`right_descends`).
"""

from typing import Any

import msgspec

from rights.kernel import rows


class Member(msgspec.Struct, frozen=True):
    """One right of a family. Ids are UUID texts, units whole; `steps` from the right that was asked for, where they were counted."""

    id: str
    parent_id: str | None
    root_id: str
    holder_id: int
    holder: str
    status: str
    freeze_reason: str
    max_units: int
    remaining_units: int
    reserved_units: int
    issuer: str
    issuer_participant: int
    assurance: str
    terms_hash: str
    created_us: int
    steps: int | None = None


_MEMBER = """
r.id::text, r.parent_id::text, r.root_id::text, r.holder_id, h.uuid::text, r.status, r.freeze_reason, r.max_units, r.remaining_units,
r.reserved_units, i.slug, i.participant_id, a.uuid::text, r.terms_hash, (extract(epoch from r.created_at) * 1000000)::bigint"""
_WITH = """
JOIN rights_account h ON h.id = r.holder_id JOIN rights_issuer i ON i.id = r.issuer_id JOIN rights_assurance a ON a.id = r.assurance_id"""
_UP = f"""
WITH RECURSIVE up AS (
    SELECT r.id, r.parent_id, %s::bigint AS steps, 0 AS taken FROM rights_right r WHERE r.id = %s AND r.root_id = %s
    UNION ALL SELECT p.id, p.parent_id, up.steps + 1, up.taken + 1 FROM up JOIN rights_right p ON p.id = up.parent_id WHERE up.taken < %s)
SELECT {_MEMBER}, up.steps FROM up JOIN rights_right r ON r.id = up.id {_WITH} ORDER BY up.taken
"""
_OF = f"""
SELECT {_MEMBER} FROM (
    SELECT id FROM rights_right WHERE {{where}} ORDER BY id LIMIT %s) f JOIN rights_right r ON r.id = f.id {_WITH} ORDER BY r.id
"""


def line(*, right_id: str, root_id: str, limit: int, after: tuple[str, int] | None = None) -> list[Member]:
    """From the right up to its root, at most `limit` + 1. `after` is the last one seen, and how many steps up it stands."""
    start, steps = after or (right_id, 0)
    found = [Member(*row) for row in rows.fetch_all(_UP, [steps, start, root_id, limit + (after is not None)])]
    return found[1:] if after else found


def children(*, right_id: str, limit: int, holder_id: int | None = None, after: str | None = None) -> list[Member]:
    """What was made from the right, by id, at most `limit` + 1; `holder_id`: in these hands only."""
    return _of("parent_id", right_id, holder_id, after, limit)


def family(*, root_id: str, limit: int, holder_id: int | None = None, after: str | None = None) -> list[Member]:
    """Every right of a root, by id, at most `limit` + 1; `holder_id`: in these hands only."""
    return _of("root_id", root_id, holder_id, after, limit)


def _of(column: str, of: str, holder_id: int | None, after: str | None, limit: int) -> list[Member]:
    asked: dict[str, Any] = {f"{column} = %s": of}
    if holder_id is not None:
        asked["holder_id = %s"] = holder_id
    if after is not None:
        asked["id > %s"] = after
    return [Member(*row) for row in rows.fetch_all(_OF.format(where=" AND ".join(asked)), [*asked.values(), limit + 1])]
