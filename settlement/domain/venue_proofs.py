"""The proofs that the venue itself makes: it metered the work, so it may say so (SPEC §8). One of each type, however many legs.

What somebody else must prove (a supplier's signature) is never made here; what isn't there (an output) is not claimed.
"""

from typing import Any

from rights.domain.canonical_json import sha256_of
from settlement.domain.proofs import ProofType
from settlement.domain.receipt_body import SUCCESSES, NewProof, Told, document_of

PRODUCER = "venue"
_T = ProofType
Made = list[tuple[ProofType, object, int | None]]  # type, what is hashed (a text is a hash already), units


def venue_proofs(*, request_id: str, told: Told, envelope_hash: str, selection_hash: str | None = None) -> list[NewProof]:
    """The proofs for this end of a request. `selection_hash`: SHA-256 of how the routes were chosen; unless given, of which they are."""
    document = document_of(request_id=request_id, told=told)
    legs = document["legs"]
    made: Made = [(_T.REQUEST_ENVELOPE_HASH, envelope_hash, None)]
    if told.status in SUCCESSES:
        made.append((_T.ROUTE_SELECTION_RECORD, selection_hash or sha256_of([leg["route"] for leg in legs]), None))
        made += [*_of_work(told, document), *_of_output(told), *_of_degradation(told, legs, envelope_hash)]
    elif told.status == "failed":
        made.append((_T.FAILURE_RECORD, [{"error": leg["error"], "route": leg["route"]} for leg in legs], None))
    elif told.status == "expired":
        made.append((_T.WINDOW_REFERENCE, document, None))
    elif told.cancelled_by_right:
        made.append((_T.CANCEL_AUTHORISATION, document, None))
    return [_proof(f"req_{request_id}", kind, content, units) for kind, content, units in made]


def _of_work(told: Told, document: dict[str, Any]) -> Made:
    legs, delivered = document["legs"], sum(leg.delivered_units for leg in told.legs)
    metered = [{name: leg[name] for name in ("route", "delivered_units", "billable_units")} for leg in legs]
    ended = {name: document[name] for name in ("status", "started_at", "completed_at")}
    made: Made = [(_T.EXECUTION_LOG, legs, None), (_T.USAGE_METER, metered, delivered), (_T.COMPLETION_RECORD, ended, None)]
    if told.status == "partially_completed":
        made.append((_T.DELIVERED_UNIT_COUNT, metered, delivered))
    return made


def _of_output(told: Told) -> Made:
    """What came out, as far as every working leg has something to show."""
    working = sorted((leg for leg in told.legs if leg.delivered_units), key=lambda leg: leg.route_id)
    made: Made = []
    if working and all(leg.output_ref or leg.output_hash for leg in working):
        made.append((_T.OUTPUT_REFERENCE, [leg.output_ref or leg.output_hash for leg in working], None))
    if working and all(leg.output_hash for leg in working):
        made.append((_T.ARTIFACT_HASH, [leg.output_hash for leg in working], None))
    if working and all(leg.latency_us for leg in working):
        made.append((_T.LATENCY_MEASUREMENT, [str(leg.latency_us) for leg in working], None))
    return made


def _of_degradation(told: Told, legs: list[dict[str, Any]], envelope_hash: str) -> Made:
    if told.status != "fallback_completed" and not any(leg.fallbacks for leg in told.legs):
        return []
    degraded = [{name: leg[name] for name in ("route", "fallbacks", "quality_loss_bps", "latency_expansion_bps")} for leg in legs]
    return [(_T.FALLBACK_REASON, degraded, None), (_T.POLICY_EVALUATION, [envelope_hash, degraded], None)]


def _proof(reference: str, kind: ProofType, content: object, units: int | None) -> NewProof:
    hashed = content if isinstance(content, str) else sha256_of(content)
    return NewProof(type=str(kind), reference=f"{reference}#{kind}", content_hash=hashed, producer=PRODUCER, units=units)
