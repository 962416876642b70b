"""Units of a package at work (SPEC §6, §8): what it has locked goes over to the route that uses it, and what was not used comes back.

A part of which everything is at work stays in the package without units, so that what comes back finds its place; used up, it leaves.
What the holder has taken out of the package meanwhile, sold with it or taken apart, does not come back: it is free in his hands.
Locks: the package's row, then the rights. Who calls appends the facts to the registry's stream, last of all.
"""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from rights.domain.package import PartFacts
from rights.kernel import rows
from rights.kernel.clock import rfc3339
from rights.kernel.ids import public
from rights.models import Package
from rights.services.journal import NewEvent
from rights.services.locks import Lock, Shift, shift_locks
from settlement.services.packages import LOCK, parts_of, revised

_ADD = """
UPDATE rights_packagepart x SET units = x.units + w.units FROM unnest(%s::uuid[], %s::bigint[]) AS w(right_id, units)
WHERE x.package_id = %s AND x.removed_at IS NULL AND x.right_id = w.right_id
"""
_LEAVE = "UPDATE rights_packagepart SET removed_at = %s WHERE package_id = %s AND removed_at IS NULL AND right_id = ANY(%s::uuid[])"
_AT_WORK = """
SELECT DISTINCT right_id::text FROM settlement_route
WHERE package_id = %s AND right_id = ANY(%s::uuid[]) AND state IN ('locked', 'executing') AND request_id <> %s
"""


class OpenPackage(msgspec.Struct):
    """A package under lock, with the parts it has as they are."""

    row: Package
    parts: list[PartFacts]

    @property
    def ref(self) -> str:
        return public("pkg", str(self.row.uuid))

    def has(self, right_id: str) -> int:
        """The units that it has of a right."""
        return sum(part.units for part in self.parts if part.right_id == right_id)

    def takes_back(self, right_id: str, holder_id: int) -> bool:
        """Whether units of the right belong in it still, when they are this holder's."""
        mine = self.row.state == "active" and self.row.holder_id == holder_id
        return mine and any(part.right_id == right_id for part in self.parts)


def open_package(package_id: int) -> OpenPackage:
    """The package of this number under lock, whatever has become of it."""
    row = Package.objects.select_for_update(no_key=True).get(pk=package_id)
    return OpenPackage(row, parts_of(row))


def draw_locks(*, package: OpenPackage, locks: Sequence[Lock], request: str, now_us: int) -> NewEvent:
    """These locks are taken out of the package's, which has so much; the fact. The rights are under lock. `request` is a public id."""
    shift_locks(shifts=[Shift(package.ref, lock) for lock in locks], now_us=now_us)
    return _changed(package, {lock: -lock.units for lock in locks}, request, now_us)


def return_locks(*, package: OpenPackage, locks: Sequence[Lock], request: str, now_us: int) -> list[NewEvent]:
    """What these hold goes back to the package, which takes it back; the fact. The rights are under lock."""
    if not locks:
        return []
    shift_locks(shifts=[Shift(lock.ref, Lock(lock.right_id, LOCK, package.ref, lock.units)) for lock in locks], now_us=now_us)
    return [_changed(package, {lock: lock.units for lock in locks}, request, now_us)]


def settle_locks(
    *, package: OpenPackage, locks: Sequence[tuple[Lock, int]], holder_id: int, request_id: str, now_us: int
) -> tuple[list[int], list[NewEvent]]:
    """Of each lock so many units are used: what of the rest the package takes back, in the order given, and the facts.

    The part of a right that is used up leaves the package, and with its last part the package ends. The rights are under lock.
    """
    rests = [lock.units - used if lock.units > used and package.takes_back(lock.right_id, holder_id) else 0 for lock, used in locks]
    back = [Lock(lock.right_id, lock.kind, lock.ref, rest) for (lock, _), rest in zip(locks, rests, strict=True) if rest]
    events = return_locks(package=package, locks=back, request=public("req", request_id), now_us=now_us)
    return rests, events + _leaving(package, {lock.right_id for lock, _ in locks}, request_id, now_us)


def _leaving(package: OpenPackage, right_ids: Collection[str], request_id: str, now_us: int) -> list[NewEvent]:
    """Parts without units of which nothing is at work any more are no parts."""
    empty = sorted(part.right_id for part in package.parts if not part.units and part.right_id in right_ids)
    if not empty or package.row.state != "active":
        return []
    busy = {right for (right,) in rows.fetch_all(_AT_WORK, [package.row.pk, rows.array(empty), request_id])}
    gone = [right for right in empty if right not in busy]
    if not gone:
        return []
    rows.execute(_LEAVE, [rfc3339(now_us), package.row.pk, rows.array(gone)])
    package.parts = [part for part in package.parts if part.right_id not in gone]
    if not package.parts:
        package.row.state = "finalized"
    return [_told(package, public("req", request_id), now_us)]


def _changed(package: OpenPackage, changes: Mapping[Lock, int], request: str, now_us: int) -> NewEvent:
    sums: dict[str, int] = {}
    for lock, units in changes.items():
        sums[lock.right_id] = sums.get(lock.right_id, 0) + units
    rows.execute(_ADD, [rows.array(sums), rows.array(sums.values()), package.row.pk])
    package.parts = [msgspec.structs.replace(part, units=part.units + sums.get(part.right_id, 0)) for part in package.parts]
    return _told(package, request, now_us)


def _told(package: OpenPackage, request: str, now_us: int) -> NewEvent:
    kind, fact = revised(package.row, package.parts, now_us)
    return NewEvent(kind, "package", package.ref, fact, {"request": request})
