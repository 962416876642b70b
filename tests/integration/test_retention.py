"""What is past its time goes; what is not stays."""

import pytest

from exchange.models import AccountMessage
from exchange.services.retention import KEEP_MESSAGES_US, forget_old
from tests.trading_floor import Floor

pytestmark = pytest.mark.django_db(transaction=True)


def test_old_messages_go_and_young_ones_stay():
    floor = Floor()
    floor.open("buyer", 1000)
    floor.place("buyer", "buy", 1, 10)
    floor.match()
    first = floor.now_us
    floor.now_us += KEEP_MESSAGES_US
    floor.place("buyer", "buy", 1, 11)
    floor.match()
    before = AccountMessage.objects.count()
    assert forget_old(now_us=first + KEEP_MESSAGES_US + 1).messages > 0
    left = AccountMessage.objects.count()
    assert 0 < left < before
    assert forget_old(now_us=first + KEEP_MESSAGES_US + 1).messages == 0
