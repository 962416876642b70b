"""A place, amend or cancel as a client writes it, turned into a payload. Every wrong field is named, all at once.

What needs no state is judged here (API.md, conventions); rules that need the book are the batch's.
"""

from collections.abc import Mapping
from typing import Any

from exchange.api import fields
from exchange.api.fields import FieldError
from exchange.api.form import Form
from exchange.domain.command import OrderType, PostOnly, SelfTrade, Side, TimeInForce
from exchange.services.payload import AmendPayload, CancelManyPayload, PlacePayload
from exchange.services.rules import Rules

MAX_LOTS = 10**12
MAX_RIGHTS = 100
SIDES = {m.name.lower(): int(m) for m in Side}
TYPES = {m.name.lower(): int(m) for m in OrderType}
TIFS = {m.name.lower(): int(m) for m in TimeInForce} | {"gtc": int(TimeInForce.GTG)}
STPS = {m.name.lower(): int(m) for m in SelfTrade}
ACTIONS = {"reject": int(PostOnly.REJECT), "slide": int(PostOnly.SLIDE)}
PLACE_FIELDS = frozenset(
    [
        "instrument",
        "side",
        "type",
        "quantity",
        "price",
        "time_in_force",
        "expire_time",
        "post_only",
        "post_only_action",
        "self_trade_prevention",
        "client_order_id",
        "group",
        "rights",
        "accept",
        "deadline",
    ]
)
AMEND_FIELDS = frozenset(("quantity", "price", "expire_time", "deadline"))
CANCEL_FILTERS = ("instrument", "class", "side", "group")
_LIMIT, _MARKET, _SELL = int(OrderType.LIMIT), int(OrderType.MARKET), int(Side.SELL)
_GTG, _GTD, _IOC, _FOK = (int(tif) for tif in (TimeInForce.GTG, TimeInForce.GTD, TimeInForce.IOC, TimeInForce.FOK))
_AT_ONCE = (_IOC, _FOK)


def place_payload(source: Mapping[str, Any], rules: Rules, now_us: int) -> tuple[PlacePayload, str | None]:
    """A new order's payload and its client_order_id. `instrument` has been looked up already. Raises BadFields."""
    form = Form(source, PLACE_FIELDS)
    side = form.need("side", 0, fields.choice, SIDES)
    kind = form.read("type", _LIMIT, fields.choice, TYPES)
    quantity = form.need("quantity", 1, fields.whole, 1, MAX_LOTS)
    tif = form.read("time_in_force", _IOC if kind == _MARKET else _GTG, fields.choice, TIFS)
    if kind == _MARKET and tif not in _AT_ONCE:
        form.wrong("time_in_force", "must be ioc or fok for a market order")
    payload = PlacePayload(
        side=side,
        type=kind,
        quantity_lots=quantity,
        price_ticks=_price(form, kind, rules),
        tif=tif,
        post_only=_post_only(form, kind, tif),
        stp=form.read("self_trade_prevention", 0, fields.choice, STPS),
        expire_us=_expire(form, tif, now_us),
        deadline_us=form.read("deadline", 0, fields.moment_us),
        group=form.read("group", "", fields.client_id),
        rights=_rights(form, side),
    )
    _accept(form, side)
    cid: str | None = form.read("client_order_id", None, fields.client_id)
    form.close()
    return payload, cid


def _ticks(value: object, field: str, rules: Rules) -> int:
    return fields.decimal_ticks(value, field, rules.scale, rules.tick_minor, 1, MAX_LOTS)


def _price(form: Form, kind: int, rules: Rules) -> int | None:
    if kind != _MARKET:
        return form.need("price", 1, _ticks, rules)
    if form.given("price"):
        form.wrong("price", "can't be given for a market order")
    return None


def _post_only(form: Form, kind: int, tif: int) -> int:
    action = form.read("post_only_action", int(PostOnly.REJECT), fields.choice, ACTIONS)
    if not form.read("post_only", False, fields.boolean):
        if form.given("post_only_action"):
            form.wrong("post_only_action", "needs post_only")
        return int(PostOnly.OFF)
    if kind == _MARKET or tif in _AT_ONCE:
        form.wrong("post_only", "can't go with an order that must trade at once")
    return action


def _future_us(value: object, field: str, now_us: int) -> int:
    moment = fields.moment_us(value, field)
    if moment <= now_us:
        raise FieldError(field, "must be in the future", "out_of_range")
    return moment


def _expire(form: Form, tif: int, now_us: int) -> int:
    if tif == _GTD:
        return form.need("expire_time", 0, _future_us, now_us)
    if form.given("expire_time"):
        form.wrong("expire_time", "needs time_in_force gtd")
    return 0


def _right_ids(value: object, field: str) -> list[str]:
    found = fields.items(value, field, 1, MAX_RIGHTS, _right_id)
    if len(set(found)) != len(found):
        raise FieldError(field, "must be different rights")
    return found


def _right_id(value: object, field: str) -> str:
    return fields.public_id(value, field, "rgt")


def _rights(form: Form, side: int) -> list[str] | None:
    if side != _SELL and form.given("rights"):
        form.wrong("rights", "can be named by a sell only")
    listed: list[str] | None = form.read("rights", None, _right_ids)
    return listed


def _accept(form: Form, side: int) -> None:
    """The buyer's filter. Nothing can be filtered until outcomes are measured."""
    if side == _SELL and form.given("accept"):
        form.wrong("accept", "can be given by a buy only")
    asked: dict[str, Any] = form.read("accept", {}, fields.mapping)
    for name in asked:
        form.wrong(f"accept.{name}"[:200], "is not offered by this venue", "not_supported")


def amend_payload(source: Mapping[str, Any], rules: Rules, now_us: int) -> AmendPayload:
    """New values for an order. Raises BadFields."""
    form = Form(source, AMEND_FIELDS)
    if not (form.given("quantity") or form.given("price") or form.given("expire_time")):
        form.wrong("quantity", "is required, or a new price or expire_time", "required")
    price: int | None = form.read("price", None, _ticks, rules)
    quantity: int | None = form.read("quantity", None, fields.whole, 1, MAX_LOTS)
    expire: int | None = form.read("expire_time", None, _future_us, now_us)
    payload = AmendPayload(
        price_ticks=price, quantity_lots=quantity, expire_us=expire, deadline_us=form.read("deadline", 0, fields.moment_us)
    )
    form.close()
    return payload


def cancel_many_payload(source: Mapping[str, Any]) -> CancelManyPayload:
    """The filters of a mass cancel that the book itself applies. Raises BadFields."""
    form = Form(source, CANCEL_FILTERS)
    side: int | None = form.read("side", None, fields.choice, SIDES)
    group: str | None = form.read("group", None, fields.client_id)
    form.read("class", "", fields.symbol)
    form.read("instrument", "", fields.symbol)
    form.close()
    return CancelManyPayload(side=side, group=group)
