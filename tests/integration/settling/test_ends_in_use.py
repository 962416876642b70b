"""A right that ends with a request under way: what the request had reserved comes back first, and then goes where the terms say."""

from typing import Any

import pytest

from exchange.services.expiry import expire_due
from rights.domain.moment import text_of
from rights.models import Event, Right, RightLink
from settlement.models import Settlement
from tests.redeem_desk import END_US
from tests.registry_desk import DAY_US, MINT
from tests.using_desk import Using

pytestmark = pytest.mark.django_db(transaction=True)
ROLL: dict[str, Any] = {"settlement_policy": {"proof_profile": "basic", "expiry_policy": "roll"}}


class Ending(Using):
    """`right` rolls into the next day, where there is room for `room` units. It is two minutes to the end."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.right = self.basic(settlement=ROLL["settlement_policy"])
        window = {"start": text_of(END_US), "end": text_of(END_US + DAY_US)}
        self.desk.assure(patch={**ROLL, "assurance": {"reference": "pledged"}, "window": window}, gross_units=room, stale_after_s=10**7)
        self.now_us = END_US - 120_000_000

    def end(self) -> tuple[int, int, str]:
        """What is due happens; the right afterwards."""
        expire_due(mint=MINT, now_us=self.now_us)
        return self.units(self.right)

    def latter(self) -> Right:
        return RightLink.objects.get(former=self.right).latter


def test_what_an_expired_request_had_reserved_rolls_with_the_rest() -> None:
    desk = Ending(room=10_000)
    request = desk.running((desk.right, 1_000))
    desk.now_us = END_US
    assert desk.end() == (10_000, 1_000, "active")  # what is under way is let end first
    settlement = desk.record(request, desk.told(request, 0, status="expired"))
    assert (settlement.state, settlement.outcome, settlement.units) == ("finalized", "expired", 0)
    assert (desk.end(), desk.units(desk.latter())) == ((0, 0, "expired"), (10_000, 0, "active"))
    assert (desk.cash("venue:escrow"), desk.units_of("units:expired", desk.right)) == (0, 10_000)
    desk.sound()


def test_only_what_was_not_delivered_rolls_and_only_into_what_room_there_is() -> None:
    desk = Ending(room=8_000)
    request = desk.running((desk.right, 1_000))
    desk.record(request, desk.told(request, 1_000))
    desk.now_us = END_US
    assert (desk.end(), desk.units(desk.latter())) == ((0, 0, "expired"), (8_000, 0, "active"))
    assert (desk.units_of("units:consumed", desk.right), desk.units_of("units:expired", desk.right)) == (1_000, 9_000)
    desk.sound()


def test_a_right_that_was_used_up_has_nothing_to_carry_over() -> None:
    desk = Ending(room=10_000)
    request = desk.running((desk.right, 10_000))
    desk.record(request, desk.told(request, 10_000))
    assert Settlement.objects.get().state == "finalized"
    desk.now_us = END_US
    assert (desk.end(), RightLink.objects.exists()) == ((0, 0, "fully_consumed"), False)
    assert not Event.objects.filter(type="right.expired", object_id=f"rgt_{desk.right.pk}").exists()
    desk.sound()
