"""Replace a right by another one (SPEC §2): the old one ends, the new one is issued to the same holder, linked both ways."""

from typing import Any

from django.db import transaction

from rights.domain import right_events
from rights.domain.manifest import read_manifest
from rights.domain.reason import stated_reason
from rights.kernel.clock import to_datetime
from rights.kernel.ids import Mint
from rights.models import Assurance, Issuer, Right, RightLink
from rights.models.right import LINK_KINDS
from rights.services.issue import find_assurance
from rights.services.refusals import lifecycle_refused
from rights.services.register import class_for, series_for
from rights.services.row import Seen, check_seen, locked, remember
from settlement.services.issuance import finalize_right, issue_right

_MADE = {"replaced": right_events.REISSUED_FROM, "reissued": right_events.REISSUED_FROM, "migrated": right_events.MIGRATED}


@transaction.atomic
def replace_right(
    *,
    right_id: str,
    issuer: Issuer,
    document: object,
    kind: str,
    reason: str,
    mint: Mint,
    actor: str,
    now_us: int,
    anybodys: Seen | None = None,
    approved_by: str | None = None,
) -> tuple[Right, Right]:
    """(the ended right, the one that stands for it). `kind`: `replaced`, `reissued` or `migrated`.

    It ends in its issuer's own hands; with `anybodys`, as it was seen when two persons decided, in those. Raises LifecycleRefusedError
    `right_not_held`, `right_changed`, `replacement_kind`, `replacement_units` (it promises more than remained), and what finalizing and issuing raise.
    """
    reason = stated_reason(reason)
    if kind not in LINK_KINDS:
        raise lifecycle_refused("replacement_kind", f"a kind is one of {', '.join(LINK_KINDS)}")
    manifest = read_manifest(document)
    # Before the right: what backs the one and the other.
    behind = {Right.objects.values_list("assurance_id", flat=True).get(pk=right_id), find_assurance(issuer=issuer, manifest=manifest).pk}
    list(Assurance.objects.select_for_update(no_key=True).filter(pk__in=behind).order_by("pk"))
    former = locked(right_id)
    if former.assurance_id not in behind:
        raise lifecycle_refused("right_changed", "an amendment put it on another assurance meanwhile; look at it again")
    check_seen(former, anybodys)
    if anybodys is None and former.holder.participant_id != issuer.participant_id:
        raise lifecycle_refused("right_not_held", "the right is in other hands; there a replacement takes the role finalizer too")
    units, holder = former.remaining_units, former.holder
    if manifest.units > units:
        raise lifecycle_refused("replacement_units", f"{units} units remain; a replacement promises no more")
    series = series_for(compute_class=class_for(manifest=manifest, issuer_tier=issuer.tier), manifest=manifest)
    streams = (former.series.stream_id, series.stream_id)
    said: dict[str, Any] = {"mint": mint, "actor": actor, "now_us": now_us}
    finalize_right(right_id=right_id, ref=kind, reason=reason, streams=streams, approved_by=approved_by, **said)
    latter = issue_right(issuer=issuer, holder=holder, document=document, **said)
    RightLink.objects.create(
        kind=kind, former_id=right_id, latter=latter, units=latter.max_units, reason=reason, created_at=to_datetime(now_us)
    )
    made = right_events.reissued_from(right=str(latter.pk), former=right_id, units=latter.max_units, kind=kind, reason=reason)
    ended = right_events.replaced(right=right_id, by=str(latter.pk), units=latter.max_units, kind=kind, reason=reason)
    former = locked(right_id)
    facts = [(former, right_events.REPLACED, ended), (latter, _MADE[kind], made)]
    for right, event, payload in sorted(facts, key=lambda fact: fact[0].series.stream_id):
        remember(right, (event, payload), actor=actor, now_us=now_us)
    return former, latter
