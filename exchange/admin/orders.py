"""Commands, orders and trades: the venue's memory, to look at."""

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from exchange.domain.command import OrderType, Reason, Side, TimeInForce
from exchange.models import Command, Order, Trade
from exchange.models.book import CommandKind
from exchange.models.order import OrderStatus
from exchange.services.rules import rules_of
from rights.admin import ReadOnlyAdmin, owner
from rights.kernel.ids import public

STATUS_COLOURS = {"open": "info", "partially_filled": "info", "filled": "success", "rejected": "danger", "expired": "warning"}


@admin.register(Command)
class CommandAdmin(ReadOnlyAdmin):
    list_display = ("n", "instrument", "shown_kind", "holder", "order", "actor", "accepted_at")
    list_select_related = ("account__participant",)
    search_fields = ("n__exact",)
    search_help_text = "a command's number"
    ordering = ("-n",)
    fields = ("n", "instrument", "shown_kind", "holder", "order", "client_order_id", "payload", "actor", "accepted_at")
    readonly_fields = ("instrument", "shown_kind", "holder", "order")

    @display(description="instrument")
    def instrument(self, command: Command) -> str:
        return rules_of(command.book_id).symbol

    @display(description="account")
    def holder(self, command: Command) -> str:
        return owner(command.account)

    @display(description="kind")
    def shown_kind(self, command: Command) -> str:
        return CommandKind(command.kind).name.lower()

    @display(description="order")
    def order(self, command: Command) -> str:
        return public("ord", str(command.order_id)) if command.order_id else "-"


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    list_display = (
        "public_id",
        "instrument",
        "holder",
        "shown_side",
        "kind",
        "price",
        "quantity_lots",
        "filled_lots",
        "remaining_lots",
        "shown_status",
        "why",
    )
    list_select_related = ("account__participant",)
    search_fields = ("id",)
    search_help_text = "a whole order id, ord_…"
    id_prefix = "ord"
    ordering = ("-id",)
    fields = (
        "public_id",
        ("instrument", "holder"),
        ("shown_side", "kind"),
        ("price", "quantity_lots"),
        ("filled_lots", "remaining_lots", "cancelled_lots"),
        ("shown_status", "why"),
        ("notional", "fee", "held"),
        ("client_order_id", "group"),
        ("slice_rights", "slice_units"),
        ("expire_at", "valid_until"),
        ("book_seq", "joined"),
        ("created_at", "updated_at"),
    )
    readonly_fields = ("public_id", "instrument", "holder", "shown_side", "kind", "price", "shown_status", "why", "notional", "fee", "held")

    @display(description="order")
    def public_id(self, order: Order) -> str:
        return public("ord", str(order.pk))

    @display(description="instrument")
    def instrument(self, order: Order) -> str:
        return rules_of(order.book_id).symbol

    @display(description="account")
    def holder(self, order: Order) -> str:
        return owner(order.account)

    @display(description="side", label={"buy": "success", "sell": "danger"})
    def shown_side(self, order: Order) -> str:
        return Side(order.side).name.lower()

    @display(description="type")
    def kind(self, order: Order) -> str:
        return f"{OrderType(order.type).name.lower()} {TimeInForce(order.tif).name.lower()}"

    @display(description="price")
    def price(self, order: Order) -> str:
        return "-" if order.price_ticks is None else rules_of(order.book_id).price_text(order.price_ticks)

    @display(description="status", label=STATUS_COLOURS)
    def shown_status(self, order: Order) -> str:
        return OrderStatus(order.status).name.lower()

    @display(description="reason")
    def why(self, order: Order) -> str:
        return Reason(order.reason).name.lower() if order.reason else "-"

    @display(description="notional")
    def notional(self, order: Order) -> str:
        return rules_of(order.book_id).money_text(order.notional_minor)

    @display(description="fee")
    def fee(self, order: Order) -> str:
        return rules_of(order.book_id).money_text(order.fee_minor)

    @display(description="held")
    def held(self, order: Order) -> str:
        return rules_of(order.book_id).money_text(order.held_minor)


@admin.register(Trade)
class TradeAdmin(ReadOnlyAdmin):
    list_display = (
        "public_id",
        "instrument",
        "trade_no",
        "price",
        "quantity_lots",
        "notional",
        "buying",
        "selling",
        "aggressor_side",
        "at",
    )
    list_select_related = ("buyer__participant", "seller__participant")
    search_fields = ("id",)
    search_help_text = "a whole trade id, trd_…"
    id_prefix = "trd"
    ordering = ("-id",)
    fields = (
        "public_id",
        ("instrument", "trade_no", "batch_seq"),
        ("price", "quantity_lots", "units"),
        ("notional", "aggressor_side"),
        ("buying", "buy_order", "buyer_fee"),
        ("selling", "sell_order", "seller_fee"),
        ("slice_parents", "slice_children"),
        ("slice_roots", "slice_units"),
        ("ledger", "event_seq", "at"),
    )
    readonly_fields = (
        "public_id",
        "instrument",
        "price",
        "notional",
        "aggressor_side",
        "buying",
        "selling",
        "buyer_fee",
        "seller_fee",
        "ledger",
    )

    @display(description="trade")
    def public_id(self, trade: Trade) -> str:
        return public("trd", str(trade.pk))

    @display(description="instrument")
    def instrument(self, trade: Trade) -> str:
        return rules_of(trade.book_id).symbol

    @display(description="price")
    def price(self, trade: Trade) -> str:
        return rules_of(trade.book_id).price_text(trade.price_ticks)

    @display(description="notional")
    def notional(self, trade: Trade) -> str:
        return rules_of(trade.book_id).money_text(trade.notional_minor)

    @display(description="aggressor", label={"buy": "success", "sell": "danger"})
    def aggressor_side(self, trade: Trade) -> str:
        return ("buy", "sell", "auction")[trade.aggressor]

    @display(description="buyer")
    def buying(self, trade: Trade) -> str:
        return owner(trade.buyer)

    @display(description="seller")
    def selling(self, trade: Trade) -> str:
        return owner(trade.seller)

    @display(description="buyer's fee")
    def buyer_fee(self, trade: Trade) -> str:
        return rules_of(trade.book_id).money_text(trade.buy_fee_minor)

    @display(description="seller's fee")
    def seller_fee(self, trade: Trade) -> str:
        return rules_of(trade.book_id).money_text(trade.sell_fee_minor)

    @display(description="ledger entry")
    def ledger(self, trade: Trade) -> SafeString:
        """A trade's entry bears its id (audit D1)."""
        return format_html('<a href="{}?entry={}">its postings</a>', reverse("console_postings"), trade.pk)
