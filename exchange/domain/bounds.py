"""What a key may do that is trusted with less than its scopes (API.md, Identity; SPEC §11, agent policy). Pure.

A key's own limits and the agent's policy that binds it are two bounds; whatever either forbids is forbidden.
"""

from collections.abc import Iterator, Sequence

import msgspec

from exchange.domain.amounts import decimal_text
from exchange.domain.standing_policy import Agency, Hours

HOUR_US = 3_600_000_000
APPROVAL = "approval_needed"


class Bounds(msgspec.Struct, frozen=True):
    """None, or an empty tuple: without this bound. Money in minor units; `spend`: of buys alone."""

    classes: tuple[str, ...] = ()
    hours: tuple[Hours, ...] = ()
    max_order_minor: int | None = None
    max_daily_minor: int | None = None
    max_daily_spend_minor: int | None = None
    approval_above_minor: int | None = None


class Wish(msgspec.Struct, frozen=True):
    """An order that wants in. `notional_minor`: the most it can come to; `priority` of its class."""

    class_key: str
    priority: str
    is_buy: bool
    notional_minor: int


class Used(msgspec.Struct, frozen=True):
    """What the key's other orders of the day have come to and may still come to."""

    daily_minor: int = 0
    spend_minor: int = 0


class BoundRefusal(msgspec.Struct, frozen=True):
    code: str
    detail: str


def bounds_of(agency: Agency) -> Bounds:
    """What an agent's policy says of orders."""
    return Bounds(
        classes=agency.classes,
        hours=agency.hours,
        max_order_minor=agency.max_order_minor,
        max_daily_spend_minor=agency.max_spend_per_day_minor,
        approval_above_minor=agency.approval_above_minor,
    )


def bound_refusals(*, bounds: Sequence[Bounds], wish: Wish, used: Used, scale: int, now_us: int) -> list[BoundRefusal]:
    """Every reason why the order may not enter; `approval_needed` among them when somebody's approval would do."""
    return [refusal for one in bounds for refusal in _refusals(one, wish, used, scale, now_us)]


def _refusals(bounds: Bounds, wish: Wish, used: Used, scale: int, now_us: int) -> Iterator[BoundRefusal]:
    if bounds.classes and wish.class_key not in bounds.classes:
        yield BoundRefusal("class_not_allowed", f"the key may trade {', '.join(bounds.classes)}, not {wish.class_key}")
    hour = now_us // HOUR_US % 24
    if bounds.hours and not priority_allowed(bounds.hours, wish.priority, now_us):
        yield BoundRefusal("priority_not_allowed", f"the key may not have {wish.priority or 'this'} service at {hour:02d}:00 UTC")
    if bounds.max_order_minor is not None and wish.notional_minor > bounds.max_order_minor:
        yield BoundRefusal("order_notional_exceeded", _most("an order may come to", bounds.max_order_minor, wish.notional_minor, scale))
    daily = used.daily_minor + wish.notional_minor
    if bounds.max_daily_minor is not None and daily > bounds.max_daily_minor:
        yield BoundRefusal("daily_notional_exceeded", _most("a day's orders may come to", bounds.max_daily_minor, daily, scale))
    spend = used.spend_minor + wish.notional_minor
    if bounds.max_daily_spend_minor is not None and wish.is_buy and spend > bounds.max_daily_spend_minor:
        yield BoundRefusal("daily_spend_exceeded", _most("a day's buys may cost", bounds.max_daily_spend_minor, spend, scale))
    if bounds.approval_above_minor is not None and wish.notional_minor > bounds.approval_above_minor:
        yield BoundRefusal(
            APPROVAL, _most("without approval an order may come to", bounds.approval_above_minor, wish.notional_minor, scale)
        )


def priority_allowed(hours: Sequence[Hours], priority: str, now_us: int) -> bool:
    """Whether service of that priority may be had now; any may when nothing is said."""
    hour = now_us // HOUR_US % 24
    return not hours or any(one.priority == priority and one.cover(hour) for one in hours)


def _most(words: str, bound_minor: int, minor: int, scale: int) -> str:
    return f"{words} {decimal_text(bound_minor, scale)}; this would make {decimal_text(minor, scale)}"
