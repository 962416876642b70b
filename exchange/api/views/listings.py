"""Listing requests over REST: an issuer asks and may withdraw; operators review, approve and reject, two of them for a book."""

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api import fields
from exchange.api.base import ApiView, not_found, page
from exchange.api.doc import Doc
from exchange.api.form import Form
from exchange.api.refusals import as_problems
from exchange.api.schemas.listings import STATES
from exchange.api.views.assurances import callers_issuer
from exchange.api.views.rights import MINT
from exchange.domain.amounts import decimal_text, fixed_text
from exchange.domain.proceeds import AT_ONCE, PROCEEDS
from exchange.selectors import listings
from exchange.selectors.listings import EVERYTHING, ListingRow
from exchange.services import listing_requests
from exchange.services.idempotency import Done
from exchange.services.identity import Principal
from exchange.services.listing import TradingRules, price_decimals
from exchange.services.listing_requests import Wish
from rights.domain.fungibility import DOMINANCE, EXACT
from rights.kernel.clock import rfc3339, to_datetime
from rights.kernel.ids import bare
from rights.models import Series
from settlement.models import Asset

_STATES = {state: state for state in STATES}
_RULES = {EXACT: EXACT, DOMINANCE: DOMINANCE}
_PROCEEDS = {rule: rule for rule in PROCEEDS}
_MODES = {mode: mode for mode in ("fixed", "rolling", "epoch")}
_FIELDS = (
    "issuer", "class", "window", "currency", "tick_size", "collar", "reference_price", "fees", "min_quantity", "max_quantity", "position_limit",
    "opens_at", "gate_closes_at", "delivery_rule", "proceeds_escrow", "note",
)  # fmt: skip
MOST_LOTS = 2**62
_FINEST = 6  # decimals by which prices are read when the currency is none


