"""What a bounded key may not do, and in which words it hears it."""

import msgspec
import pytest

from exchange.domain.bounds import HOUR_US, Bounds, Used, Wish, bound_refusals, bounds_of, priority_allowed
from exchange.domain.standing_policy import Agency, Hours

NOON_US = 1_796_083_200_000_000 + 12 * HOUR_US
WISH = Wish("CHAT", "standard", True, 1_000_000)


def codes(bounds: Bounds, *, used: Used = Used(), now_us: int = NOON_US, **wish: object) -> list[str]:  # noqa: B008 - a frozen value
    asked = msgspec.structs.replace(WISH, **wish)
    return [refusal.code for refusal in bound_refusals(bounds=[bounds], wish=asked, used=used, scale=6, now_us=now_us)]


@pytest.mark.parametrize(
    ("bounds", "wish", "code"),
    [
        (Bounds(classes=("CODE",)), {}, "class_not_allowed"),
        (Bounds(hours=(Hours("premium"),)), {}, "priority_not_allowed"),
        (Bounds(hours=(Hours("standard", 13, 18),)), {}, "priority_not_allowed"),
        (Bounds(max_order_minor=999_999), {}, "order_notional_exceeded"),
        (Bounds(max_daily_minor=1_999_999), {}, "daily_notional_exceeded"),
        (Bounds(max_daily_minor=1_999_999), {"is_buy": False}, "daily_notional_exceeded"),
        (Bounds(max_daily_spend_minor=1_499_999), {}, "daily_spend_exceeded"),
        (Bounds(approval_above_minor=999_999), {}, "approval_needed"),
    ],
)
def test_each_bound_refuses_beyond_it(bounds: Bounds, wish: dict[str, object], code: str) -> None:
    assert codes(bounds, used=Used(1_000_000, 500_000), **wish) == [code]


@pytest.mark.parametrize(
    "bounds",
    [
        Bounds(),
        Bounds(classes=("CODE", "CHAT"), hours=(Hours("standard", 12, 13),)),
        Bounds(max_order_minor=1_000_000, max_daily_minor=2_000_000, max_daily_spend_minor=1_500_000, approval_above_minor=1_000_000),
    ],
)
def test_each_bound_lets_its_own_value_pass(bounds: Bounds) -> None:
    assert codes(bounds, used=Used(1_000_000, 500_000)) == []


def test_a_sale_spends_nothing() -> None:
    assert codes(Bounds(max_daily_spend_minor=0), is_buy=False) == []


def test_two_bounds_both_bind_and_every_reason_is_told() -> None:
    refusals = bound_refusals(
        bounds=[Bounds(max_order_minor=1), Bounds(classes=("CODE",), max_order_minor=2)], wish=WISH, used=Used(), scale=6, now_us=NOON_US
    )
    assert [refusal.code for refusal in refusals] == ["order_notional_exceeded", "class_not_allowed", "order_notional_exceeded"]
    assert refusals[0].detail == "an order may come to 0.000001; this would make 1.00"


def test_an_agent_s_policy_as_bounds() -> None:
    agency = Agency(classes=("CHAT",), hours=(Hours("background"),), max_order_minor=1, max_spend_per_day_minor=2, approval_above_minor=3)
    assert bounds_of(agency) == Bounds(("CHAT",), (Hours("background"),), 1, None, 2, 3)
    assert priority_allowed((), "premium", NOON_US)
    assert not priority_allowed(agency.hours, "premium", NOON_US)
