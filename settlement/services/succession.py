"""What remains of a right at its end goes where its own terms say (SPEC §2, `expiry_policy`; §9, expired).

`burn`: nowhere. `roll`: into a right of the next window of the same length, as far as the issuer's assurance for that window has room.
`reissue`: into a right of the issuer's next window that can take it, whichever that is. What finds no place burns, and the event says why.
An assurance there is one of the same mode and basis, rather the one the terms name. Its lock comes before the right's (ARCHITECTURE.md), and
its count is the database's constraint.
"""

from collections.abc import Mapping

import msgspec
from django.db import transaction

from rights.domain.manifest import Manifest, ManifestRefusedError, read_manifest, stored_manifest
from rights.domain.succession import BURN, LINKS, NO_ROOM, NO_WINDOW, ROLL, UNFIT, Room, in_turn, moved_into, next_window
from rights.domain.units import issuable_units
from rights.kernel import rows
from rights.kernel.clock import rfc3339, to_us
from rights.kernel.ids import Mint
from rights.models import Right
from rights.services.expire import Fate
from rights.services.journal import append_each, lock_streams
from rights.services.refusals import RegistryRefusalError, lifecycle_refused
from rights.services.register import class_for, series_for
from settlement.services.grants import ACTOR, Grant, issue_grant, link

MOST_ROOMS = 8  # that are looked at, the earliest
_TERMS = """
SELECT t.terms_hash, t.manifest FROM rights_right r JOIN rights_terms t ON t.terms_hash = r.terms_hash WHERE r.id = %s::uuid
"""
_COMING = """
SELECT a.id FROM rights_right r JOIN rights_series s ON s.id = r.series_id
JOIN rights_assurance a ON (a.issuer_id, a.compute_class_id) = (r.issuer_id, s.compute_class_id)
WHERE r.id = %(right)s::uuid AND a.window_start >= %(since)s AND a.window_end > %(now)s
  AND (%(until)s::timestamptz IS NULL OR (a.window_start, a.window_end) = (%(since)s, %(until)s))
ORDER BY a.window_start, a.window_end, a.reference <> %(reference)s, a.id LIMIT %(most)s
"""
_LOCK = """
SELECT window_start, window_end, reference, gross_units, haircut_bps, overbook_bps, issued_units FROM rights_assurance
WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE
"""


class Coming(msgspec.Struct, frozen=True):
    """Where a right under these terms may go over, the capacity behind it under lock."""

    manifest: Manifest
    policy: str
    rooms: tuple[Room, ...] = ()


class CarriedOver(msgspec.Struct, frozen=True):
    """What became of what remained: `latter` stands for the part of it that went over."""

    fate: Fate
    latter: Right | None = None


def lock_coming(*, right_id: str, now_us: int) -> Coming:
    """Lock the assurances on which the right may go over, before the right itself. Raises Right.DoesNotExist."""
    found = rows.fetch_one(_TERMS, [right_id])
    if found is None:
        raise Right.DoesNotExist
    manifest = stored_manifest(found[1], found[0])
    policy = manifest.document["settlement_policy"]["expiry_policy"]
    if policy == BURN:
        return Coming(manifest, policy)
    since_us, until_us = next_window(manifest.window_start_us, manifest.window_end_us)
    asked = {
        "right": right_id,
        "reference": manifest.document["assurance"]["reference"],
        "since": rfc3339(since_us),
        "until": rfc3339(until_us) if policy == ROLL else None,
        "now": rfc3339(now_us),
        "most": MOST_ROOMS,
    }
    ids = [row[0] for row in rows.fetch_all(_COMING, asked)]
    rooms = tuple(
        Room(to_us(start), to_us(end), max(0, issuable_units(gross, haircut, overbook) - issued), reference)
        for start, end, reference, gross, haircut, overbook, issued in rows.fetch_all(_LOCK, [ids])
    )
    return Coming(manifest, policy, rooms)


def carry_over(*, right: Right, coming: Coming, mint: Mint, now_us: int) -> CarriedOver:
    """Issue what stands for what remains of the right, which is under lock, to its holder. `keep_link` is to follow, behind its expiry.

    Raises LifecycleRefusedError `right_changed` when other terms came into force since `lock_coming`.
    """
    if right.terms_id != coming.manifest.terms_hash:
        raise lifecycle_refused("right_changed", "it has other terms since it was looked at; look at it again")
    policy, units = coming.policy, right.remaining_units
    if policy == BURN or not units:
        return CarriedOver(Fate(policy))
    why = NO_ROOM if coming.rooms else NO_WINDOW
    terms = coming.manifest.document
    for room, some in in_turn(coming.rooms, units, terms["assurance"]["reference"]):
        document = moved_into(terms, room)
        try:
            latter = _issue(Grant(right, right.holder, some, document, LINKS[policy]), mint, now_us)
        except RegistryRefusalError as refusal:
            why = refusal.code
        except ManifestRefusedError:  # a shorter window than an epoch or a cut-off of its terms
            why = UNFIT
        else:
            return CarriedOver(Fate(policy, some, None if some == units else NO_ROOM), latter)
    return CarriedOver(Fate(policy, why=why))


def _issue(grant: Grant, mint: Mint, now_us: int) -> Right:
    """Issue it whole or not at all, with both streams under lock, in order."""
    with transaction.atomic():
        manifest = read_manifest(grant.document)
        series = series_for(compute_class=class_for(manifest=manifest, issuer_tier=grant.former.issuer.tier), manifest=manifest)
        lock_streams([grant.former.series.stream_id, series.stream_id])
        return issue_grant(grant, mint=mint, now_us=now_us)


def keep_link(*, right: Right, carried: CarriedOver, now_us: int) -> None:
    """Link the expired right and the one that stands for it, both ways."""
    fate, latter = carried.fate, carried.latter
    if latter is not None:
        reason = f"what remained at its end: {fate.policy}"
        said: Mapping[str, str] = {"kind": LINKS[fate.policy], "reason": reason}
        facts = link(former=right, latter=latter, units=fate.carried_units, now_us=now_us, **said)
        append_each(events=facts, actor=ACTOR, now_us=now_us)