def shown(row: ListingRow, principal: Principal) -> dict[str, Any]:
    """A request on the wire; who decided is the operators' and auditors' to know."""
    rules = row.rules["trading"]
    tick = rules["tick_minor"]
    decimals = price_decimals(tick, row.scale)
    inside = bool(principal.scopes & EVERYTHING)

    def price(ticks: int | None) -> str | None:
        return None if ticks is None else fixed_text(ticks * tick, row.scale, decimals)

    def moment(moment_us: int | None) -> str | None:
        return rfc3339(moment_us) if moment_us else None

    limit = rules["position_limit_lots"]
    return {
        "id": f"lst_{row.uuid}",
        "state": row.state,
        "issuer_id": row.issuer,
        "class": row.class_key,
        "window": {"start": rfc3339(row.start_us), "end": rfc3339(row.end_us), "mode": row.mode},
        "currency": row.rules["currency"],
        "tick_size": decimal_text(tick, row.scale),
        "collar": {"low": price(rules["collar_low_ticks"]), "high": price(rules["collar_high_ticks"])},
        "reference_price": price(rules["reference_price_ticks"]),
        "fees": {"maker_bps": rules["maker_bps"], "taker_bps": rules["taker_bps"]},
        "min_quantity": str(rules["min_quantity_lots"]),
        "max_quantity": str(rules["max_quantity_lots"]),
        "position_limit": None if limit is None else str(limit),
        "opens_at": moment(rules["opens_us"]),
        "gate_closes_at": moment(rules["gate_us"]),
        "delivery_rule": row.delivery_rule,
        "proceeds_escrow": rules.get("proceeds_escrow", AT_ONCE),  # requests of before do not say
        "deliverable_quantity": str(row.deliverable_units // row.lot_size),
        "headroom_quantity": str(row.headroom_units // row.lot_size),
        "sheet": row.sheet,
        "note": row.note,
        "instrument": row.symbol,
        "requested_at": rfc3339(row.requested_us),
        "reviewed_at": moment(row.reviewed_us),
        "reviewed_by": (row.reviewed_by or None) if inside else None,
        "decided_at": moment(row.decided_us),
        "decided_by": (row.decided_by or None) if inside else None,
        "decision_note": row.decision_note or None,
    }


def _window(value: object, field: str) -> tuple[int, int, str | None]:
    found = fields.members(value, field, ("start", "end", "mode"), ("start", "end"))
    mode = None if found.get("mode") is None else fields.choice(found["mode"], f"{field}.mode", _MODES)
    return fields.moment_us(found["start"], f"{field}.start"), fields.moment_us(found["end"], f"{field}.end"), mode


def _fees(value: object, field: str) -> tuple[int, int]:
    found = fields.members(value, field, ("maker_bps", "taker_bps"))
    return tuple(
        fields.integer(found.get(name, default), f"{field}.{name}", 0, 1000) for name, default in (("maker_bps", 0), ("taker_bps", 10))
    )  # type: ignore[return-value]


def _collar(value: object, field: str, scale: int, tick: int) -> tuple[int, int]:
    found = fields.members(value, field, ("low", "high"), ("low", "high"))
    return (
        fields.decimal_ticks(found["low"], f"{field}.low", scale, tick),
        fields.decimal_ticks(found["high"], f"{field}.high", scale, tick),
    )


class OneListing(ApiView):
    """Views of one request."""

    def listing(self, listing_id: str) -> ListingRow:
        """The request, if the caller may know of it."""
        uuid = bare("lst", listing_id)
        found = listings.listing(uuid, now_us=self.now_us) if uuid else None
        principal = self.principal
        if found is None or not (principal.scopes & EVERYTHING or found.participant_id == principal.participant_id):
            raise not_found()
        return found

    def again(self, uuid: str) -> dict[str, Any]:
        found = listings.listing(uuid, now_us=self.now_us)
        if found is None:
            raise not_found()
        return shown(found, self.principal)


_READERS = frozenset({"issue", "operate", "audit"})


class ListingsView(OneListing):
    scopes: ClassVar = {"GET": _READERS, "POST": "issue"}
    queries: ClassVar = {"GET": ("state", "issuer", "limit", "cursor"), "POST": ("validate_only",)}
    docs: ClassVar = {
        "GET": Doc("Requests for books, newest first: the caller's own, all for operators", "Listing", listed=True),
        "POST": Doc(
            "Ask for a book for rights the caller has issued",
            "Listing",
            body="ListingRequest",
            status=201,
            idempotent=True,
            description="With `validate_only` the answer is the request as it would be, with the disclosure sheet of now.",
            also={200: "Listing"},
        ),
    }

    def get(self, _request: Request) -> Response:
        limit, before = self.query.limit(), self.query.cursor("listings", "i")
        found = listings.listings(
            self.principal,
            now_us=self.now_us,
            limit=limit,
            before=int(before[0]) if before else None,
            state=self.query.choice("state", _STATES),
            issuer=self.query.text("issuer"),
        )
        return page(found, limit, "listings", lambda row: (row.id,), lambda row: shown(row, self.principal))

    def post(self, _request: Request) -> Response:
        form = Form(self.body, _FIELDS)
        issuer_slug = form.read("issuer", None, fields.text, 1, 64)
        series = self._series(form)
        currency = form.read("currency", "USD", fields.text, 1, 8)
        scale = Asset.objects.filter(code=currency, kind="cash").values_list("scale", flat=True).first()
        if scale is None:
            form.wrong("currency", "is no currency of this venue", "unknown_value")
        rules = self._rules(form, _FINEST if scale is None else scale)
        wish = Wish(rules, currency, form.read("delivery_rule", EXACT, fields.choice, _RULES), form.read("note", "", fields.text, 0, 500))
        form.close()
        principal, request_id = self.principal, MINT.uuid(self.now_us)
        issuer = callers_issuer(issuer_slug, principal.participant_id)
        if series is None:
            raise fields.FieldError("class", "has no issued rights in this window", "unknown_value")

        def act() -> Done:
            with as_problems():
                listing_requests.request_listing(
                    issuer=issuer, series=series, wish=wish, request_id=request_id, actor=principal.actor, now_us=self.now_us
                )
            return Done(201, self.again(request_id))

        return self.once(act)

    def _series(self, form: Form) -> Series | None:
        key, window = form.need("class", "", fields.symbol), form.need("window", None, _window)
        if not key or window is None:
            return None
        found = Series.objects.select_related("compute_class").filter(
            compute_class__key=key, window_start=to_datetime(window[0]), window_end=to_datetime(window[1])
        )
        rows = list((found.filter(window_mode=window[2]) if window[2] else found).order_by("pk")[:2])
        if len(rows) > 1:
            form.wrong("window.mode", "is required: there are several of this class and span", "required")
        return rows[0] if rows else None

    def _rules(self, form: Form, scale: int) -> TradingRules:
        tick = form.need("tick_size", 1, fields.decimal_scaled, scale, 1)
        low, high = form.need("collar", (1, 1), _collar, scale, tick)
        maker, taker = form.read("fees", (0, 10), _fees)
        return TradingRules(
            tick_minor=tick,
            collar_low_ticks=low,
            collar_high_ticks=high,
            opens_us=form.read("opens_at", 0, fields.moment_us),
            gate_us=form.read("gate_closes_at", None, fields.moment_us),
            maker_bps=maker,
            taker_bps=taker,
            min_quantity_lots=form.read("min_quantity", 1, fields.whole, 1, MOST_LOTS),
            max_quantity_lots=form.read("max_quantity", 1_000_000, fields.whole, 1, MOST_LOTS),
            position_limit_lots=form.read("position_limit", None, fields.whole, 1, MOST_LOTS),
            reference_price_ticks=form.read("reference_price", None, fields.decimal_ticks, scale, tick),
            proceeds_escrow=form.read("proceeds_escrow", AT_ONCE, fields.choice, _PROCEEDS),
        )


class ListingView(OneListing):
    scopes: ClassVar = {"GET": _READERS}
    docs: ClassVar = {"GET": Doc("One request, with its disclosure sheet", "Listing")}

    def get(self, _request: Request, listing_id: str) -> Response:
        return Response(shown(self.listing(listing_id), self.principal))


class ListingWithdrawView(OneListing):
    scopes: ClassVar = {"POST": "issue"}
    docs: ClassVar = {"POST": Doc("Take a request back", "Listing", body="Empty", idempotent=True)}

    def post(self, _request: Request, listing_id: str) -> Response:
        fields.members(self.body, "", ())
        row = self.listing(listing_id)
        if row.participant_id != self.principal.participant_id:
            raise not_found()

        def act() -> Done:
            with as_problems():
                listing_requests.withdraw_listing(request_id=row.uuid, actor=self.principal.actor, now_us=self.now_us)
            return Done(200, self.again(row.uuid))

        return self.once(act)


class _StepView(OneListing):
    """Review, approve and reject differ in the service alone."""

    scopes: ClassVar = {"POST": "operate"}
    step: ClassVar[str]

    def post(self, _request: Request, listing_id: str) -> Response:
        body = fields.members(self.body, "", ("reason",), ("reason",))
        reason = fields.text(body["reason"], "reason", high=500)
        row = self.listing(listing_id)

        def act() -> Done:
            with as_problems():
                listing_requests.STEPS[self.step](request_id=row.uuid, reason=reason, actor=self.principal.actor, now_us=self.now_us)
            return Done(200, self.again(row.uuid))

        return self.once(act)


class ListingReviewView(_StepView):
    docs: ClassVar = {"POST": Doc("Say that the sheet has been read", "Listing", body="ListingDecision", idempotent=True)}
    step = "review"


class ListingApproveView(_StepView):
    docs: ClassVar = {
        "POST": Doc("Give it its book; another operator than the reviewer", "Listing", body="ListingDecision", idempotent=True)
    }
    step = "approve"


class ListingRejectView(_StepView):
    docs: ClassVar = {"POST": Doc("Say no, and why", "Listing", body="ListingDecision", idempotent=True)}
    step = "reject"
