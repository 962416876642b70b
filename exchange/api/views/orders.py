"""Reads of a member's own orders and fills. Writes of orders are exchange/api/order_entry's."""

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api import fields, order_story
from exchange.api.base import ApiView, listing, not_found, page
from exchange.api.doc import Doc
from exchange.api.views.market_data import with_seq
from exchange.feed import wire
from exchange.feed.record import FillRecord, OrderRecord
from exchange.models.order import OrderStatus
from exchange.selectors import fills, orders
from exchange.services.rules import rules_named, rules_of
from rights.kernel.ids import bare

_STATUSES = {name: frozenset({number}) for number, name in wire.STATUSES.items()}
_STATUSES["live"] = frozenset({OrderStatus.PENDING, OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED})


def _show(record: OrderRecord) -> dict[str, Any]:
    return wire.order(record, rules_of(record.book_id))


def _show_fill(record: FillRecord) -> dict[str, Any]:
    return wire.fill(record, rules_of(record.book_id))


class _Own(ApiView):
    scopes: ClassVar = {"GET": "read"}

    def own(self, public_id: str) -> OrderRecord:
        """The caller's order; anybody else's is not there."""
        uuid = bare("ord", public_id)
        record = orders.order(account_id=self.principal.account_id, order_id=uuid) if uuid else None
        if record is None:
            raise not_found()
        return record

    def book(self) -> int | None:
        """The book that `instrument` names; -1 when there is none, so that the list is empty."""
        symbol = self.query.symbol("instrument")
        if symbol is None:
            return None
        rules = rules_named(symbol)
        return rules.book_id if rules else -1


class OrdersView(_Own):
    elsewhere = ("POST", "DELETE")
    queries: ClassVar = {"GET": ("status", "instrument", "limit", "cursor")}
    docs: ClassVar = {"GET": Doc("The account's orders, newest first; `status=live`: what is pending or open", "Order", listed=True)}

    def get(self, _request: Request) -> Response:
        limit, after = self.query.limit(), self.query.cursor("orders", "u")
        found = orders.orders(
            account_id=self.principal.account_id,
            limit=limit,
            after=str(after[0]) if after else None,
            book_id=self.book(),
            statuses=self.query.choice("status", _STATUSES),
        )
        return page(found, limit, "orders", lambda record: (record.id,), _show)


class OrderEntryView(ApiView):
    """Paths that only order entry serves: here they have no methods."""

    elsewhere = ("POST",)
    docs: ClassVar[dict[str, Doc]] = {}


class OrderView(_Own):
    elsewhere = ("PATCH", "DELETE")
    docs: ClassVar = {"GET": Doc("One order; also one that is accepted and not yet applied", "Order")}

    def get(self, _request: Request, order_id: str) -> Response:
        record = self.own(order_id)
        return with_seq(Response(_show(record)), record.book_seq)


class OrderByClientIdView(_Own):
    elsewhere = ("PATCH", "DELETE")
    docs: ClassVar = {"GET": Doc("One order by the id its owner gave it", "Order")}

    def get(self, _request: Request, client_order_id: str) -> Response:
        uuid = None
        if fields.CLIENT_ID.fullmatch(client_order_id):
            uuid = orders.order_id_of(account_id=self.principal.account_id, client_order_id=client_order_id)
        if uuid is None:
            raise not_found()
        record = self.own(f"ord_{uuid}")
        return with_seq(Response(_show(record)), record.book_seq)


class OrderEventsView(_Own):
    docs: ClassVar = {"GET": Doc("What happened to an order, oldest first", "OrderEvent", listed=True)}

    def get(self, _request: Request, order_id: str) -> Response:
        record = self.own(order_id)
        # Ids sort by time: no fill of the order is older than the order.
        traded = fills.fills(account_id=self.principal.account_id, limit=10_000, order_id=record.id, since=fills.first_of_ms(record.id))
        return listing(order_story.story(record, rules_of(record.book_id), orders.changes(order_id=record.id), traded))


class FillsView(_Own):
    queries: ClassVar = {"GET": ("instrument", "order_id", "limit", "cursor")}
    docs: ClassVar = {"GET": Doc("The account's fills with their deliveries, newest first", "Fill", listed=True)}

    def get(self, _request: Request) -> Response:
        limit, after = self.query.limit(), self.query.cursor("fills", "u")
        of_order = self.query.public_id("order_id", "ord")
        found = fills.fills(
            account_id=self.principal.account_id,
            limit=limit,
            after=str(after[0]) if after else None,
            book_id=self.book(),
            order_id=of_order,
            since=fills.first_of_ms(of_order) if of_order else None,
        )
        return page(found, limit, "fills", lambda record: (record.trade_id,), _show_fill)


class FillView(_Own):
    docs: ClassVar = {"GET": Doc("One fill: which right, from which parent, in which event", "Fill")}

    def get(self, _request: Request, fill_id: str) -> Response:
        uuid = bare("fil", fill_id)
        record = fills.fill(account_id=self.principal.account_id, fill_uuid=uuid) if uuid else None
        if record is None:
            raise not_found()
        return with_seq(Response(_show_fill(record)), record.book_seq)
