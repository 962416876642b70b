"""A right given to somebody else outside the book: through every gate, or with every reason why not (SPEC §4)."""

from typing import ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api import fields
from exchange.api.base import not_found
from exchange.api.doc import Doc
from exchange.api.refusals import as_problems
from exchange.api.views.consents import taker_of
from exchange.api.views.rights import MINT, OneRight
from exchange.services.idempotency import Done
from rights.kernel.ids import public
from rights.models import Account
from settlement.services.transfer import Part, transfer_units


class TransferView(OneRight):
    scopes: ClassVar = {"POST": "transfer"}
    docs: ClassVar = {
        "POST": Doc("Give units of a right to another holder", "Transferred", body="TransferRequest", status=201, idempotent=True)
    }

    def post(self, _request: Request, right_id: str) -> Response:
        body = fields.members(self.body, "", ("to", "units"), ("to", "units"))
        taker = taker_of(body["to"], "to")
        units = fields.whole(body["units"], "units", low=1)
        right = self.right(right_id)
        if right.holder_id != self.principal.account_id:
            raise not_found()
        if taker.pk == right.holder_id:
            raise fields.FieldError("to", "holds it already")

        def act() -> Done:
            with as_problems():
                moved = transfer_units(
                    parts=[Part(str(right.pk), units)],
                    giver=Account.objects.get(pk=right.holder_id),
                    taker=taker,
                    mint=MINT,
                    actor=self.principal.actor,
                    now_us=self.now_us,
                )
            received = moved.receives[str(right.pk)]
            return Done(
                201,
                {
                    "right_id": public("rgt", str(right.pk)),
                    "received_right_id": public("rgt", received),
                    "units": str(units),
                    "from": public("acc", self.principal.account_uuid),
                    "to": public("acc", str(taker.uuid)),
                    "entry_id": moved.entry_id,
                },
            )

        return self.once(act)
