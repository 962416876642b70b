"""Standing policies on real books: what they place, what it comes to, what stops them; the record is whole and replays."""

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from exchange.audit.run import audit
from exchange.domain.command import Phase
from exchange.domain.standing_policy import ACTIVE, PAUSED, REBALANCER, STOPPED, Coverage, Limits, Rebalancing, SellUnused
from exchange.models import Command, Order, Policy, PolicyAction, PolicyRun
from exchange.replay.run import replay
from exchange.selectors import policies as reads
from exchange.selectors import policy_facts
from exchange.services import keys
from exchange.services.identity import Principal
from exchange.services.participants import suspend
from exchange.services.policies import NewPolicy, PolicyChange, PolicyRefusal, change_policy, create_policy, end_policy
from exchange.services.run_policy import AGAIN_US, FILL, MANUAL, SCHEDULE, WINDOW, due_policies, plan_of, run_due, run_policy
from exchange.services.timetable import run_due as timetable
from rights.kernel.clock import to_us
from tests.honest_market import HonestMarket
from tests.registry_desk import MINT

pytestmark = pytest.mark.django_db
SECOND_US = 1_000_000


@pytest.fixture
def market() -> HonestMarket:
    market = HonestMarket()
    market.phase(Phase.CONTINUOUS)
    market.match()
    return market


def member(market: HonestMarket, slug: str) -> Principal:
    account = market.accounts[slug]
    scopes = frozenset({"read", "trade"})
    return Principal(account.pk, str(account.uuid), account.participant_id, slug, "app", scopes, "user:1", None, 1)


def made(market: HonestMarket, slug: str, **rules: Any) -> Policy:
    new = NewPolicy(REBALANCER, Rebalancing(market.series.compute_class.key, **rules), every_s=60, key_uuid=str(market.keys[slug].uuid))
    return create_policy(new=new, who=member(market, slug), policy_id=MINT.uuid(market.now_us), now_us=market.now_us)


def lots(market: HonestMarket, number: int) -> int:
    return number * int(market.instrument.lot_size)


def covered(market: HonestMarket, number: int, **more: Any) -> Coverage:
    plain = {"max_price_minor": 3_000_000, "units": lots(market, number), "slippage_bps": 0, "horizon_us": 400 * 86_400 * SECOND_US}
    return Coverage(**{**plain, **more})


def ran(market: HonestMarket, policy: Policy, trigger: str = SCHEDULE) -> list[tuple[str, str, int, int, str]]:
    """One run, matched: (rule, verb, lots, price, outcome) of each act."""
    market.now_us += SECOND_US
    found = run_policy(policy_id=str(policy.uuid), trigger=trigger, mint=MINT, now_us=market.now_us)
    market.match()
    assert found is not None
    return [(one.action.rule, one.action.verb, one.action.lots, one.action.price_ticks, one.outcome) for one in found.done]


def sound(market: HonestMarket) -> None:
    assert audit(now_us=market.now_us).broken == []
    assert replay().differences == {}


def test_coverage_is_bought_once_and_recorded(market: HonestMarket) -> None:
    market.place("holder", "sell", 2, 200)
    market.place("holder", "sell", 5, 250)
    market.match()
    policy = made(market, "other", coverage=covered(market, 3))
    assert ran(market, policy) == [("coverage", "place", 3, 200, "placed")]
    order = Order.objects.get(pk=PolicyAction.objects.get().order_id)
    assert (order.filled_lots, order.group) == (2, f"pol_{policy.uuid}")
    # Two came; the third is looked for at the next price, which the cap lets.
    assert ran(market, policy) == [("coverage", "place", 1, 250, "placed")]
    assert ran(market, policy) == []
    shown = reads.runs(policy_id=policy.pk, limit=10)
    assert [(run.number, run.actions[0].status, run.actions[0].filled_lots) for run in shown] == [(2, "filled", 1), (1, "cancelled", 2)]
    assert Command.objects.filter(actor=f"key:{market.keys['other'].uuid}", kind=0).count() == 2
    sound(market)


def test_orders_that_no_batch_has_seen_yet_count(market: HonestMarket) -> None:
    policy = made(market, "other", coverage=covered(market, 3))
    first = run_policy(policy_id=str(policy.uuid), trigger=SCHEDULE, mint=MINT, now_us=market.now_us)
    again = run_policy(policy_id=str(policy.uuid), trigger=SCHEDULE, mint=MINT, now_us=market.now_us)
    assert first is not None
    assert again is not None
    assert [one.action.lots for one in first.done] == [3]
    assert again.done == ()
    market.match()
    assert ran(market, policy) == []
    sound(market)


