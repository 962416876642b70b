"""Payloads of what was consented to, acknowledged and attested (docs/events.md). Ids are public, moments RFC 3339, units texts."""

from typing import Final

Payload = dict[str, object]

REQUESTED: Final = "consent.requested"
GRANTED: Final = "consent.granted"
DENIED: Final = "consent.denied"
REVOKED: Final = "consent.revoked"
EXPIRED: Final = "consent.expired"
USED: Final = "consent.used"
ATTESTED: Final = "holder.attested"
ATTESTATION_REVOKED: Final = "holder.attestation_revoked"


def stated(
    *,
    kind: str,
    scope: str,
    issuer: str,
    right: str | None,
    root: str | None,
    terms_hash: str,
    giver: str | None,
    taker: str | None,
    units: int | None,
    note: str,
    answer_note: str,
    deadline_at: str | None,
    expires_at: str | None,
) -> Payload:
    """The whole consent, as it is asked for (`consent.requested`) or stands (`consent.granted`, asked for before or not). Bare UUIDs come in."""
    return {
        "answer_note": answer_note,
        "deadline_at": deadline_at,
        "expires_at": expires_at,
        "giver": giver and f"acc_{giver}",
        "issuer": issuer,
        "kind": kind,
        "note": note,
        "right": right and f"rgt_{right}",
        "root": root and f"rgt_{root}",
        "scope": scope,
        "taker": taker and f"acc_{taker}",
        "terms_hash": terms_hash,
        "units": None if units is None else str(units),
    }


def ended(*, note: str) -> Payload:
    """A request was denied or not answered in time, or what stood was revoked or ran out; `note` says why, if anybody did."""
    return {"note": note}


def used(*, entry: str, units: int) -> Payload:
    """A consent for one transfer was used by the ledger entry (a UUID)."""
    return {"entry_id": entry, "units": str(units)}


def attested(*, attestation: str, kind: str, value: str, evidence: str, expires_at: str | None) -> Payload:
    """Somebody vouched for a fact about a holder, with evidence; it replaces an earlier one of the same kind."""
    return {"attestation": f"att_{attestation}", "evidence": evidence, "expires_at": expires_at, "kind": kind, "value": value}


def attestation_revoked(*, attestation: str, kind: str, note: str) -> Payload:
    return {"attestation": f"att_{attestation}", "kind": kind, "note": note}
