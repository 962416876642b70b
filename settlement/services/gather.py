"""Jobs that are over become the receipt of their request (SPEC §8): facts, and the proofs that nodes gave, also those that prove nothing.

Outside any transaction: the receipts of those that are over at once are one, or each is. Whoever ended the last job gathers; the timetable gathers for one who died before he did.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec
import orjson

from rights.kernel import rows
from rights.kernel.clock import rfc3339
from rights.kernel.ids import Mint
from rights.services.refusals import RegistryRefusalError
from settlement.domain.proofs import ProofType
from settlement.domain.receipt_body import LegTold, NewProof, Told
from settlement.domain.venue_proofs import venue_proofs
from settlement.models import Settlement
from settlement.services.job_ends import told_of
from settlement.services.ledger import LedgerRefusal
from settlement.services.proof_rows import ReceiptRefused
from settlement.services.receipt import NewReceipt, record_receipts

ACTOR = "venue:nodes"
LEFT_US = 2_000_000  # what has been over for so long, nobody gathers who is still at it
_LOG = logging.getLogger(__name__)
# Every executing route of requests in question, with its job, if it has one.
_ROUTES = """
SELECT t.request_id::text, q.envelope_hash, t.id::text, t.fallbacks, t.quality_loss_bps, j.state, j.told::text, j.proofs::text,
       (extract(epoch from j.offered_at) * 1000000)::bigint, (extract(epoch from j.ended_at) * 1000000)::bigint,
       (extract(epoch from t.expires_at) * 1000000)::bigint
FROM settlement_route t JOIN settlement_request q ON q.id = t.request_id LEFT JOIN settlement_job j ON j.route_id = t.id
WHERE t.request_id = ANY (%s::uuid[]) AND t.state = 'executing' AND q.state = 'executing' ORDER BY t.request_id, t.number
"""
# What is settled by now needs nobody any more; set by set, and not while somebody waits for his answer.
_GATHERED = """
UPDATE settlement_job j SET gathered_at = %(now)s FROM settlement_request q
WHERE q.id = j.request_id AND q.state <> 'executing' AND j.gathered_at IS NULL AND j.ended_at <= %(before)s
"""
_LEFT = """
SELECT DISTINCT j.request_id::text FROM settlement_job j WHERE j.gathered_at IS NULL AND j.ended_at <= %s AND j.request_id > %s
  AND NOT EXISTS (SELECT 1 FROM settlement_job o WHERE o.request_id = j.request_id AND o.state IN ('open', 'leased'))
ORDER BY 1 LIMIT %s
"""


class Part(msgspec.Struct, frozen=True):
    """One executing route and its job; moments in microseconds."""

    request_id: str
    envelope_hash: str
    route_id: str
    fallbacks: list[str]
    quality_loss_bps: int
    state: str | None
    told_text: str | None
    proofs_text: str | None
    offered_us: int | None
    ended_us: int | None
    deadline_us: int

    @property
    def told(self) -> dict[str, Any] | None:
        return None if self.told_text is None else dict(orjson.loads(self.told_text))

    @property
    def proofs(self) -> list[NewProof]:
        return [NewProof(**proof) for proof in orjson.loads(self.proofs_text or "[]")]


def gather(*, request_ids: Iterable[str], mint: Mint, now_us: int) -> int:
    """Record the receipts of those requests none of whose jobs is under way any more; how many."""
    asked = sorted(set(request_ids))
    if not asked:
        return 0
    whole: dict[str, list[Part]] = {request_id: [] for request_id in asked}
    for row in rows.fetch_all(_ROUTES, [rows.array(asked)]):
        part = Part(*row)
        whole[part.request_id].append(part)
    over = [parts for parts in whole.values() if parts and all(_is_over(part, now_us) for part in parts)]
    recorded = record_receipts(receipts=[_receipt(parts) for parts in over], mint=mint, actor=ACTOR, now_us=now_us)
    return sum(_is_there(parts[0].request_id, found) for parts, found in zip(over, recorded, strict=True))


def gather_due(*, mint: Mint, now_us: int, most: int = 100) -> int:
    """`gather` what was left over, page by page: what is refused each time keeps nothing else waiting; how many receipts."""
    before = rfc3339(now_us - LEFT_US)
    rows.execute(_GATHERED, {"now": rfc3339(now_us), "before": before})
    gathered, last, is_more = 0, str(UUID(int=0)), True
    while is_more and gathered < most:
        left = [row[0] for row in rows.fetch_all(_LEFT, [before, last, most])]
        gathered += gather(request_ids=left, mint=mint, now_us=now_us)
        is_more, last = len(left) == most, max(left, default=last)
    return gathered


def _is_over(part: Part, now_us: int) -> bool:
    """A route without a job is another adapter's, which tells of it until the deadline."""
    return part.told_text is not None or (part.state is None and part.deadline_us <= now_us)


def _receipt(parts: Sequence[Part]) -> NewReceipt:
    request_id, told = parts[0].request_id, told_in(parts)
    proofs = venue_proofs(request_id=request_id, told=told, envelope_hash=parts[0].envelope_hash)
    return NewReceipt(request_id, told, [*proofs, *node_proofs(parts)])


def _is_there(request_id: str, found: Settlement | Exception) -> bool:
    """Whether the receipt is. Where it is not, that is told, and the others have theirs; as long as the request executes, it is tried again."""
    if isinstance(found, ReceiptRefused | RegistryRefusalError | LedgerRefusal):
        _LOG.warning("no receipt of req_%s: %s", request_id, found)
    elif isinstance(found, Exception):
        _LOG.error("no receipt of req_%s", request_id, exc_info=found)
    return not isinstance(found, Exception)


def told_in(parts: Sequence[Part]) -> Told:
    """What the jobs of one request say, as its receipt."""
    legs = [_leg(part) for part in parts]
    done = [part for part, leg in zip(parts, legs, strict=True) if not leg.error]
    status = _status(parts, legs)
    ends = [part.ended_us for part in done if part.ended_us is not None]
    began = [part.offered_us for part in parts if part.offered_us is not None]
    return Told(status=status, started_us=min(began, default=None), completed_us=max(ends, default=None), legs=tuple(legs))


def node_proofs(parts: Sequence[Part]) -> list[NewProof]:
    """The signatures of nodes. Two that are good sign different things, and would contradict each other: then the supplier signs the whole."""
    found = [proof for part in parts for proof in part.proofs]
    good = [proof for proof in found if proof.is_valid and proof.type == ProofType.SUPPLIER_SIGNATURE]
    return [proof for proof in found if not proof.is_valid or len(good) == 1]


def _leg(part: Part) -> LegTold:
    told = dict(part.told or told_of(route_id=part.route_id, units=0, error="nobody told of it before the deadline"))
    told.pop("is_partial")
    plain = {"fallbacks": part.fallbacks, "quality_loss_bps": part.quality_loss_bps} if not told["error"] else {}
    return LegTold(**{**plain, **told, "fallbacks": tuple(told.get("fallbacks", plain.get("fallbacks", ())))})


def _status(parts: Sequence[Part], legs: Sequence[LegTold]) -> str:
    failed = [part for part, leg in zip(parts, legs, strict=True) if leg.error]
    if len(failed) == len(parts):
        in_time = [part for part in failed if part.ended_us is not None and part.ended_us < part.deadline_us]
        return "failed" if in_time else "expired"
    if failed or any(part.told and part.told["is_partial"] for part in parts):
        return "partially_completed"
    return "fallback_completed" if any(leg.fallbacks for leg in legs) else "completed"
