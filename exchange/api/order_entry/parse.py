"""A place, amend or cancel as a client writes it, turned into a payload. Every wrong field is named, all at once.

What needs no state is judged here (API.md, conventions); rules that need the book are the batch's.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from exchange.domain.command import OrderType, PostOnly, SelfTrade, Side, TimeInForce
from exchange.services.payload import AmendPayload, CancelManyPayload, PlacePayload
from exchange.services.rules import Rules
from rights.kernel.clock import to_us
from rights.kernel.ids import bare

MAX_LOTS = 10**12
MAX_RIGHTS = 100
_WHOLE = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,14})(?:\.([0-9]{1,18}))?", re.ASCII)
_CLIENT_ID = re.compile(r"[A-Za-z0-9_:+=/.\-]{1,64}", re.ASCII)
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})", re.ASCII)
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


class FieldProblem(msgspec.Struct, frozen=True):
    field: str
    code: str
    detail: str


class BadFields(Exception):
    """The command can't be taken; every field that is wrong, and why."""

    def __init__(self, problems: list[FieldProblem]) -> None:
        super().__init__("; ".join(f"{p.field}: {p.detail}" for p in problems))
        self.problems = problems


class Fields:
    """Reads one object field by field and collects what is wrong."""

    def __init__(self, source: Mapping[str, Any], allowed: frozenset[str]) -> None:
        self.source = source
        self.problems = [FieldProblem(name[:80], "unknown_field", "no such field here") for name in source if name not in allowed]

    def wrong(self, field: str, detail: str, code: str = "invalid") -> None:
        self.problems.append(FieldProblem(field, code, detail))

    def close(self) -> None:
        if self.problems:
            raise BadFields(self.problems)

    def required(self, field: str) -> bool:
        if field in self.source and self.source[field] is not None:
            return True
        self.wrong(field, "is required", "required")
        return False

    def given(self, field: str) -> bool:
        return self.source.get(field) is not None

    def one_of(self, field: str, choices: Mapping[str, int], default: int) -> int:
        value = self.source.get(field)
        if value is None:
            return default
        if not isinstance(value, str) or value not in choices:
            self.wrong(field, f"must be one of {', '.join(choices)}", "not_a_choice")
            return default
        return choices[value]

    def lots(self, field: str) -> int:
        value = self.source.get(field)
        if not isinstance(value, str) or not _WHOLE.fullmatch(value) or int(value) > MAX_LOTS:
            self.wrong(field, f"must be a string of digits: whole lots from 1 to {MAX_LOTS}", "not_a_quantity")
            return 1
        return int(value)

    def ticks(self, field: str, rules: Rules) -> int:
        value = self.source.get(field)
        match = _DECIMAL.fullmatch(value) if isinstance(value, str) else None
        if match is None or len(match[2] or "") > rules.scale:
            self.wrong(field, "must be a decimal string such as " + rules.price_text(100), "not_a_price")
            return 1
        minor = int(match[1]) * 10**rules.scale + int((match[2] or "").ljust(rules.scale, "0"))
        if minor <= 0 or minor % rules.tick_minor:
            self.wrong(field, f"must be a positive multiple of the tick size {rules.price_text(1)}", "off_tick")
            return 1
        if minor // rules.tick_minor > MAX_LOTS:
            self.wrong(field, "is beyond any price this venue can carry", "too_large")
            return 1
        return int(minor // rules.tick_minor)

    def flag(self, field: str) -> bool:
        value = self.source.get(field)
        if value is None or isinstance(value, bool):
            return bool(value)
        self.wrong(field, "must be true or false", "not_a_boolean")
        return False

    def moment(self, field: str) -> int:
        value = self.source.get(field)
        if isinstance(value, str) and _MOMENT.fullmatch(value):
            try:
                return max(to_us(datetime.fromisoformat(value).astimezone(UTC)), 1)
            except (ValueError, OverflowError):
                pass
        self.wrong(field, "must be a time such as 2026-12-01T00:00:00.000000Z", "not_a_time")
        return 0

    def text(self, field: str, pattern: re.Pattern[str], rule: str) -> str | None:
        value = self.source.get(field)
        if value is None:
            return None
        if not isinstance(value, str) or not pattern.fullmatch(value):
            self.wrong(field, rule, "invalid")
            return None
        return value

    def list_of(self, field: str, most: int) -> list[Any] | None:
        value = self.source.get(field)
        if value is None:
            return None
        if not isinstance(value, list) or not 1 <= len(value) <= most:
            self.wrong(field, f"must be a list of 1 to {most} entries", "not_a_list")
            return None
        return value


_CLIENT_RULE = "must be 1 to 64 of A-Z a-z 0-9 _ : + = / . -"


def client_order_id(fields: Fields) -> str | None:
    return fields.text("client_order_id", _CLIENT_ID, _CLIENT_RULE)


def is_client_order_id(text: str) -> bool:
    return _CLIENT_ID.fullmatch(text) is not None


def place_payload(source: Mapping[str, Any], rules: Rules, now_us: int) -> tuple[PlacePayload, str | None]:
    """A new order's payload and its client_order_id. `instrument` has been looked up already. Raises BadFields."""
    fields = Fields(source, PLACE_FIELDS)
    side = fields.one_of("side", SIDES, 0) if fields.required("side") else 0
    kind = fields.one_of("type", TYPES, int(OrderType.LIMIT))
    quantity = fields.lots("quantity") if fields.required("quantity") else 1
    tif = fields.one_of("time_in_force", TIFS, int(TimeInForce.IOC if kind == OrderType.MARKET else TimeInForce.GTG))
    price = _price(fields, kind, rules)
    post_only = _post_only(fields, kind, tif)
    if kind == OrderType.MARKET and tif not in (TimeInForce.IOC, TimeInForce.FOK):
        fields.wrong("time_in_force", "a market order is ioc or fok", "conflict")
    payload = PlacePayload(
        side=side,
        type=kind,
        quantity_lots=quantity,
        price_ticks=price,
        tif=tif,
        post_only=post_only,
        stp=fields.one_of("self_trade_prevention", STPS, 0),
        expire_us=_expire(fields, tif, now_us),
        deadline_us=fields.moment("deadline") if fields.given("deadline") else 0,
        group=fields.text("group", _CLIENT_ID, _CLIENT_RULE) or "",
        rights=_rights(fields, side),
        **_accept(fields, side),
    )
    cid = client_order_id(fields)
    fields.close()
    return payload, cid


def _price(fields: Fields, kind: int, rules: Rules) -> int | None:
    if kind == OrderType.MARKET:
        if fields.given("price"):
            fields.wrong("price", "a market order has no price", "conflict")
        return None
    return fields.ticks("price", rules) if fields.required("price") else 1


def _post_only(fields: Fields, kind: int, tif: int) -> int:
    wanted = fields.flag("post_only")
    action = fields.one_of("post_only_action", ACTIONS, int(PostOnly.REJECT))
    if not wanted:
        if fields.given("post_only_action"):
            fields.wrong("post_only_action", "needs post_only", "conflict")
        return int(PostOnly.OFF)
    if kind == OrderType.MARKET or tif in (TimeInForce.IOC, TimeInForce.FOK):
        fields.wrong("post_only", "can't go with an order that must trade at once", "conflict")
    return action


def _expire(fields: Fields, tif: int, now_us: int) -> int:
    if tif != TimeInForce.GTD:
        if fields.given("expire_time"):
            fields.wrong("expire_time", "needs time_in_force gtd", "conflict")
        return 0
    if not fields.required("expire_time"):
        return 0
    moment = fields.moment("expire_time")
    if moment and moment <= now_us:
        fields.wrong("expire_time", "is in the past", "in_the_past")
    return moment


def _rights(fields: Fields, side: int) -> list[str] | None:
    listed = fields.list_of("rights", MAX_RIGHTS)
    if listed is None:
        return None
    if side != Side.SELL:
        fields.wrong("rights", "only a sell names rights to deliver", "conflict")
    found = [bare("rgt", right) if isinstance(right, str) else None for right in listed]
    if None in found or len(set(found)) != len(found):
        fields.wrong("rights", "must be different right ids such as rgt_…", "not_an_id")
        return None
    return [right for right in found if right]


def _accept(fields: Fields, side: int) -> dict[str, Any]:
    """The buyer's filter. Only issuers can be filtered until outcomes are measured."""
    value = fields.source.get("accept")
    if value is None:
        return {}
    if not isinstance(value, dict):
        fields.wrong("accept", "must be an object", "not_an_object")
        return {}
    if side != Side.BUY:
        fields.wrong("accept", "only a buy filters what may be delivered", "conflict")
    for name in value:
        fields.wrong(f"accept.{name}"[:80], "this filter is not offered by this venue", "not_supported")
    return {}


def amend_payload(source: Mapping[str, Any], rules: Rules, now_us: int) -> AmendPayload:
    """New values for an order. Raises BadFields."""
    fields = Fields(source, AMEND_FIELDS)
    if not any(fields.given(f) for f in ("quantity", "price", "expire_time")):
        fields.wrong("quantity", "give a new quantity, price or expire_time", "required")
    expire = fields.moment("expire_time") if fields.given("expire_time") else None
    if expire is not None and 0 < expire <= now_us:
        fields.wrong("expire_time", "is in the past", "in_the_past")
    payload = AmendPayload(
        price_ticks=fields.ticks("price", rules) if fields.given("price") else None,
        quantity_lots=fields.lots("quantity") if fields.given("quantity") else None,
        expire_us=expire,
        deadline_us=fields.moment("deadline") if fields.given("deadline") else 0,
    )
    fields.close()
    return payload


def cancel_many_payload(source: Mapping[str, Any]) -> CancelManyPayload:
    """The filters of a mass cancel that the book itself applies. Raises BadFields."""
    fields = Fields(source, frozenset(("instrument", "class", "side", "group")))
    payload = CancelManyPayload(
        side=fields.one_of("side", SIDES, 0) if fields.given("side") else None,
        group=fields.text("group", _CLIENT_ID, _CLIENT_RULE),
    )
    fields.text("class", _CLASS, "must be a class key")
    fields.text("instrument", _CLASS, "must be a symbol")
    fields.close()
    return payload


_CLASS = re.compile(r"[A-Z0-9][A-Z0-9.\-]{0,63}", re.ASCII)


def is_symbol(text: object) -> bool:
    return isinstance(text, str) and _CLASS.fullmatch(text) is not None
