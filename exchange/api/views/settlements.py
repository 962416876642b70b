"""Receipts and settlements over REST (SPEC §8, §9), and what became of an issuer's rights."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from rest_framework.request import Request as HttpRequest
from rest_framework.response import Response

from exchange.api import fields
from exchange.api.base import ApiView, not_found, page
from exchange.api.doc import Doc
from exchange.api.permissions import PUBLIC
from exchange.api.problems import MOST_DETAIL, Problem
from exchange.api.refusals import as_problems
from exchange.api.views.receipt_form import signed_receipt
from exchange.api.views.rights import MINT
from exchange.selectors.outcomes import issuer_outcomes
from exchange.selectors.settlements import every_settlement, receipt_document, settlement_documents, visible_settlements
from exchange.services.idempotency import Done
from rights.kernel.ids import bare
from rights.models import Issuer, Supplier
from settlement.domain.settlement_states import Outcome, SettlementState
from settlement.models import Settlement
from settlement.services.disputes import DisputeRefused
from settlement.services.proof_rows import ReceiptRefused
from settlement.services.supplier_receipt import take_receipt

STATES = {str(state): str(state) for state in SettlementState}
OUTCOMES = {str(outcome): str(outcome) for outcome in Outcome}
# What is wrong with a field, whatever the state of things.
_OF_FIELDS = frozenset({"receipt_malformed", "receipt_proofs", "receipt_route", "dispute_text", "decision_unknown", "outcome_unknown"})
_MISSING = frozenset({"request_missing", "receipt_missing", "settlement_missing", "dispute_missing"})


@contextmanager
def settling_problems() -> Iterator[None]:
    """What receipts and disputes refuse, as problems."""
    try:
        with as_problems():
            yield
    except (ReceiptRefused, DisputeRefused) as refused:
        if refused.code in _MISSING:
            raise not_found() from refused
        named = [{"field": refused.field, "code": refused.code, "detail": refused.detail}] if refused.field else []
        code = "validation_failed" if refused.code in _OF_FIELDS else refused.code
        raise Problem(code, refused.detail[:MOST_DETAIL], field_errors=named) from refused


class OneSettlement(ApiView):
    """Views of one settlement."""

    def row(self, settlement_id: str) -> Settlement:
        uuid = bare("stl", settlement_id)
        found = visible_settlements(self.principal).filter(pk=uuid).first() if uuid else None
        if found is None:
            raise not_found()
        return found

    def shown(self, row: Settlement) -> dict[str, Any]:
        return settlement_documents([row], now_us=self.now_us)[0]


class SettlementsView(OneSettlement):
    scopes: ClassVar = {"GET": "read"}
    queries: ClassVar = {"GET": ("state", "outcome", "limit", "cursor")}
    docs: ClassVar = {"GET": Doc("Settlements the caller is a party to or reviews, newest first", "Settlement", listed=True)}

    def get(self, _request: HttpRequest) -> Response:
        limit, after = self.query.limit(), self.query.cursor("settlements", "u")
        found = visible_settlements(self.principal)
        state, outcome = self.query.choice("state", STATES), self.query.choice("outcome", OUTCOMES)
        if state:
            found = found.filter(state=state)
        if outcome:
            found = found.filter(outcome=outcome)
        if after:
            found = found.filter(pk__lt=after[0])
        rows = list(found.order_by("-pk")[: limit + 1])
        documents = dict(zip((row.pk for row in rows), settlement_documents(rows, now_us=self.now_us), strict=True))
        return page(rows, limit, "settlements", lambda row: (str(row.pk),), lambda row: documents[row.pk])


class SettlementView(OneSettlement):
    scopes: ClassVar = {"GET": "read"}
    docs: ClassVar = {
        "GET": Doc("What happened, what was charged, what remains, who was paid, whether the rights are usable", "Settlement")
    }

    def get(self, _request: HttpRequest, settlement_id: str) -> Response:
        return Response(self.shown(self.row(settlement_id)))


class OfRequest(OneSettlement):
    """Views of what a request came to, for its parties: also the suppliers and issuers who may not look at the request itself."""

    def of(self, request_id: str) -> Settlement:
        uuid = bare("req", request_id)
        found = visible_settlements(self.principal).filter(request_id=uuid).first() if uuid else None
        if found is None:
            raise not_found()
        return found


class RequestReceiptView(OfRequest):
    scopes: ClassVar = {"GET": "read"}
    docs: ClassVar = {
        "GET": Doc(
            "The receipt of a request, with its proofs",
            "UseReceipt",
            description="For every party: a supplier signs and hands in again what the venue tells of its work, where a right asks for that.",
        )
    }

    def get(self, _request: HttpRequest, request_id: str) -> Response:
        receipt = self.of(request_id).receipt
        if receipt.invalidated_at is not None:
            raise not_found()
        return Response(receipt_document(receipt))


class RequestSettlementView(OfRequest):
    scopes: ClassVar = {"GET": "read"}
    docs: ClassVar = {"GET": Doc("The settlement of a request", "Settlement")}

    def get(self, _request: HttpRequest, request_id: str) -> Response:
        return Response(self.shown(self.of(request_id)))


class ReceiptsView(ApiView):
    scopes: ClassVar = {"POST": "supply"}
    docs: ClassVar = {
        "POST": Doc(
            "Tell what a supplier of the caller's did for a request; the same receipt again adds the proofs that are new",
            "Settlement",
            body="UseReceiptRequest",
            status=201,
            idempotent=True,
            errors=(
                "not_found",
                "supplier_key_missing",
                "signature_invalid",
                "receipt_not_awaited",
                "receipt_conflict",
                "request_not_executing",
                "settlement_final",
            ),
            description="`signature`: the supplier's Ed25519 key over the canonical JSON (RFC 8785) of {proofs, receipt} as they are sent.",
        )
    }

    def post(self, _request: HttpRequest) -> Response:
        body = fields.members(self.body, "", ("supplier_id", "receipt", "proofs", "signature"), ("supplier_id", "receipt", "signature"))
        uuid = fields.public_id(body["supplier_id"], "supplier_id", "sup")
        supplier = Supplier.objects.filter(uuid=uuid, participant_id=self.principal.participant_id).first()
        signed = signed_receipt(body, "" if supplier is None else supplier.slug)
        if supplier is None:
            raise not_found()

        def act() -> Done:
            with settling_problems():
                made = take_receipt(supplier=supplier, signed=signed, mint=MINT, actor=self.principal.actor, now_us=self.now_us)
            # Whoever told it is answered, even if no work ever began and so nobody but the holder is a party.
            row = every_settlement().get(pk=made.pk)
            return Done(201, settlement_documents([row], now_us=self.now_us)[0])

        return self.once(act)


class IssuerOutcomesView(ApiView):
    scopes: ClassVar = {"GET": PUBLIC}
    queries: ClassVar = {"GET": ("class",)}
    docs: ClassVar = {
        "GET": Doc("What became of requests against an issuer's rights: counts, rates, sample size, disputes", "IssuerOutcomes")
    }

    def get(self, _request: HttpRequest, issuer_id: str) -> Response:
        issuer = Issuer.objects.filter(slug=issuer_id).first()
        if issuer is None:
            raise not_found()
        return Response(issuer_outcomes(issuer_id=issuer.pk, slug=issuer.slug, class_key=self.query.symbol("class")))
