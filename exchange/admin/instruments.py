"""Instruments in the console: the rules, listing (by two persons), and halt, resume, close with a reason."""

from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextInputWidget,
)

from exchange.admin.acts import Act, ReasonForm, actor_of, answer, row_or_404
from exchange.admin.proposals import proposed
from exchange.domain.command import Phase
from exchange.models import Instrument
from exchange.selectors import instruments
from exchange.services import phases
from exchange.services.listing import TradingRules
from exchange.services.operator_refusal import OperatorRefusal
from exchange.services.proposal_kinds import LISTING, listing_payload
from exchange.services.rules import rules_of
from rights.admin import ReadOnlyAdmin
from rights.domain.fungibility import DOMINANCE, EXACT
from rights.kernel.clock import now_us, to_us
from rights.models import Series
from settlement.domain.money import NotAnAmount, minor_of
from settlement.services.ledger import cash_asset

PHASE_COLOURS = {"pre_open": "info", "continuous": "success", "halted": "warning", "closed": "danger"}


def _series_choices() -> list[tuple[int, str]]:
    waiting = Series.objects.filter(instrument=None).select_related("compute_class").order_by("-pk")[:200]
    return [(s.pk, f"{s.compute_class.key}  {s.window_start:%Y-%m-%d %H:%M} - {s.window_end:%Y-%m-%d %H:%M}") for s in waiting]


def _text(label: str, initial: str = "", help_text: str = "") -> forms.CharField:
    return forms.CharField(label=label, initial=initial, help_text=help_text, widget=UnfoldAdminTextInputWidget(), max_length=32)


def _number(label: str, initial: int | None = None, *, required: bool = True) -> forms.IntegerField:
    return forms.IntegerField(label=label, initial=initial, required=required, widget=UnfoldAdminIntegerFieldWidget())


class ListingForm(ReasonForm):
    """A listing in the words of the market; prices in the currency per lot."""

    series = forms.TypedChoiceField(
        label="Class and window",
        coerce=int,
        choices=_series_choices,
        widget=UnfoldAdminSelectWidget(),
        help_text="Those with issued rights and no book yet.",
    )
    tick = _text("Tick size", "0.001", "USD per lot; every price is a multiple of it")
    collar_low = _text("Lowest price", "0.001")
    collar_high = _text("Highest price", "100.000")
    reference = forms.CharField(label="Reference price", required=False, widget=UnfoldAdminTextInputWidget(), max_length=32)
    maker_bps = _number("Maker fee (bps)", 0)
    taker_bps = _number("Taker fee (bps)", 10)
    min_quantity_lots = _number("Least quantity (lots)", 1)
    max_quantity_lots = _number("Most quantity (lots)", 1_000_000)
    position_limit_lots = _number("Position limit (lots)", required=False)
    delivery_rule = forms.ChoiceField(
        label="Delivery",
        choices=[(EXACT, "Exact: rights of this class and window"), (DOMINANCE, "Dominance: also rights at least as good in everything")],
        widget=UnfoldAdminSelectWidget(),
        required=False,
    )
    proceeds_escrow = forms.ChoiceField(
        label="Sellers' proceeds",
        choices=[
            ("none", "Paid at the fill"),
            ("until_final", "Wait until the units are final"),
            ("until_delivered", "Wait, and go back for units that failed and perished"),
        ],
        widget=UnfoldAdminSelectWidget(),
        required=False,
    )
    opens_at = forms.SplitDateTimeField(label="Opens at (UTC)", required=False, widget=UnfoldAdminSplitDateTimeWidget())
    gate_closes_at = forms.SplitDateTimeField(label="Gate closes at (UTC)", required=False, widget=UnfoldAdminSplitDateTimeWidget())
    field_order = (
        "series",
        "tick",
        "collar_low",
        "collar_high",
        "reference",
        "maker_bps",
        "taker_bps",
        "min_quantity_lots",
        "max_quantity_lots",
        "position_limit_lots",
        "delivery_rule",
        "proceeds_escrow",
        "opens_at",
        "gate_closes_at",
        "reason",
    )


def _ticks(text: str, tick_minor: int, scale: int) -> int:
    minor = minor_of(text, scale)
    if minor % tick_minor:
        raise OperatorRefusal("off_tick", f"{text} is not a multiple of the tick")
    return minor // tick_minor


def rules_from(data: Mapping[str, Any], *, scale: int, now: int) -> TradingRules:
    """The form's texts as trading rules. Raises OperatorRefusal."""
    try:
        tick_minor = minor_of(data["tick"], scale)
        if tick_minor == 0:
            raise OperatorRefusal("rules_refused", "the tick is at least one minor unit")
        reference = data["reference"]
        return TradingRules(
            tick_minor=tick_minor,
            collar_low_ticks=_ticks(data["collar_low"], tick_minor, scale),
            collar_high_ticks=_ticks(data["collar_high"], tick_minor, scale),
            reference_price_ticks=_ticks(reference, tick_minor, scale) if reference else None,
            maker_bps=data["maker_bps"],
            taker_bps=data["taker_bps"],
            min_quantity_lots=data["min_quantity_lots"],
            max_quantity_lots=data["max_quantity_lots"],
            position_limit_lots=data["position_limit_lots"],
            proceeds_escrow=data["proceeds_escrow"] or "none",
            opens_us=to_us(data["opens_at"]) if data["opens_at"] else now,
            gate_us=to_us(data["gate_closes_at"]) if data["gate_closes_at"] else None,
        )
    except NotAnAmount as error:
        raise OperatorRefusal("rules_refused", str(error)) from error


