"""A fill's receipt: signed by the venue, checked without it (docs/receipts.md)."""

from typing import ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api.base import ApiView, not_found
from exchange.api.doc import Doc
from exchange.api.problems import Problem
from exchange.replay.receipt_source import fill_receipt
from exchange.services.venue_key import live_signer
from rights.services.venue_keys import VenueKeyRefusal


class FillReceiptView(ApiView):
    scopes: ClassVar = {"GET": "read"}
    docs: ClassVar = {"GET": Doc("The fill and its event's place in the chain, signed; with a proof once an anchor covers it", "Receipt")}

    def get(self, _request: Request, fill_id: str) -> Response:
        account = self.principal.account_id
        try:
            found = fill_receipt(fill_id, signer=live_signer, now_us=self.now_us, account_id=account)
        except VenueKeyRefusal as refusal:
            raise Problem("unavailable", "the venue's key is not at hand yet") from refusal
        if found is None:
            raise not_found()
        return Response(found)
