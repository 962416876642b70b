"""Which delegations have lost what they were given of (SPEC §6): bounded use goes with the hands that gave it."""

from collections.abc import Iterable

from rights.kernel import rows

# Of `d`, the first of its line, with its right `r` or its package `p`.
LOST = """(r.holder_id <> d.delegator_id OR r.status IN ('fully_consumed', 'expired', 'finalized', 'burned')
    OR p.holder_id <> d.delegator_id OR p.state <> 'active')"""
_OF = "LEFT JOIN rights_right r ON r.id = d.right_id LEFT JOIN rights_package p ON p.id = d.package_id"
_FIRST_LOST = f"""
SELECT d.id FROM rights_delegation d {_OF} WHERE d.state = 'active' AND d.parent_id IS NULL AND {LOST} ORDER BY d.id LIMIT %s
"""
_LINES_LOST = f"""
WITH RECURSIVE up AS (
    SELECT x.id, x.id AS first, x.parent_id FROM rights_delegation x WHERE x.id = ANY(%s::bigint[])
    UNION ALL SELECT up.id, x.id, x.parent_id FROM up JOIN rights_delegation x ON x.id = up.parent_id)
SELECT up.id FROM up JOIN rights_delegation d ON d.id = up.first {_OF} WHERE up.parent_id IS NULL AND {LOST}
"""


def first_lost(most: int) -> list[int]:
    """Active delegations, none of them passed on, whose giver no longer holds what they are of, or it has ended; the oldest first."""
    return [row[0] for row in rows.fetch_all(_FIRST_LOST, [most])]


def lost(delegation_ids: Iterable[int]) -> set[int]:
    """Those of them that are of something their line's first giver no longer holds, or that has ended."""
    wanted = rows.array(delegation_ids)
    return {row[0] for row in rows.fetch_all(_LINES_LOST, [wanted])}
