"""A standing policy as a client writes it, and as it is shown. Prices and money are decimals, spans seconds, amounts units."""

from typing import Any

from exchange.api import fields
from exchange.api.fields import FieldError
from exchange.domain.amounts import decimal_text
from exchange.domain.standing_policy import (
    AGENT,
    PRIORITIES,
    Agency,
    Coverage,
    Hours,
    Limits,
    Rebalancing,
    Roll,
    Rules,
    SellUnused,
    Swap,
    Target,
)
from rights.kernel.clock import rfc3339

SECOND_US = 1_000_000
MOST_S = 366 * 86_400
MOST_TARGETS, MOST_CLASSES, MOST_HOURS = 500, 50, 20
_BPS = 10_000
_REBALANCING = ("class", "coverage", "sell_unused", "roll", "swap", "limits")
_AGENCY = ("classes", "hours", "max_order_notional", "max_spend_per_day", "approval_above", "fallback", "max_units_per_request")
_PRIORITIES = {priority: priority for priority in PRIORITIES}


def read_rules(value: object, field: str, kind: str, scale: int) -> Rules:
    """The rules of a policy of that kind; `scale`: the currency's decimals. Raises FieldError."""
    return _agency(value, field, scale) if kind == AGENT else _rebalancing(value, field, scale)


def _rebalancing(value: object, field: str, scale: int) -> Rebalancing:
    found = _members(value, field, _REBALANCING, ("class",))
    if not any(name in found for name in ("coverage", "sell_unused", "roll", "swap")):
        raise FieldError(field, "must hold at least one of coverage, sell_unused, roll, swap", "required")
    return Rebalancing(
        class_key=fields.symbol(found["class"], f"{field}.class"),
        coverage=_coverage(found["coverage"], f"{field}.coverage", scale) if "coverage" in found else None,
        sell_unused=_sell_unused(found["sell_unused"], f"{field}.sell_unused", scale) if "sell_unused" in found else None,
        roll=_roll(found["roll"], f"{field}.roll") if "roll" in found else None,
        swap=_swap(found["swap"], f"{field}.swap") if "swap" in found else None,
        limits=_limits(found["limits"], f"{field}.limits", scale) if "limits" in found else Limits(),
    )


def _members(value: object, field: str, allowed: tuple[str, ...], required: tuple[str, ...] = ()) -> dict[str, Any]:
    """What is given; `null` is as good as leaving a member out."""
    given = {name: inner for name, inner in fields.members(value, field, allowed).items() if inner is not None}
    return fields.members(given, field, allowed, required)


def _coverage(value: object, field: str, scale: int) -> Coverage:
    names = ("max_price", "targets", "units", "tolerance_units", "horizon_s", "slippage_bps", "rest")
    found = _members(value, field, names, ("max_price",))
    targets = fields.items(found.get("targets", []), f"{field}.targets", 0, MOST_TARGETS, _target)
    if len({target.start_us for target in targets}) != len(targets):
        raise FieldError(f"{field}.targets", "must name each window once", "conflict")
    return Coverage(
        max_price_minor=fields.decimal_scaled(found["max_price"], f"{field}.max_price", scale, 1),
        targets=tuple(targets),
        units=fields.whole(found.get("units", "0"), f"{field}.units"),
        tolerance_units=fields.whole(found.get("tolerance_units", "0"), f"{field}.tolerance_units"),
        horizon_us=_span_us(found.get("horizon_s", 86_400), f"{field}.horizon_s"),
        slippage_bps=fields.integer(found.get("slippage_bps", 100), f"{field}.slippage_bps", 0, _BPS),
        rest=fields.boolean(found.get("rest", True), f"{field}.rest"),
    )


def _target(value: object, field: str) -> Target:
    found = _members(value, field, ("window_start", "units"), ("window_start", "units"))
    return Target(fields.moment_us(found["window_start"], f"{field}.window_start"), fields.whole(found["units"], f"{field}.units"))


def _sell_unused(value: object, field: str, scale: int) -> SellUnused:
    found = _members(value, field, ("min_price", "before_end_s", "slippage_bps", "rest"), ("min_price", "before_end_s"))
    return SellUnused(
        min_price_minor=fields.decimal_scaled(found["min_price"], f"{field}.min_price", scale, 0),
        before_end_us=_span_us(found["before_end_s"], f"{field}.before_end_s"),
        slippage_bps=fields.integer(found.get("slippage_bps", 500), f"{field}.slippage_bps", 0, _BPS),
        rest=fields.boolean(found.get("rest", True), f"{field}.rest"),
    )


def _roll(value: object, field: str) -> Roll:
    found = _members(value, field, ("before_end_s", "max_cost_bps", "slippage_bps"), ("before_end_s", "max_cost_bps"))
    return Roll(
        before_end_us=_span_us(found["before_end_s"], f"{field}.before_end_s"),
        max_cost_bps=fields.integer(found["max_cost_bps"], f"{field}.max_cost_bps", 0, 10 * _BPS),
        slippage_bps=fields.integer(found.get("slippage_bps", 100), f"{field}.slippage_bps", 0, _BPS),
    )


def _swap(value: object, field: str) -> Swap:
    names = ("to", "before_end_s", "max_cost_bps", "units_bps", "slippage_bps")
    found = _members(value, field, names, ("to", "before_end_s", "max_cost_bps"))
    return Swap(
        to_class=fields.symbol(found["to"], f"{field}.to"),
        before_end_us=_span_us(found["before_end_s"], f"{field}.before_end_s"),
        max_cost_bps=fields.integer(found["max_cost_bps"], f"{field}.max_cost_bps", 0, 10 * _BPS),
        units_bps=fields.integer(found.get("units_bps", _BPS), f"{field}.units_bps", 1, 100 * _BPS),
        slippage_bps=fields.integer(found.get("slippage_bps", 100), f"{field}.slippage_bps", 0, _BPS),
    )