@admin.register(Instrument)
class InstrumentAdmin(ReadOnlyAdmin):
    list_display = ("symbol", "phase", "opens_at", "gate_closes_at", "tick", "lot_size", "collar", "fees", "last_price")
    list_select_related = ("book", "currency")
    list_filter = ("book__phase",)
    search_fields = ("symbol__startswith",)
    search_help_text = "the beginning of a symbol"
    ordering = ("-pk",)
    fields = (
        ("symbol", "phase"),
        ("series", "currency"),
        ("tick", "lot_size"),
        ("collar", "fees"),
        ("min_quantity_lots", "max_quantity_lots"),
        ("position_limit_lots", "last_price"),
        ("delivery_rule", "delivers_too"),
        ("proceeds_escrow",),
        ("takers", "sheet"),
        ("opens_at", "gate_closes_at"),
        ("listed_at", "lane"),
        ("batches", "trades"),
    )
    readonly_fields = ("phase", "tick", "collar", "fees", "last_price", "lane", "batches", "trades", "delivers_too", "takers", "sheet")
    actions_list = ("list_new",)
    actions_detail = ("halt", "resume", "close")

    @display(description="phase", label=PHASE_COLOURS, ordering="book__phase")
    def phase(self, instrument: Instrument) -> str:
        return Phase(instrument.book.phase).name.lower()

    @display(description="tick")
    def tick(self, instrument: Instrument) -> str:
        return rules_of(instrument.pk).price_text(1)

    @display(description="collar")
    def collar(self, instrument: Instrument) -> str:
        rules = rules_of(instrument.pk)
        return f"{rules.price_text(rules.collar_low)} - {rules.price_text(rules.collar_high)}"

    @display(description="fees, maker / taker")
    def fees(self, instrument: Instrument) -> str:
        return f"{instrument.maker_bps} / {instrument.taker_bps} bps"

    @display(description="last price")
    def last_price(self, instrument: Instrument) -> str:
        last = instrument.book.last_price_ticks
        return "-" if last is None else rules_of(instrument.pk).price_text(last)

    @display(description="takers")
    def takers(self, instrument: Instrument) -> str:
        """Why they are kept out, when they are."""
        found = instruments.instrument(symbol=instrument.symbol, now_us=now_us())
        return f"kept out: {found.post_only_reason}" if found is not None and found.post_only else "let in"

    @display(description="disclosure sheet")
    def sheet(self, instrument: Instrument) -> str:
        found = instrument.sheets.order_by("-version").first()
        return "-" if found is None else f"version {found.version}, computed {found.computed_at:%Y-%m-%d %H:%M:%S} UTC, {found.hash}"

    @display(description="delivers too")
    def delivers_too(self, instrument: Instrument) -> str:
        more = instrument.deliverable.select_related("series__compute_class").order_by("pk")[:20]
        return (
            ", ".join(
                f"{d.series.compute_class.key} {d.series.window_start:%Y-%m-%d %H:%M} - {d.series.window_end:%Y-%m-%d %H:%M}" for d in more
            )
            or "-"
        )

    @display(description="lane")
    def lane(self, instrument: Instrument) -> str:
        return f"match.{instrument.book.lane:02d}"

    @display(description="batches")
    def batches(self, instrument: Instrument) -> str:
        return f"{instrument.book.seq:,}"

    @display(description="trades")
    def trades(self, instrument: Instrument) -> str:
        return f"{instrument.book.trade_count:,}"

    @action(description="List an instrument", permissions=["operate"], icon="add", variant=ActionVariant.PRIMARY)
    def list_new(self, request: HttpRequest) -> HttpResponse:
        back = reverse("admin:exchange_instrument_changelist")

        def run(data: Mapping[str, Any]) -> str:
            series = Series.objects.select_related("compute_class").get(pk=data["series"])
            rules = rules_from(data, scale=cash_asset().scale, now=now_us())
            return proposed(
                request, LISTING, listing_payload(series=series, rules=rules, delivery_rule=data["delivery_rule"] or EXACT), data["reason"]
            )

        explanation = (
            "Once another operator approves, a class in a window gets a book. What is listed never changes; trading starts at the opening."
        )
        return answer(request, Act("List an instrument", explanation, "Propose", back, run, ListingForm))

    @action(description="Halt", permissions=["operate"], icon="pause_circle", variant=ActionVariant.WARNING)
    def halt(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._phase_page(request, object_id, phases.halt, "Halt", "Nothing matches and only cancels are taken until it is resumed.")

    @action(description="Resume", permissions=["operate"], icon="play_circle", variant=ActionVariant.SUCCESS)
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._phase_page(request, object_id, phases.resume, "Resume", "Trading goes on with the orders that rest.")

    @action(description="Close", permissions=["operate"], icon="block", variant=ActionVariant.DANGER)
    def close(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._phase_page(request, object_id, phases.close, "Close", "For good: every resting order is cancelled and released.")

    def _phase_page(self, request: HttpRequest, object_id: str, service: Callable[..., int], verb: str, effect: str) -> HttpResponse:
        instrument = row_or_404(Instrument, object_id)

        def run(data: Mapping[str, Any]) -> str:
            n = service(book_id=instrument.pk, reason=data["reason"], actor=actor_of(request), now_us=now_us())
            return f"{verb} of {instrument.symbol} is command {n}; the book takes it in its turn."

        back = reverse("admin:exchange_instrument_change", args=[instrument.pk])
        return answer(request, Act(f"{verb} {instrument.symbol}", effect, verb, back, run))
