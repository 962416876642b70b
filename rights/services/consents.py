"""Consents of issuers and acknowledgments of the registry (SPEC §4): asked for, granted, denied, revoked, run out.

Every change locks the consent's row; a transfer that relies on one holds it in share mode, so a revocation comes before the
transfer or after it, never in between.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec
from django.db import transaction

from rights.domain import consent_events
from rights.domain.reason import stated_reason
from rights.kernel import rows
from rights.kernel.clock import rfc3339, to_datetime, to_us
from rights.kernel.ids import public
from rights.kernel.planned import load
from rights.models import Account, Consent, Issuer, PackagePart, Right
from rights.services.journal import NewEvent, append, stream_for
from rights.services.refusals import lifecycle_refused
from rights.services.row import locked

REGISTRY = "registry"
LONGEST_S = 366 * 86_400


class Coverage(msgspec.Struct, frozen=True):
    """What a counterparty's or a standing consent is about: one lineage, one set of terms, or all rights of the issuer."""

    root_id: str | None = None
    terms_hash: str = ""


class Asked(msgspec.Struct, frozen=True):
    """One transfer that needs somebody's word: `units` of `right` to `taker`; the answer is due by `deadline_us`."""

    right: Right
    taker: Account
    units: int
    kind: str = "consent"
    note: str = ""
    deadline_us: int | None = None


@transaction.atomic
def request_consent(*, asked: Asked, consent_id: str, actor: str, now_us: int) -> Consent:
    """The holder's request, pending.

    Raises LifecycleRefusedError `right_not_held` (it is no longer his), `consent_not_needed`, `consent_pending`, `units_unavailable`.
    """
    right = locked(str(asked.right.pk))
    if right.holder_id != asked.right.holder_id:
        raise lifecycle_refused("right_not_held", "the right is in other hands")
    policy = right.terms.transfer_policy
    needs = {"consent": "requires_issuer_consent", "acknowledgment": "requires_registry_acknowledgment"}[asked.kind]
    if not policy.get(needs) and not _package_needs(right, needs):
        raise lifecycle_refused("consent_not_needed", f"neither its terms nor a package's policy ask for any {asked.kind}")
    if not 0 < asked.units <= right.remaining_units:
        raise lifecycle_refused("units_unavailable", f"{asked.units} units asked, {right.remaining_units} remain")
    if asked.deadline_us is not None and asked.deadline_us <= now_us:
        raise lifecycle_refused("consent_deadline", "the deadline has passed")
    open_ones = Consent.objects.filter(right=right, taker=asked.taker, kind=asked.kind, state="pending", units=asked.units)
    if open_ones.exists():
        raise lifecycle_refused("consent_pending", "the same request is waiting for its answer")
    row = Consent.objects.create(
        uuid=consent_id,
        kind=asked.kind,
        scope="transfer",
        state="pending",
        issuer_id=right.issuer_id,
        right=right,
        root_id=right.root_id,
        giver_id=right.holder_id,
        taker=asked.taker,
        units=asked.units,
        note=asked.note,
        requested_by=actor,
        requested_at=to_datetime(now_us),
        deadline_at=None if asked.deadline_us is None else to_datetime(asked.deadline_us),
    )
    _remember(row, consent_events.REQUESTED, _stated(row), actor, now_us)
    return row


@transaction.atomic
def answer_consent(*, consent_id: str, granted: bool, note: str, expires_us: int | None = None, actor: str, now_us: int) -> Consent:
    """Approve or deny what is pending. Raises LifecycleRefusedError `consent_answered`, `consent_expiry`, ReasonMissing on a denial."""
    row = _locked(consent_id)
    if row.state != "pending":
        raise lifecycle_refused("consent_answered", f"this request is {row.state}")
    if row.deadline_at is not None and to_us(row.deadline_at) <= now_us:
        raise lifecycle_refused("consent_deadline", "its deadline has passed")
    if granted:
        _check_expiry(expires_us, now_us)
    else:
        note = stated_reason(note)
    row.state = "granted" if granted else "denied"
    row.answer_note, row.decided_by, row.decided_at = note, actor, to_datetime(now_us)
    row.expires_at = None if expires_us is None or not granted else to_datetime(expires_us)
    row.save(update_fields=["state", "answer_note", "decided_by", "decided_at", "expires_at"])
    fact = _stated(row) if granted else consent_events.ended(note=note)
    _remember(row, consent_events.GRANTED if granted else consent_events.DENIED, fact, actor, now_us)
    return row


@transaction.atomic
def grant_standing(
    *,
    issuer: Issuer,
    kind: str,
    coverage: Coverage,
    taker: Account | None,
    expires_us: int | None,
    note: str,
    consent_id: str,
    actor: str,
    now_us: int,
) -> Consent:
    """A consent that stands: for `taker`, or for everybody. What stood for the same coverage and taker is replaced by it.

    Raises LifecycleRefusedError `consent_expiry`.
    """
    _check_expiry(expires_us, now_us)
    for former in _standing(issuer, kind, coverage, taker):
        _end(former, "revoked", "replaced", actor, now_us)
    row = Consent.objects.create(
        uuid=consent_id,
        kind=kind,
        scope="standing" if taker is None else "counterparty",
        state="granted",
        issuer=issuer,
        root_id=None if coverage.root_id is None else UUID(coverage.root_id),
        terms_hash=coverage.terms_hash,
        taker=taker,
        note=note,
        requested_by=actor,
        decided_by=actor,
        requested_at=to_datetime(now_us),
        decided_at=to_datetime(now_us),
        expires_at=None if expires_us is None else to_datetime(expires_us),
    )
    _remember(row, consent_events.GRANTED, _stated(row), actor, now_us)
    return row


