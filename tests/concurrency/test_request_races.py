"""Races about the use of a right (SPEC §2, §8): its limits and its issuer's cash hold however requests meet, and work begins once.

A few rounds each; a thousand with TORTURE=1. Every test ends with the audit of the whole database and a replay.
"""

from collections import Counter

import pytest

from exchange.audit.run import audit
from exchange.replay.run import replay
from exchange.replay.snapshot import snapshot
from exchange.services import keys
from exchange.services.idempotency import Done, Keyed
from exchange.services.identity import principal_by_bearer
from exchange.services.submissions import Submission, answer_submissions
from settlement.models import Request, Route
from settlement.services.begin import begin_execution
from settlement.services.cancel import cancel_request
from settlement.services.route import LOCK_US, expire_locks_due, lock_routes
from tests.races import Job, codes_of, race, rounds
from tests.redeem_desk import BODY, RedeemDesk
from tests.registry_desk import MINT

pytestmark = pytest.mark.django_db(transaction=True)
TIMES = rounds(1000, 12)
WHO = {"actor": "test"}


def sound(desk: RedeemDesk) -> None:
    with snapshot():
        assert audit(now_us=desk.now_us).broken == []
        assert replay().differences == {}


def cancel_all(desk: RedeemDesk) -> None:
    for request_id in Request.objects.filter(ended_at=None, state__in=("matched", "validated")).values_list("pk", flat=True):
        cancel_request(request_id=str(request_id), reason="next round", mint=MINT, now_us=desk.now_us, **WHO)


def limited(desk: RedeemDesk, **limits: int | str) -> Job:
    """Asks for ten units of a right with these limits; every round at a time of its own."""
    reference = "-".join(limits)
    desk.suppliers["boreal"].assure(10**8, patch={"limits": limits, "assurance": {"reference": reference}}, reference=reference)
    right = desk.issue(10**7, limits=limits, assurance={"reference": reference})
    return lambda _: desk.submit(right, units=10).state


def test_the_last_place_in_flight() -> None:
    desk = RedeemDesk()
    ask = limited(desk, max_concurrent=1)
    outcomes = race(ask, ask, times=TIMES, steps=16, prepare=lambda _: cancel_all(desk))
    full = ("max_concurrent",)
    assert set(outcomes) == {("matched", full), (full, "matched")}
    sound(desk)


def test_the_last_units_in_flight_and_the_last_start_of_a_minute() -> None:
    """In odd rounds it is units that two requests want, in even ones the last start that the minute has."""
    desk = RedeemDesk()
    bursts, starts = limited(desk, max_burst="15"), limited(desk, rate_limit_per_minute=1)

    def prepare(_: int) -> None:
        cancel_all(desk)
        desk.now_us += 60_000_000

    def ask(number: int) -> str:
        return str((bursts if number % 2 else starts)(number))

    outcomes = race(ask, ask, times=TIMES, steps=16, prepare=prepare)
    assert {frozenset(found) for found in outcomes[1::2]} == {frozenset({"matched", ("units_short",)})}
    assert {frozenset(found) for found in outcomes[::2]} == {frozenset({"matched", ("rate_per_minute",)})}
    sound(desk)


def test_the_issuers_last_cash() -> None:
    """Two rights, so that no right's lock orders them: the ledger has the last word, and whoever comes second is told whose cash it was."""
    desk = RedeemDesk(cash="0.00015")  # fifteen units' worth
    second = desk.issue(10**6)

    def ask(right_number: int) -> Job:
        return lambda _: desk.submit(desk.right if right_number else second, units=10).state

    outcomes = race(ask(0), ask(1), times=TIMES, steps=20, prepare=lambda _: cancel_all(desk))
    poor = ("issuer_cash",)
    assert set(outcomes) == {("matched", poor), (poor, "matched")}
    sound(desk)


def test_work_begins_once_or_is_called_off() -> None:
    """Two executors in odd rounds; in even ones an executor and a holder who changes his mind."""
    desk = RedeemDesk()
    made: list[str] = []

    def prepare(_: int) -> None:
        made.append(str(desk.submit(units=10).pk))

    def begin(_: int) -> bool:
        return begin_execution(request_id=made[-1], now_us=desk.now_us, **WHO) is not None

    def other(number: int) -> object:
        if number % 2:
            return begin(number)
        return cancel_request(request_id=made[-1], reason="no", mint=MINT, now_us=desk.now_us, **WHO).state

    outcomes = race(begin, other, times=TIMES, steps=12, prepare=prepare)
    assert set(outcomes[1::2]) == {(True, False), (False, True)}
    assert set(outcomes[::2]) == {(True, ("request_executing",)), (False, "settled")}
    sound(desk)


def test_a_lock_that_runs_out_is_not_locked_twice() -> None:
    """While the timetable lets go of a lock, its holder locks anew: one lock is live afterwards, or none."""
    desk = RedeemDesk()
    made: list[str] = []

    def prepare(_: int) -> None:
        cancel_all(desk)
        made.append(str(desk.submit(units=10).pk))
        desk.now_us += LOCK_US

    def again(_: int) -> int:
        return len(lock_routes(request_id=made[-1], mint=MINT, now_us=desk.now_us, **WHO))

    outcomes = race(lambda _: expire_locks_due(now_us=desk.now_us, **WHO), again, times=TIMES, steps=12, prepare=prepare)
    assert set(outcomes) == {(1, 1), (0, 1)}
    live = Counter(Route.objects.filter(state="locked").values_list("request_id", flat=True))
    assert set(live.values()) == {1}
    sound(desk)


def test_two_gatherings_that_want_the_same() -> None:
    """In opposite orders, and one request under one Idempotency-Key in both: it is done once, the last place is had once, nobody is lost."""
    desk = RedeemDesk()
    ask = limited(desk, max_concurrent=1)
    ask(0)
    narrow = Route.objects.get(state="locked").right
    token = keys.create(account_id=desk.accounts["holder"].pk, scopes={"redeem"}, label="", expires_us=None, now_us=desk.now_us).token
    who = principal_by_bearer(token, desk.now_us)
    assert who is not None

    def gathering(number: int, *, turned: bool) -> list[tuple[object, ...]]:
        keyed = Keyed(who.account_id, f"round {number}", "the same")
        wanted = [(desk.right, keyed), (narrow, None), (desk.right, None)]
        came = [Submission(who, desk.envelope(right, units=10), BODY, choose=True, keyed=key) for right, key in wanted]
        answers = answer_submissions(came[::-1] if turned else came, mint=MINT, now_us=desk.now_us)
        return [_told(answer) for answer in (answers[::-1] if turned else answers)]

    outcomes = race(
        lambda number: gathering(number, turned=False),
        lambda number: gathering(number, turned=True),
        times=TIMES,
        steps=24,
        prepare=lambda _: cancel_all(desk),
    )
    for one, other in outcomes:
        assert {one[0][0], other[0][0]} == {False, True}  # one of them was answered what the other was
        assert one[0][1] == other[0][1]
        assert sorted(map(len, (one[1], other[1]))) == [1, 2]
        assert ("max_concurrent",) in (one[1], other[1])
        assert one[2][1] != other[2][1]
    sound(desk)


def _told(answer: Done | Exception) -> tuple[object, ...]:
    if isinstance(answer, Done):
        return answer.replayed, answer.body["id"]
    return codes_of(answer)
