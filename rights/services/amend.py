"""Amend a right (SPEC §2): new metadata beside its terms, or new terms where nobody else holds anything of its lineage.

The assurances are locked first, then the right, then the streams: the one it leaves and the one it comes to, in order.
"""

from typing import Any

import msgspec
from django.db import transaction
from django.db.models import F

from rights.domain import right_events
from rights.domain.amendment import Amendment, amendment_refusals
from rights.domain.issuance import issuance_refusals, standing_refusals
from rights.domain.lifecycle import RightStatus
from rights.domain.manifest import Manifest, read_manifest, stored_manifest
from rights.domain.reason import stated_reason
from rights.kernel.clock import rfc3339, to_datetime, to_us
from rights.kernel.ids import public
from rights.models import Assurance, Right, Series
from rights.selectors import right_window_end_us
from rights.services.issue import assurance_facts, find_assurance, issuer_facts
from rights.services.journal import NewEvent, append
from rights.services.refusals import IssuanceRefusedError, LifecycleRefusedError, lifecycle_refused
from rights.services.register import class_for, series_for, terms_for
from rights.services.row import locked, remember


class Change(msgspec.Struct, frozen=True):
    """What is amended, and why. `document` is the whole manifest as it is to be."""

    amendment: Amendment
    document: object
    reason: str


@transaction.atomic
def amend_right(*, right_id: str, change: Change, actor: str, now_us: int) -> Right:
    """The amended right. Raises LifecycleRefusedError with every reason, ManifestRefusedError, IssuanceRefusedError, ReasonMissing.

    `right_not_held`: new terms for a right that is not in its issuer's own hands; `right_changed`: another amendment came first;
    `replacement_needed` names what never changes once active; `amendment_lineage`: others hold parts of the same lineage.
    """
    change = msgspec.structs.replace(change, reason=stated_reason(change.reason))
    manifest = read_manifest(change.document)
    seen = Right.objects.select_related("series", "terms", "issuer").get(pk=right_id)
    assurance = seen.assurance if change.amendment is Amendment.METADATA else find_assurance(issuer=seen.issuer, manifest=manifest)
    list(Assurance.objects.select_for_update(no_key=True).filter(pk__in={seen.assurance_id, assurance.pk}).order_by("pk"))
    right = locked(right_id)
    if right.assurance_id != seen.assurance_id:
        raise lifecycle_refused("right_changed", "another amendment put it on another assurance; look at it again")
    former = stored_manifest(right.terms.manifest, right.terms_id)
    _check(right, change, former, manifest)
    if change.amendment is Amendment.METADATA:
        return _relabel(right, change, manifest, actor, now_us)
    return _new_terms(right, change, manifest, Assurance.objects.get(pk=assurance.pk), actor, now_us)


@transaction.atomic
def remember_reassignment(*, right_id: str, holder_id: int, reason: str, actor: str, now_us: int, approved_by: str | None = None) -> None:
    """Say why a registry admin gave the right to somebody else; the move itself, through every gate, has its own event before this one.

    Raises LifecycleRefusedError `right_changed` when it had more units than were moved, so that a part went and not the right.
    """
    right = locked(right_id)
    if right.holder_id != holder_id:
        raise lifecycle_refused("right_changed", "the right grew at the same moment; look at it again")
    change = Change(Amendment.HOLDER, None, stated_reason(reason))
    fact = _fact(right, change, right.terms_id, manifest=None, moved=None, approved_by=approved_by)
    remember(right, fact, actor=actor, now_us=now_us)


def _check(right: Right, change: Change, former: Manifest, latter: Manifest) -> None:
    document = former.document if right.metadata is None else former.document | {"metadata": right.metadata}
    refusals = amendment_refusals(amendment=change.amendment, status=RightStatus(right.status), former=document, latter=latter.document)
    if refusals:
        raise LifecycleRefusedError(refusals)
    if change.amendment is Amendment.METADATA:
        return
    # Also while it is issued: what was sold or issued to somebody is theirs under the terms they took it by.
    if right.holder.participant_id != right.issuer.participant_id:
        raise lifecycle_refused("right_not_held", "new terms are for a right in its issuer's own hands; replace this one instead")
    if right.parent_id is not None or right.children.exists():
        raise lifecycle_refused("amendment_lineage", "other rights descend from the same terms; replace this one instead")
    if right.reserved_units:
        raise lifecycle_refused("units_reserved", f"{right.reserved_units} units are still reserved")


