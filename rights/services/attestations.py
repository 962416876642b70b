"""What is vouched for about a holder, with evidence and expiry (SPEC §4): `kyc`, `enterprise`, …, and its jurisdiction."""

import re

import msgspec
from django.db import transaction

from rights.domain import consent_events
from rights.domain.reason import stated_reason
from rights.kernel.clock import rfc3339, to_datetime
from rights.kernel.ids import public
from rights.models import Account, Attestation
from rights.selectors.reception import JURISDICTION
from rights.services.journal import NewEvent, append, stream_for
from rights.services.refusals import lifecycle_refused

REGISTRY = "registry"
_WORD = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", re.ASCII)
_PLACE = re.compile(r"[A-Z]{2}(?:-[A-Z0-9]{1,8})?", re.ASCII)


class Fact(msgspec.Struct, frozen=True):
    """`kind` a word; `value` only for `jurisdiction`: its code. `evidence` says where the proof is kept."""

    kind: str
    evidence: str
    value: str = ""
    expires_us: int | None = None


@transaction.atomic
def attest(*, account: Account, fact: Fact, attestation_id: str, actor: str, now_us: int) -> Attestation:
    """The attestation; an earlier one of the same kind ends with it. Raises LifecycleRefusedError `attestation_malformed`."""
    _check(fact, now_us)
    Account.objects.select_for_update(no_key=True).get(pk=account.pk)
    Attestation.objects.filter(account=account, kind=fact.kind, revoked_at__isnull=True).update(revoked_at=to_datetime(now_us))
    row = Attestation.objects.create(
        uuid=attestation_id,
        account=account,
        kind=fact.kind,
        value=fact.value,
        evidence=fact.evidence,
        attested_by=actor,
        attested_at=to_datetime(now_us),
        expires_at=None if fact.expires_us is None else to_datetime(fact.expires_us),
    )
    payload = consent_events.attested(
        attestation=attestation_id,
        kind=fact.kind,
        value=fact.value,
        evidence=fact.evidence,
        expires_at=None if fact.expires_us is None else rfc3339(fact.expires_us),
    )
    _remember(account, consent_events.ATTESTED, payload, actor, now_us)
    return row


@transaction.atomic
def revoke_attestation(*, attestation_id: str, note: str, actor: str, now_us: int) -> Attestation:
    """It no longer holds. Raises LifecycleRefusedError `attestation_ended`, ReasonMissing."""
    row = Attestation.objects.select_for_update(of=("self",), no_key=True).select_related("account").get(uuid=attestation_id)
    if row.revoked_at is not None:
        raise lifecycle_refused("attestation_ended", "it was revoked or replaced before")
    note = stated_reason(note)
    row.revoked_at = to_datetime(now_us)
    row.save(update_fields=["revoked_at"])
    payload = consent_events.attestation_revoked(attestation=attestation_id, kind=row.kind, note=note)
    _remember(row.account, consent_events.ATTESTATION_REVOKED, payload, actor, now_us)
    return row


def _check(fact: Fact, now_us: int) -> None:
    place = _PLACE.fullmatch(fact.value) if fact.kind == JURISDICTION else fact.value == ""
    checks = (
        (_WORD.fullmatch(fact.kind), "kind is a word of a-z, 0-9 and inner hyphens, at most 40"),
        (place, "value is a jurisdiction's code (such as DE or US-CA) for the kind jurisdiction, and empty for others"),
        (0 < len(fact.evidence) <= 200, "evidence has 1 to 200 characters"),
        (fact.expires_us is None or fact.expires_us > now_us, "expires_at lies ahead"),
    )
    for holds, words in checks:
        if not holds:
            raise lifecycle_refused("attestation_malformed", words)


def _remember(account: Account, kind: str, payload: consent_events.Payload, actor: str, now_us: int) -> None:
    event = NewEvent(kind, "account", public("acc", str(account.uuid)), payload)
    append(stream_id=stream_for(REGISTRY), events=[event], actor=actor, now_us=now_us)
