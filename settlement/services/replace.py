"""Replace a right by another one (SPEC §2): the old one ends, the new one is issued to the same holder, linked both ways."""

from typing import Any

from django.db import transaction

from rights.domain.manifest import read_manifest
from rights.domain.reason import stated_reason
from rights.kernel.ids import Mint
from rights.models import Assurance, Issuer, Right
from rights.models.right import REPLACEMENTS
from rights.services.issue import find_assurance
from rights.services.journal import append_each
from rights.services.refusals import lifecycle_refused
from rights.services.register import class_for, series_for
from rights.services.row import Seen, check_seen, locked
from settlement.services.grants import link
from settlement.services.issuance import finalize_right, issue_right


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
    if kind not in REPLACEMENTS:
        raise lifecycle_refused("replacement_kind", f"a kind is one of {', '.join(REPLACEMENTS)}")
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
    former = locked(right_id)
    facts = link(former=former, latter=latter, units=latter.max_units, kind=kind, reason=reason, now_us=now_us)
    append_each(events=facts, actor=actor, now_us=now_us)
    return former, latter