def _limits(value: object, field: str, scale: int) -> Limits:
    found = _members(value, field, ("max_orders_per_run", "max_spend_per_run", "max_spend_per_day"))
    return Limits(
        max_orders_per_run=fields.integer(found.get("max_orders_per_run", 20), f"{field}.max_orders_per_run", 1, 100),
        max_spend_per_run_minor=_money(found, "max_spend_per_run", field, scale),
        max_spend_per_day_minor=_money(found, "max_spend_per_day", field, scale),
    )


def _agency(value: object, field: str, scale: int) -> Agency:
    found = _members(value, field, _AGENCY)
    fallback = _members(found.get("fallback", {}), f"{field}.fallback", ("allow", "max_quality_loss_bps", "max_latency_expansion_bps"))
    most = found.get("max_units_per_request")
    return Agency(
        classes=tuple(fields.items(found.get("classes", []), f"{field}.classes", 0, MOST_CLASSES, fields.symbol)),
        hours=tuple(fields.items(found.get("hours", []), f"{field}.hours", 0, MOST_HOURS, _hours)),
        max_order_minor=_money(found, "max_order_notional", field, scale),
        max_spend_per_day_minor=_money(found, "max_spend_per_day", field, scale),
        approval_above_minor=_money(found, "approval_above", field, scale),
        allow_fallback=fields.boolean(fallback.get("allow", True), f"{field}.fallback.allow"),
        max_quality_loss_bps=_part(fallback, "max_quality_loss_bps", field, _BPS),
        max_latency_expansion_bps=_part(fallback, "max_latency_expansion_bps", field, 10 * _BPS),
        max_units_per_request=None if most is None else fields.whole(most, f"{field}.max_units_per_request", 1),
    )


def _part(found: dict[str, Any], name: str, field: str, high: int) -> int | None:
    return None if found.get(name) is None else fields.integer(found[name], f"{field}.fallback.{name}", 0, high)


def _hours(value: object, field: str) -> Hours:
    found = _members(value, field, ("priority", "from_hour", "to_hour"), ("priority",))
    return Hours(
        fields.choice(found["priority"], f"{field}.priority", _PRIORITIES),
        fields.integer(found.get("from_hour", 0), f"{field}.from_hour", 0, 23),
        fields.integer(found.get("to_hour", 24), f"{field}.to_hour", 1, 24),
    )


def _money(found: dict[str, Any], name: str, field: str, scale: int) -> int | None:
    return None if found.get(name) is None else fields.decimal_scaled(found[name], f"{field}.{name}", scale)


def _span_us(value: object, field: str) -> int:
    return fields.integer(value, field, 0, MOST_S) * SECOND_US


def shown_rules(rules: Rules, scale: int) -> dict[str, Any]:
    """The rules as a client would write them, every member said."""
    return _shown_agency(rules, scale) if isinstance(rules, Agency) else _shown_rebalancing(rules, scale)


def _shown_money(minor: int | None, scale: int) -> str | None:
    return None if minor is None else decimal_text(minor, scale)


def _shown_agency(rules: Agency, scale: int) -> dict[str, Any]:
    most = rules.max_units_per_request
    return {
        "classes": list(rules.classes),
        "hours": [{"priority": h.priority, "from_hour": h.from_hour, "to_hour": h.to_hour} for h in rules.hours],
        "max_order_notional": _shown_money(rules.max_order_minor, scale),
        "max_spend_per_day": _shown_money(rules.max_spend_per_day_minor, scale),
        "approval_above": _shown_money(rules.approval_above_minor, scale),
        "fallback": {
            "allow": rules.allow_fallback,
            "max_quality_loss_bps": rules.max_quality_loss_bps,
            "max_latency_expansion_bps": rules.max_latency_expansion_bps,
        },
        "max_units_per_request": None if most is None else str(most),
    }


def _shown_rebalancing(rules: Rebalancing, scale: int) -> dict[str, Any]:
    coverage, selling, roll, swap, limits = rules.coverage, rules.sell_unused, rules.roll, rules.swap, rules.limits
    return {
        "class": rules.class_key,
        "coverage": coverage
        and {
            "max_price": decimal_text(coverage.max_price_minor, scale),
            "targets": [{"window_start": rfc3339(t.start_us), "units": str(t.units)} for t in coverage.targets],
            "units": str(coverage.units),
            "tolerance_units": str(coverage.tolerance_units),
            "horizon_s": coverage.horizon_us // SECOND_US,
            "slippage_bps": coverage.slippage_bps,
            "rest": coverage.rest,
        },
        "sell_unused": selling
        and {
            "min_price": decimal_text(selling.min_price_minor, scale),
            "before_end_s": selling.before_end_us // SECOND_US,
            "slippage_bps": selling.slippage_bps,
            "rest": selling.rest,
        },
        "roll": roll
        and {"before_end_s": roll.before_end_us // SECOND_US, "max_cost_bps": roll.max_cost_bps, "slippage_bps": roll.slippage_bps},
        "swap": swap
        and {
            "to": swap.to_class,
            "before_end_s": swap.before_end_us // SECOND_US,
            "max_cost_bps": swap.max_cost_bps,
            "units_bps": swap.units_bps,
            "slippage_bps": swap.slippage_bps,
        },
        "limits": {
            "max_orders_per_run": limits.max_orders_per_run,
            "max_spend_per_run": _shown_money(limits.max_spend_per_run_minor, scale),
            "max_spend_per_day": _shown_money(limits.max_spend_per_day_minor, scale),
        },
    }
