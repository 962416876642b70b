"""What remains of a right at its end burns, rolls or is reissued, as its own terms say; units, capacity, links and events agree."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from exchange.audit.run import audit
from exchange.replay.run import replay
from exchange.services.expiry import expire_due
from rights.domain.moment import text_of
from rights.models import Assurance, Event, Right, RightLink
from rights.services.activate import activate_right
from rights.services.freeze import freeze_right
from rights.services.split import split_right
from settlement.models import Balance
from settlement.services.endings import expire_right, unfreeze_right
from tests.registry_desk import DAY_US, MINT, START_US, Desk

pytestmark = pytest.mark.django_db(transaction=True)
END_US = START_US + DAY_US


class Shop(Desk):
    """Rights that end by a policy, and windows to come: `window(n)` is the n-th day, the first one is 0."""

    def __init__(self, policy: str, *, units: int = 1_000, **terms: Any) -> None:
        self.terms = {"settlement_policy": {"expiry_policy": policy}, **terms}
        super().__init__()
        if policy != "burn":  # which the plain example is, and backed
            self.backs(0, units)

    def window(self, day: int, days: int = 1) -> dict[str, str]:
        return {"start": text_of(START_US + day * DAY_US), "end": text_of(START_US + (day + days) * DAY_US)}

    def backs(self, day: int, units: int, *, days: int = 1, **capacity: Any) -> Assurance:
        window = {**self.terms.get("window", {}), **self.window(day, days)}
        stale = {"stale_after_s": 10**7, **capacity}
        return self.assure(patch={**self.terms, "window": window}, gross_units=units, **stale)

    def right(self, units: int = 100, **said: Any) -> Right:
        return self.issue(units, **{**self.terms, **said})

    def end(self, right: Right, now_us: int = END_US) -> Right | None:
        """Its end; what stands for it, if anything."""
        expire_right(right_id=str(right.pk), mint=MINT, actor="timetable", now_us=now_us)
        link = RightLink.objects.filter(former=right).select_related("latter__series", "latter__holder").first()
        return None if link is None else link.latter

    def sound(self, now_us: int = END_US) -> None:
        assert audit(now_us=now_us).broken == []
        assert replay().differences == {}


def told(right: Right) -> tuple[str, str, str, str | None]:
    """(policy, units, carried units, why) of its end."""
    said = json.loads(Event.objects.get(object_id=f"rgt_{right.pk}", type="right.expired").body)["payload"]
    return said["policy"], said["units"], said["carried_units"], said["why"]


def units_in(code: str, right: Right) -> int:
    return Balance.objects.filter(account__code=code, asset__root_right=right.root_id).values_list("amount", flat=True).first() or 0


def test_under_burn_what_remained_is_gone() -> None:
    shop = Shop("burn")
    shop.backs(1, 1_000)
    right = shop.right()
    assert (shop.end(right), told(right), units_in("units:expired", right)) == (None, ("burn", "100", "0", None), 100)
    shop.sound()


def test_under_roll_it_is_a_right_of_the_next_window() -> None:
    shop = Shop("roll")
    shop.backs(2, 1_000)
    following = shop.backs(1, 1_000)
    root = shop.right()
    child = split_right(right_id=str(root.pk), units=30, child_id=MINT.uuid(shop.now_us), actor="test", now_us=shop.now_us)[1]
    latter = shop.end(root)
    assert latter is not None
    assert (latter.max_units, latter.remaining_units, latter.status, latter.holder) == (70, 70, "active", root.holder)
    window = json.loads(latter.terms.manifest)["window"]
    assert {name: window[name] for name in ("start", "end")} == shop.window(1)
    assert (RightLink.objects.get().kind, told(root)) == ("rolled", ("roll", "70", "70", None))
    assert (units_in("units:expired", root), units_in("units:issued", latter)) == (70, -70)
    other = shop.end(child)
    assert other is not None
    following.refresh_from_db()
    assert (other.max_units, following.issued_units, other.terms_id) == (30, 100, latter.terms_id)
    types = [list(Event.objects.filter(object_id=f"rgt_{one.pk}").order_by("seq").values_list("type", flat=True)) for one in (root, latter)]
    assert types[0][-2:] == ["right.expired", "right.replaced"]
    assert types[1] == ["right.issued", "right.activated", "right.reissued_from"]
    shop.sound()
    again = shop.end(latter, END_US + DAY_US)  # and so on, window by window
    assert again is not None
    assert again.remaining_units == 70
    shop.sound(END_US + DAY_US)


def test_it_rolls_as_far_as_there_is_room_and_the_rest_burns() -> None:
    shop = Shop("roll")
    following = shop.backs(1, 130)
    first, second, third = (shop.right() for _ in range(3))
    assert [getattr(shop.end(right), "max_units", None) for right in (first, second, third)] == [100, 30, None]
    assert told(second) == ("roll", "100", "30", "capacity_exhausted")
    assert told(third) == ("roll", "100", "0", "capacity_exhausted")
    following.refresh_from_db()
    assert following.issued_units == 130
    shop.sound()


@pytest.mark.parametrize(
    ("day", "days", "capacity", "why"),
    [
        (2, 1, {}, "next_window_missing"),  # not the next one
        (1, 2, {}, "next_window_missing"),  # longer
        (1, 1, {"mode": "inventory-posted"}, "assurance_mismatch"),
        (1, 1, {"stale_after_s": 60}, "assurance_stale"),
        (1, 1, {"overbook_bps": 1_000, "justification": "x", "degradation_plan": "pause-issuance"}, "assurance_basis"),
    ],
)
def test_without_such_a_window_it_burns_and_says_so(day: int, days: int, capacity: dict[str, Any], why: str) -> None:
    shop = Shop("roll")
    shop.backs(day, 1_000, days=days, **capacity)
    right = shop.right()
    assert (shop.end(right), told(right)) == (None, ("roll", "100", "0", why))
    assert units_in("units:expired", right) == 100
    shop.sound()


def test_it_rolls_on_another_assurance_of_that_window_where_the_named_one_is_full() -> None:
    shop = Shop("roll")
    shop.backs(1, 150)
    other = shop.backs(1, 1_000, reference="rack-8")
    first, second = shop.end(shop.right()), shop.end(shop.right())
    assert first is not None
    assert second is not None
    assert (second.assurance_id, json.loads(second.terms.manifest)["assurance"]["reference"]) == (other.pk, "rack-8")
    assert (first.max_units, second.max_units, first.series_id) == (100, 100, second.series_id)
    shop.sound()


def test_under_reissue_it_goes_into_the_issuers_next_window_that_can_take_it() -> None:
    shop = Shop("reissue")
    shop.backs(1, 60)  # too small for all
    shop.backs(3, 1_000, days=2)
    shop.backs(7, 1_000)
    first, second = shop.right(), shop.right(1_000 - 100)
    latter = shop.end(first)
    assert latter is not None
    window = json.loads(latter.terms.manifest)["window"]
    assert {name: window[name] for name in ("start", "end")} == shop.window(3, 2)
    assert (RightLink.objects.get().kind, told(first)) == ("reissued", ("reissue", "100", "100", None))
    after = shop.end(second)
    assert after is not None
    assert after.series.window_start == latter.series.window_start
    shop.sound()


def test_a_reissue_that_fits_nowhere_whole_takes_the_most_there_is() -> None:
    shop = Shop("reissue")
    shop.backs(1, 20)
    shop.backs(4, 60)
    right = shop.right()
    latter = shop.end(right)
    assert latter is not None
    assert (latter.max_units, told(right)) == (60, ("reissue", "100", "60", "capacity_exhausted"))
    lost = shop.right()
    assert getattr(shop.end(lost), "max_units", None) == 20
    assert shop.end(gone := shop.right()) is None
    assert told(gone) == ("reissue", "100", "0", "capacity_exhausted")
    shop.sound()


def test_a_window_too_short_for_the_terms_is_passed_over() -> None:
    shop = Shop("reissue", window={"mode": "epoch", "epoch_size_seconds": 43_200})
    short = {**shop.terms, "window": {"mode": "epoch", "epoch_size_seconds": 43_200, **shop.window(0)}}
    shop.assure(patch=short, gross_units=500, stale_after_s=10**7, window_start_us=END_US, window_end_us=END_US + 3_600_000_000)
    right = shop.right()
    assert (shop.end(right), told(right)) == (None, ("reissue", "100", "0", "terms_unfit"))
    shop.backs(2, 500)
    other = shop.right()
    assert getattr(shop.end(other), "max_units", None) == 100
    shop.sound()


def test_a_rolling_right_waits_for_its_next_window_to_be_activated() -> None:
    shop = Shop("roll", window={"mode": "rolling", "rolling_length_seconds": 3_600})
    shop.backs(1, 500)
    right = shop.right(activate=False)
    activate_right(right_id=str(right.pk), actor="test", now_us=START_US)
    right.refresh_from_db()
    latter = shop.end(right, START_US + 3_600_000_000)
    assert latter is not None
    assert (latter.status, latter.remaining_units, latter.series.window_start) == ("issued", 100, right.series.window_end)
    late = shop.right(activate=False)
    following = shop.end(late)
    assert following is not None
    assert following.status == "active"  # its window has begun
    shop.sound()


def test_terms_with_a_least_transfer_carry_less_than_that_over() -> None:
    shop = Shop("roll", transfer_policy={"min_transfer_units": "50"}, limits={"max_per_request": "40"})
    shop.backs(1, 30)
    right = shop.right()
    latter = shop.end(right)
    assert latter is not None
    assert latter.max_units == 30
    shop.sound()


def test_what_was_frozen_at_its_end_goes_over_when_it_is_let_go() -> None:
    shop = Shop("roll")
    shop.backs(1, 500)
    right = shop.right()
    freeze_right(right_id=str(right.pk), freeze_reason="compliance", note="x", actor="test", now_us=shop.now_us)
    assert expire_due(mint=MINT, now_us=END_US) == 0
    unfreeze_right(right_id=str(right.pk), note="fine", mint=MINT, actor="user:nobody", now_us=END_US + 1, approved_by="user:other")
    assert RightLink.objects.get().latter.remaining_units == 100
    types = list(Event.objects.filter(object_id=f"rgt_{right.pk}").order_by("seq").values_list("type", flat=True))
    assert types[-3:] == ["right.unfrozen", "right.expired", "right.replaced"]
    actors = {json.loads(body)["actor"] for body in Event.objects.filter(type="right.reissued_from").values_list("body", flat=True)}
    assert actors == {"venue:terms"}
    assert replay().differences == {}


def test_those_that_cannot_end_hold_back_nobody_behind_them() -> None:
    shop = Shop("burn")
    stuck = [shop.right() for _ in range(2)]
    behind = shop.right()
    units = Balance.objects.filter(asset__root_right__in=[right.pk for right in stuck], account=behind.holder)
    assert units.update(amount=0) == 2  # the ledger gives nothing back
    looks = [expire_due(mint=MINT, now_us=END_US + second * 1_000_000, most=2) for second in range(3)]
    assert sum(looks) == 0
    assert expire_due(mint=MINT, now_us=END_US + 2_500_000, most=2) == 1
    behind.refresh_from_db()
    assert behind.status == "expired"
    units.update(amount=100)
    assert expire_due(mint=MINT, now_us=END_US + 2_500_000, most=2) == 0  # they have a pause
    assert expire_due(mint=MINT, now_us=END_US + 10_000_000, most=2) == 2
    shop.sound()


def test_the_timetable_ends_each_by_its_policy() -> None:
    shop = Shop("roll")
    shop.backs(1, 250)
    rights = [shop.right() for _ in range(3)]
    assert expire_due(mint=MINT, now_us=END_US) == 3
    assert sum(RightLink.objects.values_list("units", flat=True)) == 250
    assert sum(units_in("units:expired", right) for right in rights) == 300
    shop.sound()


def test_many_that_end_at_once_share_the_room_exactly() -> None:
    shop = Shop("roll", units=10_000)
    following = shop.backs(1, 450)
    rights = [shop.right() for _ in range(6)]
    start = Barrier(7)

    def at_once(act: Any) -> str:
        start.wait(10)
        try:
            act()
        except Exception as refused:  # noqa: BLE001 - who comes too late is refused, by whatever name
            return type(refused).__name__
        finally:
            connection.close()
        return "done"

    acts = [lambda right=right: expire_right(right_id=str(right.pk), mint=MINT, actor="timetable", now_us=END_US) for right in rights]
    document = {**shop.terms, "window": shop.window(1)}
    acts.append(lambda: shop.issue(40, **document))
    with ThreadPoolExecutor(7) as pool:
        said = list(pool.map(at_once, acts))
    assert said[:6] == ["done"] * 6
    following.refresh_from_db()
    assert following.issued_units == 450
    carried = sum(RightLink.objects.values_list("units", flat=True))
    assert carried == 450 - (40 if said[6] == "done" else 0)
    shop.sound()
