"""What is past its time goes; what is not stays."""

import pytest

from exchange.models import AccountMessage
from exchange.replay.run import replay
from exchange.services.retention import KEEP_MESSAGES_US, forget_old
from settlement.models import RequestPayload
from tests.trading_floor import Floor
from tests.using_desk import Using

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


def test_what_went_to_suppliers_goes_with_its_time_and_what_is_to_be_done_stays():
    """The texts are private; their hashes stay."""
    desk = Using()
    right = desk.basic()
    done, waits = desk.running((right, 100)), desk.matched((right, 100))
    desk.record(done, desk.told(done, 60))
    assert forget_old(now_us=desk.now_us).payloads == 0
    assert forget_old(now_us=desk.now_us + KEEP_MESSAGES_US + 1).payloads == 1
    assert list(RequestPayload.objects.values_list("request_id", flat=True)) == [waits.pk]
    assert replay().differences == {}
