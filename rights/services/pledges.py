"""Pledging posted capacity to an assurance (SPEC §7). The capacity is locked first, by id; the database counts what is pledged of it."""

from collections.abc import Iterable, Sequence

import msgspec

from rights.domain.assurance import Pledge
from rights.domain.issuance import Refusal
from rights.kernel import rows
from rights.kernel.clock import rfc3339
from rights.models import Issuer
from rights.selectors.supply import capacity_rows

MOST_SOURCES = 100


class Source(msgspec.Struct, frozen=True):
    """`units` of what a capability (its UUID) has posted for a window; the assurance's own window unless given."""

    capability: str
    units: int
    window_start_us: int | None = None
    window_end_us: int | None = None


class Sources(msgspec.Struct, frozen=True):
    """Capacity ids under lock with the units wanted of each, as pledges to judge."""

    units: dict[int, int]
    pledges: list[Pledge]


_FIND = """
SELECT w.ord, p.id FROM unnest(%s::uuid[], %s::timestamptz[], %s::timestamptz[]) WITH ORDINALITY AS w(capability, start, finish, ord)
JOIN rights_capability c ON c.uuid = w.capability
JOIN rights_postedcapacity p ON p.capability_id = c.id AND p.window_start = w.start AND p.window_end = w.finish
"""
_LOCK = "SELECT id FROM rights_postedcapacity WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
_PLEDGED = "SELECT capacity_id, units FROM rights_assurancesource WHERE assurance_id = %s ORDER BY capacity_id"
_DROP = "DELETE FROM rights_assurancesource WHERE assurance_id = %s AND NOT capacity_id = ANY(%s)"
_PLEDGE = """
INSERT INTO rights_assurancesource (assurance_id, capacity_id, units)
SELECT %s, w.capacity, w.units FROM unnest(%s::bigint[], %s::bigint[]) AS w(capacity, units) ORDER BY w.capacity
ON CONFLICT (assurance_id, capacity_id) DO UPDATE SET units = excluded.units WHERE rights_assurancesource.units <> excluded.units
"""


def find_capacity(sources: Sequence[Source], *, window_start_us: int, window_end_us: int) -> tuple[dict[int, int], list[Refusal]]:
    """Capacity ids in the order of `sources` with the units wanted of each, and what is wrong with the list itself."""
    starts = [rfc3339(window_start_us if s.window_start_us is None else s.window_start_us) for s in sources]
    ends = [rfc3339(window_end_us if s.window_end_us is None else s.window_end_us) for s in sources]
    found = dict(rows.fetch_all(_FIND, [rows.array(s.capability for s in sources), starts, ends]))
    refusals: list[Refusal] = []
    units: dict[int, int] = {}
    if len(sources) > MOST_SOURCES:
        refusals.append(Refusal("sources_many", f"at most {MOST_SOURCES} sources", "sources"))
    for place, source in enumerate(sources):
        capacity_id = found.get(place + 1)
        if capacity_id is None:
            words = f"cap_{source.capability} has posted nothing for this window"
            refusals.append(Refusal("source_unknown", words, f"sources.{place}"))
        elif capacity_id in units:
            refusals.append(Refusal("source_twice", "the same capacity stands in the list before", f"sources.{place}"))
        else:
            units[capacity_id] = source.units
    return units, refusals


def lock_capacity(capacity_ids: Iterable[int]) -> None:
    """Nobody else pledges these, or posts them anew, until the transaction ends."""
    rows.fetch_all(_LOCK, [sorted(set(capacity_ids))])


def pledged_to(assurance_id: int) -> dict[int, int]:
    """Capacity id → units that the assurance holds of it now."""
    return dict(rows.fetch_all(_PLEDGED, [assurance_id]))


def pledges_of(units: dict[int, int], *, issuer: Issuer, held: dict[int, int], field: str) -> list[Pledge]:
    """The wanted units as pledges to judge; `held` is what the assurance has already. The capacity is under the caller's lock."""
    found = capacity_rows(units)
    return [
        Pledge(
            capability=found[capacity_id].capability,
            window_start_us=found[capacity_id].window_start_us,
            window_end_us=found[capacity_id].window_end_us,
            free_units=found[capacity_id].units - found[capacity_id].pledged_units + held.get(capacity_id, 0),
            units=wanted,
            own=found[capacity_id].participant_id == issuer.participant_id,
            offered=issuer.slug in found[capacity_id].issuers,
            field=f"{field}.{place}" if field else "",
        )
        for place, (capacity_id, wanted) in enumerate(units.items())
    ]


def write_pledges(assurance_id: int, units: dict[int, int]) -> None:
    """Let exactly these capacities stand behind the assurance. Less comes before more, so that what moves never counts twice."""
    rows.execute(_DROP, [assurance_id, list(units)])
    rows.execute(_PLEDGE, [assurance_id, rows.array(units), rows.array(units.values())])
