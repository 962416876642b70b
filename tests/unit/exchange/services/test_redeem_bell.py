"""A bell that is out of order is left alone for a moment."""

import redis

from exchange.services import redeem_bell


def test_who_rings_while_the_bell_is_out_of_order_does_not_wait_for_it_each_time(monkeypatch) -> None:
    tried, now_ns = [], [100]

    class Hanging:
        def set(self, *_said, **_more):
            tried.append(now_ns[0])
            raise redis.TimeoutError

    class Rung:
        def set(self, *_said, **_more):
            tried.append(now_ns[0])

    monkeypatch.setattr(redeem_bell, "_away_until_ns", 0)
    monkeypatch.setattr(redeem_bell, "monotonic_ns", lambda: now_ns[0])
    monkeypatch.setattr(redeem_bell.bell, "client", Hanging)
    assert [redeem_bell.ring() for _ in range(5)] == [False] * 5
    assert tried == [100]
    now_ns[0] += redeem_bell.AWAY_NS
    monkeypatch.setattr(redeem_bell.bell, "client", Rung)
    assert [redeem_bell.ring(), redeem_bell.ring()] == [True, True]
    assert tried == [100, *[100 + redeem_bell.AWAY_NS] * 2]
