"""A supplier tells by itself what it did (API.md, POST /receipts): signed, idempotent, and only of work the venue does not do for it."""

import base64

import msgspec
from django.db import transaction

from rights.domain.signing import is_signed
from rights.kernel.ids import Mint, public
from rights.models import Supplier
from settlement.domain.proofs import ProofType
from settlement.domain.receipt_body import NewProof, Told, body_of
from settlement.domain.venue_proofs import venue_proofs
from settlement.domain.work import OWN_ADAPTERS
from settlement.models import Endpoint, Receipt, Request, RequestPayload, Route, Settlement
from settlement.services.begin import begin_with_receipt
from settlement.services.proof_rows import ReceiptRefused
from settlement.services.receipt import record_receipt
from settlement.services.unit_moves import Fact

# What the venue knows whoever executes; usage is the supplier's to prove.
_KNOWN = frozenset({ProofType.REQUEST_ENVELOPE_HASH, ProofType.ROUTE_SELECTION_RECORD})


class Signed(msgspec.Struct, frozen=True):
    """A receipt as it was handed in: `data` are the bytes that were signed, `signature` is hexadecimal."""

    request_id: str
    told: Told
    proofs: tuple[NewProof, ...]
    data: bytes
    signature: str


@transaction.atomic
def take_receipt(*, supplier: Supplier, signed: Signed, mint: Mint, actor: str, now_us: int) -> Settlement:
    """The settlement of the receipt. The same one again, with more proofs or without, is the same settlement.

    Raises ReceiptRefused `supplier_key_missing`, `signature_invalid`, `request_missing`, `receipt_not_awaited`, `receipt_route` and what
    recording raises.
    """
    _check_signature(supplier, signed)
    request = Request.objects.select_for_update(no_key=True).filter(pk=signed.request_id).first()
    routes = Route.objects.filter(request_id=signed.request_id, locked_at__isnull=False).exclude(
        state__in=("expired", "replaced", "released")
    )
    suppliers = set(routes.values_list("supplier_id", flat=True))
    if request is None or supplier.pk not in suppliers:
        raise ReceiptRefused("request_missing", "there is no such request to this supplier")
    if suppliers != {supplier.pk}:
        raise ReceiptRefused("receipt_not_awaited", "others work on it too; the venue puts together what they did")
    begun = [] if Receipt.objects.filter(request=request).exists() else _begin(request, now_us)
    body_hash = body_of(request_id=signed.request_id, told=signed.told)[1]
    own = NewProof(
        type=str(ProofType.SUPPLIER_SIGNATURE),
        reference=public("sup", str(supplier.uuid)),
        content_hash=body_hash,
        producer=supplier.slug,
        signature=signed.signature,
    )
    made = venue_proofs(request_id=signed.request_id, told=signed.told, envelope_hash=request.envelope_hash)
    known = [proof for proof in made if proof.type in _KNOWN]
    proofs = [*known, *signed.proofs, own]
    return record_receipt(request_id=signed.request_id, told=signed.told, proofs=proofs, mint=mint, actor=actor, now_us=now_us, begun=begun)


def _check_signature(supplier: Supplier, signed: Signed) -> None:
    if not supplier.public_key or supplier.status != "active":
        raise ReceiptRefused("supplier_key_missing", "the supplier has no key that its results could be signed with, or is suspended")
    if not is_signed(public_key=base64.b64decode(supplier.public_key).hex(), signature=signed.signature, data=signed.data):
        raise ReceiptRefused("signature_invalid", "the supplier's key did not sign this")


def _begin(request: Request, now_us: int) -> list[Fact]:
    """Its work stays with the supplier: what it tells begins it. One that has begun already was begun by the venue, which meters it.

    The fact is remembered with the receipt's, or this would hold streams and feeds while that still locks rights and balances.
    """
    if request.state == "executing":
        raise ReceiptRefused("receipt_not_awaited", "the venue has begun it and meters it by itself")
    live = request.routes.filter(state__in=("locked", "executing")).values("capability")
    adapters = Endpoint.objects.filter(status="active", capability__in=live).values_list("adapter", flat=True)
    by_venue = RequestPayload.objects.filter(request=request).exists() and not set(adapters) <= OWN_ADAPTERS
    if by_venue:
        raise ReceiptRefused("receipt_not_awaited", "the venue calls this supplier and meters its work by itself")
    return begin_with_receipt(request_id=str(request.pk), now_us=now_us) if request.state == "matched" else []
