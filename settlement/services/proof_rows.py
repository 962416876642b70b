"""Proofs of receipts, written and read (SPEC §8). Append-only; each is numbered in the order it came."""

from collections.abc import Sequence

from rights.kernel import rows
from rights.kernel.clock import rfc3339
from settlement.domain import settlement_events
from settlement.domain.proofs import Proof as ProofRead
from settlement.domain.proofs import ProofType
from settlement.domain.receipt_body import NewProof
from settlement.models import Proof, Settlement

MOST_PROOFS = 64


class ReceiptRefused(Exception):
    """The receipt can't be recorded; nothing was written."""

    def __init__(self, code: str, detail: str, field: str = "") -> None:
        super().__init__(detail)
        self.code, self.detail, self.field = code, detail, field


class ReceiptConflict(ReceiptRefused):
    """Another receipt of the request stands."""

    def __init__(self, receipt_id: str) -> None:
        super().__init__("receipt_conflict", f"rcp_{receipt_id} is recorded of this request, and says something else")
        self.receipt_id = receipt_id


def check_proofs(proofs: Sequence[NewProof], before: int) -> None:
    if before + len(proofs) > MOST_PROOFS:
        raise ReceiptRefused("receipt_proofs", f"a receipt has at most {MOST_PROOFS} proofs", "proofs")
    unknown = sorted({proof.type for proof in proofs} - set(ProofType))
    if unknown:
        raise ReceiptRefused("receipt_proofs", f"no such type of proof: {', '.join(unknown)}", "proofs")


def write_proofs(receipt_id: str, proofs: Sequence[NewProof], before: int, now_us: int) -> list[settlement_events.Payload]:
    """Write the proofs behind those that are there; as events tell them."""
    at = rfc3339(now_us)
    lines, told = [], []
    for number, proof in enumerate(proofs, before + 1):
        is_valid = _is_valid(proof)
        texts = "\t".join(rows.escape(text) for text in (proof.type, proof.reference, proof.content_hash, proof.producer))
        units = rows.NULL if proof.units is None else proof.units
        lines.append(f"{receipt_id}\t{number}\t{texts}\t{units}\t{proof.signature}\t{is_valid}\t{at}")
        told.append(
            settlement_events.proof(
                number=number,
                kind=proof.type,
                reference=proof.reference,
                content_hash=proof.content_hash,
                producer=proof.producer,
                units=proof.units,
                signature=proof.signature,
                is_valid=is_valid,
            )
        )
    columns = "receipt_id, number, type, reference, content_hash, producer, units, signature, is_valid, recorded_at"
    rows.copy_rows("settlement_proof", columns, lines)
    return told


def _is_valid(proof: NewProof) -> bool:
    """A signature that isn't there signs nothing."""
    return proof.is_valid and not (proof.type == ProofType.SUPPLIER_SIGNATURE and not proof.signature)


def read_new(proofs: Sequence[NewProof]) -> list[ProofRead]:
    return [ProofRead(p.type, p.reference, p.content_hash, p.producer, p.units, _is_valid(p)) for p in proofs]


def read_row(row: Proof) -> ProofRead:
    return ProofRead(row.type, row.reference, row.content_hash, row.producer, row.units, row.is_valid)


def stored_proofs(settlement: Settlement) -> list[ProofRead]:
    return [read_row(row) for row in Proof.objects.filter(receipt_id=settlement.receipt_id).order_by("number")]
