"""What keys with a threshold asked for: a member grants or denies it; no key does."""

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api import fields
from exchange.api.base import ApiView, not_found, page
from exchange.api.doc import Doc
from exchange.api.form import Form
from exchange.api.refusals import as_problems
from exchange.feed.wire import SIDES
from exchange.models import OrderApproval
from exchange.models.bounds import APPROVAL_STATES
from exchange.services.approvals import ANSWERS, decide_approval
from exchange.services.idempotency import Done
from exchange.services.rules import learn, rules_of
from rights.kernel.clock import rfc3339, to_us
from rights.kernel.ids import bare

_STATES = {state: state for state in APPROVAL_STATES}
_ANSWERS = {answer: answer for answer in ANSWERS}
_LAST = 2**62


def shown(row: OrderApproval) -> dict[str, Any]:
    """An approval on the wire."""
    book = rules_of(row.book_id)
    return {
        "id": f"apv_{row.uuid}",
        "key_id": f"key_{row.key.uuid}",
        "instrument": book.symbol,
        "side": SIDES[row.side],
        "price": book.price_text(row.price_ticks),
        "quantity": str(row.quantity_lots),
        "notional": book.money_text(row.notional_minor),
        "state": row.state,
        "note": row.note or None,
        "order_id": None if row.order_id is None else f"ord_{row.order_id}",
        "asked_at": rfc3339(to_us(row.asked_at)),
        "expires_at": rfc3339(to_us(row.expires_at)),
        "decided_at": None if row.decided_at is None else rfc3339(to_us(row.decided_at)),
    }


class ApprovalsView(ApiView):
    scopes: ClassVar = {"GET": "read"}
    queries: ClassVar = {"GET": ("state", "limit", "cursor")}
    docs: ClassVar = {"GET": Doc("Orders that wait for a member's word, and those that had it, newest first", "Approval", listed=True)}

    def get(self, _request: Request) -> Response:
        limit, before, state = self.query.limit(), self.query.cursor("approvals", "i"), self.query.choice("state", _STATES)
        found = OrderApproval.objects.select_related("key").filter(account_id=self.principal.account_id)
        found = found.filter(state=state) if state else found
        rows = list(found.filter(pk__lt=int(before[0]) if before else _LAST).order_by("-pk")[: limit + 1])
        learn({row.book_id for row in rows})
        return page(rows, limit, "approvals", lambda row: (row.pk,), shown)


class ApprovalDecideView(ApiView):
    scopes: ClassVar = {"POST": "trade"}
    docs: ClassVar = {
        "POST": Doc(
            "Grant or deny an order above a key's threshold",
            "Approval",
            body="ApprovalDecision",
            idempotent=True,
            description="Only members do this. Once granted, one order of the key on that side, no larger and at no worse a price, may enter.",
        )
    }

    def post(self, _request: Request, approval_id: str) -> Response:
        form = Form(self.body, ("decision", "note"))
        decision = form.need("decision", "", fields.choice, _ANSWERS)
        note = form.read("note", "", fields.text, 0, 200)
        form.close()
        uuid, principal = bare("apv", approval_id), self.principal
        if uuid is None or not OrderApproval.objects.filter(uuid=uuid, account_id=principal.account_id).exists():
            raise not_found()

        def act() -> Done:
            with as_problems():
                return Done(200, shown(decide_approval(approval_id=uuid, decision=decision, note=note, who=principal, now_us=self.now_us)))

        return self.once(act)
