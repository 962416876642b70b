"""Consents and attestations as a caller may see them."""

from typing import Any

from django.db.models import Q, QuerySet

from exchange.selectors.registry import EVERYTHING
from exchange.services.identity import Principal
from rights.kernel.clock import rfc3339, to_us
from rights.kernel.ids import public
from rights.models import Attestation, Consent


def visible_consents(principal: Principal) -> QuerySet[Consent]:
    """What the caller asked for, what concerns it as a taker, what its issuers are asked; everything for operators and auditors."""
    every = Consent.objects.select_related("issuer", "right", "giver__participant", "taker__participant")
    if principal.scopes & EVERYTHING:
        return every
    mine = Q(giver_id=principal.account_id) | Q(taker_id=principal.account_id)
    if principal.may("consent"):
        mine |= Q(issuer__participant_id=principal.participant_id)
    return every.filter(mine)


def consents(
    principal: Principal, *, state: str | None, kind: str | None, issuer: str | None, limit: int, after: int | None
) -> list[Consent]:
    """Newest first, at most `limit` + 1."""
    found = visible_consents(principal)
    if state is not None:
        found = found.filter(state=state)
    if kind is not None:
        found = found.filter(kind=kind)
    if issuer is not None:
        found = found.filter(issuer__slug=issuer)
    if after is not None:
        found = found.filter(pk__lt=after)
    return list(found.order_by("-pk")[: limit + 1])


def _at(moment: Any) -> str | None:
    return None if moment is None else rfc3339(to_us(moment))


def _named(principal: Principal, row: Consent) -> bool:
    """Whoever answers sees who asks; a holder learns nobody's name by asking about an account."""
    return bool(principal.scopes & EVERYTHING) or (principal.may("consent") and row.issuer.participant_id == principal.participant_id)


def consent_document(row: Consent, principal: Principal) -> dict[str, Any]:
    """A consent as the API shows it to this caller."""
    named = _named(principal, row)
    return {
        "id": public("cns", str(row.uuid)),
        "kind": row.kind,
        "scope": row.scope,
        "state": row.state,
        "issuer_id": row.issuer.slug,
        "right_id": None if row.right_id is None else public("rgt", str(row.right_id)),
        "root_right_id": None if row.root_id is None else public("rgt", str(row.root_id)),
        "terms_hash": row.terms_hash or None,
        "giver": None if row.giver is None else public("acc", str(row.giver.uuid)),
        "giver_name": row.giver.participant.name if named and row.giver else None,
        "taker": None if row.taker is None else public("acc", str(row.taker.uuid)),
        "taker_name": row.taker.participant.name if named and row.taker else None,
        "units": None if row.units is None else str(row.units),
        "note": row.note,
        "answer_note": row.answer_note,
        "requested_at": _at(row.requested_at),
        "deadline_at": _at(row.deadline_at),
        "decided_at": _at(row.decided_at),
        "expires_at": _at(row.expires_at),
        "used_at": _at(row.used_at),
    }


def visible_attestations(principal: Principal) -> QuerySet[Attestation]:
    """The caller's own; everybody's for operators and auditors."""
    every = Attestation.objects.select_related("account")
    return every if principal.scopes & EVERYTHING else every.filter(account_id=principal.account_id)


def attestation_document(row: Attestation) -> dict[str, Any]:
    """An attestation as the API shows it. Where the evidence is kept is the venue's and the holder's to know."""
    return {
        "id": public("att", str(row.uuid)),
        "holder": public("acc", str(row.account.uuid)),
        "kind": row.kind,
        "value": row.value or None,
        "evidence": row.evidence,
        "attested_at": _at(row.attested_at),
        "expires_at": _at(row.expires_at),
        "revoked_at": _at(row.revoked_at),
    }
