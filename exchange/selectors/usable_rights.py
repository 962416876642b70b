"""Which rights an account may use for work of a kind right now, for who does not name one: what ends first is used first."""

from collections.abc import Iterable, Sequence

import msgspec

from exchange.selectors import named
from rights.kernel import rows
from rights.kernel.clock import rfc3339
from rights.kernel.trip import Answer, Trip

MOST = 8  # candidates of one request
_FIELDS = """
SELECT r.id::text, c.unit, c.key, i.slug, (extract(epoch from r.created_at))::bigint
FROM rights_right r JOIN rights_series s ON s.id = r.series_id JOIN rights_computeclass c ON c.id = s.compute_class_id
JOIN rights_issuer i ON i.id = r.issuer_id
"""
_USABLE = (
    _FIELDS
    + """
WHERE r.holder_id = %(account)s AND r.status = 'active' AND r.remaining_units > r.reserved_units AND s.window_start <= %(now)s AND r.ends_at > %(now)s
  AND c.dimensions ->> 'resource.type' = ANY(%(resources)s::text[]) ORDER BY r.ends_at, r.id LIMIT %(most)s
"""
)
_DELEGATED = """
SELECT r.id::text, c.unit, c.key, i.slug, (extract(epoch from r.created_at))::bigint
FROM rights_delegation d JOIN rights_right r ON r.id = coalesce(d.right_id, (
    SELECT x.right_id FROM rights_packagepart x WHERE x.package_id = d.package_id AND x.removed_at IS NULL ORDER BY x.position LIMIT 1)) JOIN rights_series s ON s.id = r.series_id
JOIN rights_computeclass c ON c.id = s.compute_class_id JOIN rights_issuer i ON i.id = r.issuer_id
WHERE d.uuid = %(delegation)s AND d.delegate_id = %(account)s
"""


class UsableRight(msgspec.Struct, frozen=True):
    """`unit` is what it counts in, `class_key` and `issuer` say what it is."""

    right_id: str
    unit: str
    class_key: str
    issuer: str
    created_s: int


def usable_rights(*, account_id: int, resources: Sequence[str], now_us: int, most: int = MOST) -> list[UsableRight]:
    """Active rights of these resource types inside their windows with free units, the one that ends first at the front."""
    trip = Trip()
    asked = ask_usable(trip, account_id=account_id, resources=resources, now_us=now_us, most=most)
    trip.go()
    return read_rights(asked)


def ask_usable(trip: Trip, *, account_id: int, resources: Sequence[str], now_us: int, most: int = MOST) -> Answer:
    """`usable_rights` in a trip with others; `read_rights` reads the answer."""
    values = {"account": account_id, "resources": rows.text_array(resources), "now": rfc3339(now_us), "most": most}
    return trip.ask(_USABLE, values)


def ask_named(trip: Trip, *, right_ids: Iterable[str]) -> Answer:
    """The rights of these ids, whoever holds them, in no order; whether the caller may use them is the router's to say."""
    return trip.ask(_FIELDS + "WHERE r.id = ANY(%(ids)s::uuid[])", {"ids": rows.array(right_ids)})


def read_rights(answer: Answer) -> list[UsableRight]:
    return [UsableRight(*row) for row in answer.rows()]


def delegated_right(*, delegation_id: str, account_id: int) -> UsableRight | None:
    """The right of a delegation to this account, of a package's the first; None where there is none."""
    found = named.fetch_one(_DELEGATED, {"delegation": delegation_id, "account": account_id})
    return UsableRight(*found) if found else None