@transaction.atomic
def revoke_consent(*, consent_id: str, note: str, actor: str, now_us: int, only_pending: bool = False) -> Consent:
    """Take back what stands or withdraw what is pending; `only_pending`: who asked may do no more than withdraw.

    Raises LifecycleRefusedError `consent_ended`, `consent_answered`, ReasonMissing.
    """
    row = _locked(consent_id)
    if only_pending and row.state != "pending":
        raise lifecycle_refused("consent_answered", f"this request is {row.state}")
    if row.state not in ("granted", "pending"):
        raise lifecycle_refused("consent_ended", f"this consent is {row.state}")
    _end(row, "revoked", stated_reason(note), actor, now_us)
    return row


@transaction.atomic
def expire_consents_due(*, actor: str, now_us: int, most: int = 200) -> int:
    """End requests that nobody answered in time and consents that ran out; how many."""
    at = to_datetime(now_us)
    late = Consent.objects.filter(state="pending", deadline_at__lte=at) | Consent.objects.filter(state="granted", expires_at__lte=at)
    due = list(late.select_for_update(no_key=True, skip_locked=True).order_by("pk")[:most])
    for row in due:
        row.state = "expired"
    if not due:
        return 0
    Consent.objects.bulk_update(due, ["state"])
    events = [NewEvent(consent_events.EXPIRED, "consent", public("cns", str(row.uuid)), consent_events.ended(note="")) for row in due]
    append(stream_id=stream_for(REGISTRY), events=events, actor=actor, now_us=now_us)
    return len(due)


_ONCE = """
state = 'granted' AND scope = 'transfer' AND right_id = ANY(%s::uuid[]) AND giver_id = %s AND taker_id = %s
AND (expires_at IS NULL OR expires_at > %s) ORDER BY id"""


def once_permits(*, units: Mapping[str, int], giver_id: int, taker_id: int, now_us: int) -> dict[tuple[str, str], Consent]:
    """Locked consents for a single transfer of `units` by right from giver to taker, by (right, kind): of several the smallest that suffices."""
    found = load(Consent, _ONCE, [rows.array(sorted(units)), giver_id, taker_id, to_datetime(now_us)], lock=True)
    enough = [row for row in found if (row.units or 0) >= units[str(row.right_id)]]
    return {(str(row.right_id), row.kind): row for row in sorted(enough, key=lambda row: -(row.units or 0))}


def mark_used(*, consents: Sequence[Consent], entry_id: str, actor: str, now_us: int) -> None:
    """The transfer they were given for has happened, in the caller's transaction; they are under lock (`once_permits`)."""
    if not consents:
        return
    for row in consents:
        row.state, row.used_at = "used", to_datetime(now_us)
    Consent.objects.bulk_update(consents, ["state", "used_at"])
    events = [
        NewEvent(consent_events.USED, "consent", public("cns", str(row.uuid)), consent_events.used(entry=entry_id, units=row.units or 0))
        for row in consents
    ]
    append(stream_id=stream_for(REGISTRY), events=events, actor=actor, now_us=now_us)


def _package_needs(right: Right, needs: str) -> bool:
    """Whether a package that has units of it asks for that beside its terms."""
    return PackagePart.objects.filter(right=right, removed_at=None, **{f"package__policy__{needs}": True}).exists()


def _locked(consent_id: str) -> Consent:
    return (
        Consent.objects.select_for_update(of=("self",), no_key=True)
        .select_related("issuer", "right", "giver", "taker")
        .get(uuid=consent_id)
    )


def _check_expiry(expires_us: int | None, now_us: int) -> None:
    if expires_us is not None and not now_us < expires_us <= now_us + LONGEST_S * 1_000_000:
        raise lifecycle_refused("consent_expiry", "a consent expires within 366 days from now, or never")


def _standing(issuer: Issuer, kind: str, coverage: Coverage, taker: Account | None) -> list[Consent]:
    same = Consent.objects.filter(
        issuer=issuer, kind=kind, state="granted", taker=taker, terms_hash=coverage.terms_hash, root_id=coverage.root_id
    )
    return list(same.exclude(scope="transfer").select_for_update(no_key=True).order_by("pk"))


def _end(row: Consent, state: str, note: str, actor: str, now_us: int) -> None:
    row.state, row.answer_note = state, note
    row.save(update_fields=["state", "answer_note"])
    _remember(row, consent_events.REVOKED, consent_events.ended(note=note), actor, now_us)


def _stated(row: Consent) -> consent_events.Payload:
    return consent_events.stated(
        kind=row.kind,
        scope=row.scope,
        issuer=row.issuer.slug,
        right=None if row.right_id is None else str(row.right_id),
        root=None if row.root_id is None else str(row.root_id),
        terms_hash=row.terms_hash,
        giver=None if row.giver is None else str(row.giver.uuid),
        taker=None if row.taker is None else str(row.taker.uuid),
        units=row.units,
        note=row.note,
        answer_note=row.answer_note,
        deadline_at=None if row.deadline_at is None else rfc3339(to_us(row.deadline_at)),
        expires_at=None if row.expires_at is None else rfc3339(to_us(row.expires_at)),
    )


def _remember(row: Consent, kind: str, fact: consent_events.Payload, actor: str, now_us: int) -> None:
    event = NewEvent(kind, "consent", public("cns", str(row.uuid)), fact)
    append(stream_id=stream_for(REGISTRY), events=[event], actor=actor, now_us=now_us)
