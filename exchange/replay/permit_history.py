"""Consents, acknowledgments and attestations as they stood at a moment of the past, from their events alone."""

from collections.abc import Mapping
from typing import Any

import msgspec

from exchange.replay.right_state import RightState
from rights.domain import consent_events as types
from rights.domain.gates import Grants, HolderFacts, Permits
from rights.domain.moment import parse_us

NEVER = 2**62
Payload = Mapping[str, Any]


class _Consent(msgspec.Struct):
    """What one consent covers, and from when until when; nothing before it was granted."""

    kind: str
    scope: str
    issuer: str
    right: str
    root: str
    terms_hash: str
    giver: str
    taker: str
    units: int
    from_us: int = NEVER
    until_us: int = NEVER


class _Fact(msgspec.Struct):
    kind: str
    value: str
    from_us: int
    until_us: int
    ended_us: int = NEVER  # revoked or replaced


class PermitHistory:
    """Feed the registry's events first. What began or ended within `grace_us` of a question counts as it was more favourable."""

    def __init__(self, grace_us: int) -> None:
        self._grace_us = grace_us
        self._consents: dict[str, _Consent] = {}
        self._by_issuer: dict[str, list[_Consent]] = {}
        self._facts: dict[str, list[_Fact]] = {}  # by account

    def remember(self, event_type: str, object_id: str, payload: Payload, at: str) -> bool:
        """Take one event in; False when it is about something else."""
        if event_type in (types.ATTESTED, types.ATTESTATION_REVOKED):
            self._attested(event_type, object_id.removeprefix("acc_"), payload, parse_us(at))
            return True
        if not event_type.startswith("consent."):
            return False
        if "scope" in payload and object_id not in self._consents:
            self._stated(object_id, payload)
        if event_type == types.GRANTED:
            consent = self._consents[object_id]
            consent.from_us = parse_us(at)
            consent.until_us = parse_us(payload["expires_at"]) if payload["expires_at"] else NEVER
        elif event_type in (types.REVOKED, types.USED):
            consent = self._consents[object_id]
            consent.until_us = min(consent.until_us, parse_us(at) + (self._grace_us if event_type == types.REVOKED else 1))
        return True

    def _stated(self, object_id: str, payload: Payload) -> None:
        consent = _Consent(
            kind=payload["kind"],
            scope=payload["scope"],
            issuer=payload["issuer"],
            right=payload["right"] or "",
            root=payload["root"] or "",
            terms_hash=payload["terms_hash"],
            giver=payload["giver"] or "",
            taker=payload["taker"] or "",
            units=int(payload["units"] or 0),
        )
        self._consents[object_id] = consent
        self._by_issuer.setdefault(consent.issuer, []).append(consent)

    def _attested(self, event_type: str, account: str, payload: Payload, at_us: int) -> None:
        facts = self._facts.setdefault(account, [])
        for fact in facts:
            if fact.kind == payload["kind"]:
                fact.ended_us = min(fact.ended_us, at_us)
        if event_type == types.ATTESTED:
            until = parse_us(payload["expires_at"]) if payload["expires_at"] else NEVER
            facts.append(_Fact(payload["kind"], payload["value"], at_us, until))

    def permits(self, right: RightState, taker_id: int, taker: str, *, units: int, now_us: int) -> Permits:
        """What stood for `taker` (a public id; `taker_id` its number) receiving these units of a right from whoever holds it."""
        covered = {
            consent.kind
            for consent in self._by_issuer.get(right.issuer, ())
            if consent.from_us - self._grace_us <= now_us < consent.until_us and self._covers(consent, right, taker, units)
        }
        takers = frozenset({taker_id})
        return Permits(
            Grants(takers=takers if "consent" in covered else frozenset()),
            Grants(takers=takers if "acknowledgment" in covered else frozenset()),
        )

    @staticmethod
    def _covers(consent: _Consent, right: RightState, taker: str, units: int) -> bool:
        if consent.taker and consent.taker != taker:
            return False
        if consent.scope == "transfer":
            return (consent.right, consent.giver) == (f"rgt_{right.id}", f"acc_{right.holder}") and units <= consent.units
        everything = not consent.root and not consent.terms_hash
        return everything or consent.root == f"rgt_{right.root}" or (consent.terms_hash != "" and consent.terms_hash == right.terms_hash)

    def credentials(self, holder: HolderFacts, now_us: int) -> HolderFacts:
        """The holder with what was attested of it."""
        known = self._facts.get(holder.public_id.removeprefix("acc_"), ())
        live = [f for f in known if f.from_us - self._grace_us <= now_us < min(f.until_us, f.ended_us + self._grace_us)]
        places = [f.value for f in live if f.kind == "jurisdiction"]
        stated = [f for f in known if f.kind == "jurisdiction" and f.from_us <= now_us < f.ended_us]
        declared = "" if stated else holder.jurisdiction
        return msgspec.structs.replace(
            holder,
            attestations=frozenset(f.kind for f in live if f.kind != "jurisdiction"),
            jurisdiction=places[-1] if places else declared,
        )