def _relabel(right: Right, change: Change, manifest: Manifest, actor: str, now_us: int) -> Right:
    right.metadata, right.updated_at = manifest.document["metadata"], to_datetime(now_us)
    right.save(update_fields=["metadata", "updated_at"])
    remember(right, _fact(right, change, right.terms_id, manifest=None, moved=None), actor=actor, now_us=now_us)
    return right


def _new_terms(right: Right, change: Change, manifest: Manifest, assurance: Assurance, actor: str, now_us: int) -> Right:
    compute_class = class_for(manifest=manifest, issuer_tier=right.issuer.tier)
    series = series_for(compute_class=compute_class, manifest=manifest)
    former_terms, former_series = right.terms_id, right.series
    _move_backing(right, manifest, compute_class.fingerprint, assurance, now_us)
    right.terms = terms_for(compute_class=compute_class, manifest=manifest)
    right.series, right.updated_at = series, to_datetime(now_us)
    right.ends_at = to_datetime(right_window_end_us(right))
    right.metadata = None
    if series.pk != former_series.pk:
        right.netted = False
    right.save(update_fields=["terms", "series", "ends_at", "assurance", "metadata", "netted", "updated_at"])
    moved = None if series.pk == former_series.pk else _moved(right, former_series)
    kind, fact = _fact(right, change, former_terms, manifest=manifest.document, moved=moved)
    event = NewEvent(kind, "right", public("rgt", str(right.pk)), fact)
    for stream_id in sorted({former_series.stream_id, series.stream_id}):
        append(stream_id=stream_id, events=[event], actor=actor, now_us=now_us)
    return right


def _move_backing(right: Right, manifest: Manifest, print_hex: str, assurance: Assurance, now_us: int) -> None:
    """The terms fit issuer and assurance; where that is another one, capacity is given back and taken. Raises IssuanceRefusedError."""
    stays = assurance.pk == right.assurance_id
    refusals = (standing_refusals if stays else issuance_refusals)(
        manifest=manifest, fingerprint=print_hex, issuer=issuer_facts(right.issuer), assurance=assurance_facts(assurance), now_us=now_us
    )
    if refusals:
        raise IssuanceRefusedError(refusals)
    if stays:
        return
    for assurance_id, units in ((right.assurance_id, -right.max_units), (assurance.pk, right.max_units)):
        Assurance.objects.filter(pk=assurance_id).update(issued_units=F("issued_units") + units)
    right.assurance = assurance


def _fact(
    right: Right,
    change: Change,
    former_terms: str,
    *,
    manifest: dict[str, Any] | None,
    moved: dict[str, Any] | None,
    approved_by: str | None = None,
) -> tuple[str, dict[str, object]]:
    payload = right_events.amended(
        right=str(right.pk),
        amendment=change.amendment,
        reason=change.reason,
        former_terms=former_terms,
        terms_hash=right.terms_id,
        manifest=manifest,
        metadata=right.metadata,
        assurance=None if manifest is None else str(right.assurance.uuid),
        moved=moved,
        approved_by=approved_by,
    )
    return right_events.AMENDED, payload


def _moved(right: Right, former: Series) -> dict[str, Any]:
    """Where it came from and to, and all that the stream it comes to has to know."""
    series = right.series
    return {
        "from": str(former.pk),
        "to": str(series.pk),
        "class": {"fingerprint": series.compute_class.fingerprint, "key": series.compute_class.key},
        "unit": series.compute_class.unit,
        "window": {
            "end": rfc3339(to_us(series.window_end)),
            "epoch_size_s": series.epoch_size_s,
            "mode": series.window_mode,
            "start": rfc3339(to_us(series.window_start)),
        },
        "state": {
            "acquired_at": rfc3339(to_us(right.acquired_at)),
            "activated_at": "" if right.activated_at is None else rfc3339(to_us(right.activated_at)),
            "assurance": f"ast_{right.assurance.uuid}",
            "controller": f"acc_{right.controller.uuid}",
            "created_at": rfc3339(to_us(right.created_at)),
            "epoch_at": "" if right.epoch_at is None else rfc3339(to_us(right.epoch_at)),
            "epoch_used_units": str(right.epoch_used_units),
            "holder": f"acc_{right.holder.uuid}",
            "issuer": right.issuer.slug,
            "max_units": str(right.max_units),
            "remaining_units": str(right.remaining_units),
            "status": right.status,
        },
    }
