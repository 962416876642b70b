"""The same call again is known while it could be taken, and forgotten afterwards."""

from exchange.api.node_entry import heard
from exchange.api.node_entry.heard import Heard


def test_the_same_call_is_new_once() -> None:
    calls = Heard(60)
    assert [calls.is_new("a", "n1", signed_s=100, now_s=now_s) for now_s in (100, 100, 160)] == [True, False, False]
    assert calls.is_new("b", "n1", signed_s=100, now_s=101)
    assert calls.is_new("a", "n2", signed_s=100, now_s=101)


def test_what_is_too_old_to_be_taken_is_forgotten() -> None:
    calls = Heard(60)
    for second in range(100, 1000):
        assert calls.is_new("a", "n", signed_s=second, now_s=second)
    assert sorted(calls._calls) == list(range(939, 1000))


def test_no_second_holds_more_than_it_may(monkeypatch) -> None:
    monkeypatch.setattr(heard, "MOST_IN_A_SECOND", 2)
    calls = Heard(60)
    assert [calls.is_new("a", nonce, signed_s=1, now_s=1) for nonce in ("1", "2", "3", "3", "1")] == [True, True, True, True, False]