def test_what_a_batch_trades_while_it_looks_is_bought_once(market: HonestMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    market.place("holder", "sell", 9, 200)
    market.match()
    policy = made(market, "other", coverage=covered(market, 3))
    first = run_policy(policy_id=str(policy.uuid), trigger=SCHEDULE, mint=MINT, now_us=market.now_us)
    look = policy_facts._own

    def meanwhile(*seen: Any) -> Any:
        market.match()  # behind the units, before the orders
        return look(*seen)

    monkeypatch.setattr(policy_facts, "_own", meanwhile)
    again = plan_of(policy, market.now_us)
    assert first is not None
    assert [one.action.lots for one in first.done] == [3]
    assert again.actions == ()
    sound(market)


def test_what_never_stands_still_is_left_for_later(market: HonestMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = made(market, "other", coverage=covered(market, 3))
    looks = iter(range(100))
    monkeypatch.setattr(policy_facts, "_own", lambda *_: {0: [next(looks)]})
    found = run_policy(policy_id=str(policy.uuid), trigger=MANUAL, mint=MINT, now_us=market.now_us)
    assert found is not None
    assert (found.number, next(looks)) == (0, 2 * policy_facts.MOST_LOOKS)
    policy.refresh_from_db()
    assert to_us(policy.next_at) == market.now_us + AGAIN_US
    assert not PolicyRun.objects.exists()


def test_what_is_more_than_needed_is_sold_near_the_end_and_an_ask_is_moved_to_the_bid(market: HonestMarket) -> None:
    selling = SellUnused(min_price_minor=1_000_000, before_end_us=3_600 * SECOND_US, slippage_bps=0)
    policy = made(market, "holder", coverage=covered(market, 40), sell_unused=selling)
    assert ran(market, policy) == []  # a month too early
    market.now_us = to_us(market.series.window_end) - 3_000 * SECOND_US
    assert due_policies(now_us=market.now_us) == [(str(policy.uuid), SCHEDULE)]
    assert ran(market, policy) == [("sell_unused", "place", 10, 100, "placed")]  # nobody bids: it rests
    market.place("third", "buy", 4, 150)
    market.match()
    assert Order.objects.get(group=f"pol_{policy.uuid}").filled_lots == 4
    assert ran(market, policy) == []
    sound(market)


def test_a_resting_ask_is_taken_back_and_sold_into_a_bid_that_came(market: HonestMarket) -> None:
    market.place("holder", "sell", 1, 300)
    market.place("third", "buy", 1, 300)
    market.match()  # the last price, by which resting orders are priced
    selling = SellUnused(min_price_minor=1_000_000, before_end_us=40 * 86_400 * SECOND_US, slippage_bps=0)
    policy = made(market, "holder", coverage=covered(market, 39), sell_unused=selling)
    assert ran(market, policy) == [("sell_unused", "place", 10, 300, "placed")]
    market.place("third", "buy", 4, 200)
    market.match()
    assert ran(market, policy) == [("sell_unused", "cancel", 10, 300, "cancel_sent")]
    policy.refresh_from_db()
    assert to_us(policy.next_at) - to_us(policy.looked_at or policy.next_at) == SECOND_US
    assert ran(market, policy) == [("sell_unused", "place", 10, 200, "placed")]
    assert Order.objects.filter(group=f"pol_{policy.uuid}").latest("id").filled_lots == 4
    sound(market)


def test_fills_and_ends_of_windows_wake_a_policy(market: HonestMarket) -> None:
    selling = SellUnused(min_price_minor=1, before_end_us=3_600 * SECOND_US)
    policy = made(market, "holder", coverage=covered(market, 49), sell_unused=selling)
    name = str(policy.uuid)
    run_policy(policy_id=name, trigger=SCHEDULE, mint=MINT, now_us=market.now_us)
    assert due_policies(now_us=market.now_us) == []
    market.place("holder", "sell", 1, 200)
    market.place("third", "buy", 1, 200)
    market.match()
    assert due_policies(now_us=market.now_us) == [(name, FILL)]
    Policy.objects.filter(uuid=name).update(every_s=86_400)
    end = to_us(market.series.window_end)
    market.now_us = end - 3_601 * SECOND_US
    run_policy(policy_id=name, trigger=SCHEDULE, mint=MINT, now_us=market.now_us)
    assert due_policies(now_us=market.now_us) == []
    assert due_policies(now_us=end - 3_600 * SECOND_US) == [(name, WINDOW)]
    assert run_due(mint=MINT, now_us=end - 3_600 * SECOND_US) == 1


def test_the_day_s_cap_counts_what_rests(market: HonestMarket) -> None:
    limits = Limits(max_spend_per_day_minor=5_000_000)
    policy = made(market, "other", coverage=covered(market, 9, max_price_minor=1_000_000), limits=limits)
    assert [one[2] for one in ran(market, policy)] == [5]
    assert ran(market, policy) == []
    market.now_us += 86_400 * SECOND_US
    assert [one[2] for one in ran(market, policy)] == [4]
    sound(market)


def test_a_revoked_key_stops_its_policy(market: HonestMarket) -> None:
    policy = made(market, "other", coverage=covered(market, 1))
    key = market.keys["other"]
    keys.revoke(account_id=key.account_id, key_uuid=str(key.uuid), now_us=market.now_us)
    found = run_policy(policy_id=str(policy.uuid), trigger=SCHEDULE, mint=MINT, now_us=market.now_us)
    assert found is not None
    assert found.stopped == "the key is revoked"
    policy.refresh_from_db()
    assert (policy.state, policy.reason) == (STOPPED, "the key is revoked")
    assert run_policy(policy_id=str(policy.uuid), trigger=SCHEDULE, mint=MINT, now_us=market.now_us) is None
    with pytest.raises(PolicyRefusal) as refused:
        change_policy(policy_id=str(policy.uuid), change=PolicyChange(state=ACTIVE), who=member(market, "other"), now_us=market.now_us)
    assert refused.value.code == "policy_key"
    assert not Order.objects.exists()
    sound(market)


def test_a_suspended_owner_stops_it_too(market: HonestMarket) -> None:
    policy = made(market, "other", coverage=covered(market, 1))
    suspend(participant=market.accounts["other"].participant, reason="test", actor="command:test", now_us=market.now_us)
    found = run_policy(policy_id=str(policy.uuid), trigger=SCHEDULE, mint=MINT, now_us=market.now_us)
    assert found is not None
    assert found.stopped == "its owner is suspended"


def test_changes_pauses_and_ends(market: HonestMarket) -> None:
    who, policy = member(market, "other"), made(market, "other", coverage=covered(market, 1))
    name = str(policy.uuid)
    change_policy(policy_id=name, change=PolicyChange(state=PAUSED, label="later", every_s=10), who=who, now_us=market.now_us)
    assert due_policies(now_us=market.now_us) == []
    assert run_policy(policy_id=name, trigger=MANUAL, mint=MINT, now_us=market.now_us) is None
    rules = Rebalancing(market.series.compute_class.key, covered(market, 2))
    changed = change_policy(policy_id=name, change=PolicyChange(state=ACTIVE, rules=rules), who=who, now_us=market.now_us)
    assert (changed.revision, changed.label) == (3, "later")
    assert [one[2] for one in ran(market, policy, MANUAL)] == [2]
    end_policy(policy_id=name, who=who, now_us=market.now_us)
    end_policy(policy_id=name, who=who, now_us=market.now_us)
    assert run_policy(policy_id=name, trigger=MANUAL, mint=MINT, now_us=market.now_us) is None
    with pytest.raises(PolicyRefusal):
        change_policy(policy_id=name, change=PolicyChange(label="x"), who=who, now_us=market.now_us)
    with pytest.raises(Policy.DoesNotExist):
        end_policy(policy_id=name, who=member(market, "third"), now_us=market.now_us)
    sound(market)


def test_a_plan_writes_nothing(market: HonestMarket) -> None:
    policy = made(market, "other", coverage=covered(market, 1))
    before = Command.objects.count()
    assert len(plan_of(policy, market.now_us).actions) == 1
    assert (Command.objects.count(), PolicyRun.objects.count()) == (before, 0)


def test_what_was_done_is_not_rewritten(market: HonestMarket) -> None:
    policy = made(market, "other", coverage=covered(market, 1))
    ran(market, policy)
    for statement in (
        "UPDATE exchange_policyaction SET why = 'another'",
        "DELETE FROM exchange_policyrun",
        "DELETE FROM exchange_policy",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_the_timetable_runs_what_no_task_ran(market: HonestMarket) -> None:
    policy = made(market, "other", coverage=covered(market, 1))
    timetable(now_us=market.now_us + 5 * SECOND_US)
    assert not PolicyRun.objects.exists()
    timetable(now_us=market.now_us + 11 * SECOND_US)
    assert PolicyRun.objects.get().policy_id == policy.pk
