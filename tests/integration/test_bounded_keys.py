"""Keys that are trusted with less than their scopes: every order is judged at the door, exactly, and approvals are used once."""

import asyncio
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from exchange.api.order_entry import promise
from exchange.audit.run import audit
from exchange.domain.command import Phase
from exchange.domain.standing_policy import AGENT, PAUSED, REBALANCER, Agency, Coverage, Hours, Rebalancing
from exchange.models import ApiKey, Command, KeyDraw, Order, OrderApproval, Policy, PolicyRun
from exchange.models.book import CommandKind
from exchange.replay.run import replay
from exchange.services import entry, keys
from exchange.services.approvals import decide_approval
from exchange.services.entry import Entered, enter_by_key, preview_bounds
from exchange.services.identity import Principal, principal_by_bearer
from exchange.services.intake import INSERT, NewCommand, parameters
from exchange.services.keys import KeyLimits
from exchange.services.payload import AmendPayload, CancelPayload, Payload, PlacePayload, encode
from exchange.services.policies import NewPolicy, PolicyChange, PolicyRefusal, change_policy, create_policy, end_policy
from exchange.services.run_policy import LATE_US, MANUAL, run_due, run_overdue, run_policy
from rights.kernel import rows
from rights.kernel.clock import to_us
from tests.honest_market import SCOPES, HonestMarket
from tests.registry_desk import MINT
from tests.seam import elsewhere, holding

DOLLAR = 1_000_000
PRICE = 100  # ticks of a cent: a dollar a lot
pytestmark = pytest.mark.django_db


@pytest.fixture
def market() -> HonestMarket:
    market = HonestMarket()
    market.phase(Phase.CONTINUOUS)
    market.match()
    return market


def key_with(market: HonestMarket, **limits: Any) -> ApiKey:
    new = keys.create(
        account_id=market.accounts["other"].pk, scopes=SCOPES, label="", expires_us=None, limits=KeyLimits(**limits), now_us=market.now_us
    )
    return new.key


def member(market: HonestMarket) -> Principal:
    account = market.accounts["other"]
    return Principal(account.pk, str(account.uuid), account.participant_id, "other", "app", frozenset({"trade"}), "user:1", None, 1)


def bind(market: HonestMarket, key: ApiKey, **rules: Any) -> str:
    policy = create_policy(
        new=NewPolicy(AGENT, Agency(**rules), key_uuid=str(key.uuid)),
        who=member(market),
        policy_id=MINT.uuid(market.now_us),
        now_us=market.now_us,
    )
    return str(policy.uuid)


def command(
    market: HonestMarket, key: ApiKey, kind: CommandKind, payload: Payload, order_id: str | None = None, cid: str | None = None
) -> NewCommand:
    return NewCommand(
        book_id=market.book_id,
        account_id=key.account_id,
        kind=int(kind),
        payload=encode(payload),
        actor=f"key:{key.uuid}",
        order_id=order_id or MINT.uuid(market.now_us),
        client_order_id=cid,
        key_id=key.pk,
    )


def place(market: HonestMarket, key: ApiKey, lots: int, price: int = PRICE, *, side: int = 0, cid: str | None = None) -> NewCommand:
    return command(market, key, CommandKind.PLACE, PlacePayload(side=side, type=0, quantity_lots=lots, price_ticks=price), cid=cid)


def enter(market: HonestMarket, key: ApiKey, *commands: NewCommand) -> list[str]:
    """Each command's refusal, or "" when it was let in."""
    return [_code(one) for one in enter_by_key(key_id=key.pk, commands=commands, now_us=market.now_us)]


def _code(one: Entered) -> str:
    assert one.n is None or one.refusal is None
    return one.refusal.code if one.refusal else ""


def sound(market: HonestMarket) -> None:
    market.match()
    assert audit(now_us=market.now_us).broken == []
    assert replay().differences == {}


def test_the_common_door_takes_nothing_of_a_bounded_key(market: HonestMarket) -> None:
    key = key_with(market, max_order_minor=DOLLAR)
    assert rows.fetch_all(INSERT, parameters([place(market, key, 1)], market.now_us)) == []
    free = market.keys["other"]
    assert len(rows.fetch_all(INSERT, parameters([place(market, free, 1)], market.now_us))) == 1


def test_one_order_too_large_takes_no_other_with_it(market: HonestMarket) -> None:
    key = key_with(market, max_order_minor=5 * DOLLAR)
    found = enter(market, key, place(market, key, 5), place(market, key, 6), place(market, key, 1, 501), place(market, key, 1))
    assert found == ["", "order_notional_exceeded", "order_notional_exceeded", ""]
    assert Command.objects.filter(kind=0).count() == 2
    sound(market)


def test_a_day_s_orders_count_until_they_end_and_then_what_they_traded(market: HonestMarket) -> None:
    key = key_with(market, max_daily_minor=10 * DOLLAR)
    first = place(market, key, 8)
    assert enter(market, key, first, place(market, key, 3)) == ["", "daily_notional_exceeded"]
    market.place("holder", "sell", 2, 50)
    market.match()
    assert enter(market, key, place(market, key, 3)) == ["daily_notional_exceeded"]  # two traded at the bid's price, six rest
    cancel = command(market, key, CommandKind.CANCEL, CancelPayload(), first.order_id)
    assert enter(market, key, cancel) == [""]
    market.match()
    assert Order.objects.get(pk=first.order_id).filled_lots == 2
    assert enter(market, key, place(market, key, 9), place(market, key, 8)) == ["daily_notional_exceeded", ""]
    market.now_us += 86_400 * DOLLAR
    assert enter(market, key, place(market, key, 10)) == [""]
    sound(market)


def test_amendments_are_judged_by_what_the_order_would_be(market: HonestMarket) -> None:
    key = key_with(market, max_order_minor=5 * DOLLAR)
    order = place(market, key, 4)
    more, dearer, fair = (
        command(market, key, CommandKind.AMEND, AmendPayload(**new), order.order_id)
        for new in ({"quantity_lots": 6}, {"price_ticks": 126}, {"quantity_lots": 5})
    )
    # In one call, so that the order is known from the call alone.
    assert enter(market, key, order, more, dearer, fair) == ["", "order_notional_exceeded", "order_notional_exceeded", ""]
    market.match()
    assert Order.objects.get(pk=order.order_id).quantity_lots == 5
    assert enter(market, key, more) == ["order_notional_exceeded"]
    stranger = command(market, key, CommandKind.AMEND, AmendPayload(quantity_lots=1), MINT.uuid(market.now_us))
    assert enter(market, key, stranger) == ["conflict"]
    sound(market)


def test_an_amendment_behind_one_that_is_not_applied_has_to_say_it_all(market: HonestMarket) -> None:
    key = key_with(market, max_order_minor=5 * DOLLAR)
    order = place(market, key, 4)
    assert enter(market, key, order) == [""]
    market.match()
    less, dearer, whole = (
        command(market, key, CommandKind.AMEND, AmendPayload(**new), order.order_id)
        for new in ({"quantity_lots": 1}, {"price_ticks": 500}, {"quantity_lots": 1, "price_ticks": 500})
    )
    # Were the first refused at the book, four lots at five dollars would rest.
    assert enter(market, key, less, dearer) == ["", "conflict"]
    assert enter(market, key, dearer) == ["conflict"]
    assert enter(market, key, whole) == [""]
    market.match()
    assert enter(market, key, dearer) == [""]
    sound(market)


@pytest.mark.django_db(transaction=True)
def test_two_keys_that_amend_one_order_at_once_are_held_to_what_each_saw(market: HonestMarket) -> None:
    one, other = (key_with(market, max_order_minor=5 * DOLLAR) for _ in range(2))
    order = place(market, one, 1)
    assert enter(market, one, order) == [""]
    market.match()
    dearer = command(market, one, CommandKind.AMEND, AmendPayload(price_ticks=500), order.order_id)
    more = command(market, other, CommandKind.AMEND, AmendPayload(quantity_lots=5), order.order_id)
    with transaction.atomic():
        assert enter(market, one, dearer) == [""]
        assert elsewhere(lambda: enter(market, other, more)) == [""]  # it sees nothing of what has not been committed
    market.match()
    left = Order.objects.get(pk=order.order_id)
    assert (left.price_ticks, left.quantity_lots) in {(500, 1), (100, 5)}
    sound(market)


def test_the_same_client_order_id_again_draws_nothing(market: HonestMarket) -> None:
    key = key_with(market, max_daily_minor=4 * DOLLAR)
    assert enter(market, key, place(market, key, 4, cid="once")) == [""]
    again = enter_by_key(key_id=key.pk, commands=[place(market, key, 4, cid="once")], now_us=market.now_us)
    assert [(one.n, one.refusal) for one in again] == [(None, None)]
    assert KeyDraw.objects.count() == 1


def test_market_orders_count_at_the_collar_s_top(market: HonestMarket) -> None:
    key = key_with(market, max_order_minor=1_000 * DOLLAR)
    blind = command(market, key, CommandKind.PLACE, PlacePayload(side=0, type=1, quantity_lots=2, tif=2))
    assert enter(market, key, blind) == ["order_notional_exceeded"]


def test_an_agent_is_bound_by_class_hour_and_spending(market: HonestMarket) -> None:
    key = key_with(market)
    name = market.series.compute_class.key
    policy = bind(market, key, hours=(Hours("premium"),))
    assert enter(market, key, place(market, key, 1)) == ["priority_not_allowed"]
    for rules, found in (
        ({"classes": (name,), "hours": (Hours("standard"),)}, ""),
        ({"max_spend_per_day_minor": DOLLAR}, "daily_spend_exceeded"),
    ):
        change_policy(policy_id=policy, change=PolicyChange(rules=Agency(**rules)), who=member(market), now_us=market.now_us)
        assert enter(market, key, place(market, key, 1)) == [found]
    change_policy(policy_id=policy, change=PolicyChange(state=PAUSED), who=member(market), now_us=market.now_us)
    assert ApiKey.objects.get(pk=key.pk).bounded is False
    end_policy(policy_id=policy, who=member(market), now_us=market.now_us)
    assert len(rows.fetch_all(INSERT, parameters([place(market, key, 50)], market.now_us))) == 1
    sound(market)


def test_a_rebalancer_is_bound_by_its_key(market: HonestMarket) -> None:
    key = key_with(market, max_order_minor=3 * DOLLAR)
    cover = Coverage(max_price_minor=DOLLAR, units=10 * market.instrument.lot_size, horizon_us=400 * 86_400 * DOLLAR)
    rules = Rebalancing(market.series.compute_class.key, cover)
    new = NewPolicy(REBALANCER, rules, key_uuid=str(key.uuid))
    policy = create_policy(new=new, who=member(market), policy_id=MINT.uuid(market.now_us), now_us=market.now_us)
    ran = run_policy(policy_id=str(policy.uuid), trigger=MANUAL, mint=MINT, now_us=market.now_us)
    assert ran is not None
    assert [(one.outcome, one.code) for one in ran.done] == [("refused", "order_notional_exceeded")]
    assert not Command.objects.filter(kind=0).exists()
    sound(market)


def test_a_refusal_of_many_words_is_recorded_cut(market: HonestMarket) -> None:
    key = key_with(market, classes=tuple(f"CLASS-{n:034}" for n in range(10)))
    cover = Coverage(max_price_minor=DOLLAR, units=market.instrument.lot_size, horizon_us=400 * 86_400 * DOLLAR)
    new = NewPolicy(REBALANCER, Rebalancing(market.series.compute_class.key, cover), key_uuid=str(key.uuid))
    policy = create_policy(new=new, who=member(market), policy_id=MINT.uuid(market.now_us), now_us=market.now_us)
    ran = run_policy(policy_id=str(policy.uuid), trigger=MANUAL, mint=MINT, now_us=market.now_us)
    assert ran is not None
    assert [(one.code, len(one.detail)) for one in ran.done] == [("class_not_allowed", 300)]
    sound(market)


def test_above_the_threshold_a_member_has_to_say_yes_once(market: HonestMarket) -> None:
    key = key_with(market, approval_above_minor=5 * DOLLAR)
    assert enter(market, key, place(market, key, 5), place(market, key, 8), place(market, key, 8)) == [
        "",
        "approval_needed",
        "approval_needed",
    ]
    asked = OrderApproval.objects.get()
    decide_approval(approval_id=str(asked.uuid), decision="grant", note="go", who=member(market), now_us=market.now_us)
    worse = place(market, key, 8, PRICE + 1)
    larger = place(market, key, 9)
    fits = place(market, key, 7)
    assert enter(market, key, worse, larger, fits, place(market, key, 7)) == ["approval_needed", "approval_needed", "", "approval_needed"]
    asked.refresh_from_db()
    assert (asked.state, str(asked.order_id)) == ("used", fits.order_id)
    # What was asked for last stands in the place of what was asked before.
    assert sorted(OrderApproval.objects.values_list("state", flat=True)) == ["pending", "replaced", "replaced", "used"]
    last = OrderApproval.objects.get(state="pending")
    decide_approval(approval_id=str(last.uuid), decision="deny", note="", who=member(market), now_us=market.now_us)
    with pytest.raises(PolicyRefusal) as refused:
        decide_approval(approval_id=str(last.uuid), decision="grant", note="", who=member(market), now_us=market.now_us)
    assert refused.value.code == "approval_state"
    sound(market)


def test_an_approval_ends_after_a_day(market: HonestMarket) -> None:
    key = key_with(market, approval_above_minor=0)
    assert enter(market, key, place(market, key, 1)) == ["approval_needed"]
    asked = OrderApproval.objects.get()
    decide_approval(approval_id=str(asked.uuid), decision="grant", note="", who=member(market), now_us=market.now_us)
    market.now_us += 24 * 3_600 * DOLLAR
    assert enter(market, key, place(market, key, 1)) == ["approval_needed"]


def test_a_preview_says_it_and_asks_for_nothing(market: HonestMarket) -> None:
    key = key_with(market, classes=("NONE",), approval_above_minor=0)
    found = preview_bounds(key_id=key.pk, command=place(market, key, 1), now_us=market.now_us)
    assert [one.code for one in found] == ["class_not_allowed", "approval_needed"]
    assert not OrderApproval.objects.exists()
    assert preview_bounds(key_id=market.keys["other"].pk, command=place(market, key, 1), now_us=market.now_us) == []


def test_a_dead_key_enters_nothing(market: HonestMarket) -> None:
    key = key_with(market, max_order_minor=DOLLAR)
    order = place(market, key, 1)
    keys.revoke(account_id=key.account_id, key_uuid=str(key.uuid), now_us=market.now_us)
    assert enter(market, key, order) == ["unauthenticated"]


def test_a_key_of_some_networks_comes_from_nowhere_else(market: HonestMarket) -> None:
    new = keys.create(
        account_id=market.accounts["other"].pk,
        scopes=SCOPES,
        label="",
        expires_us=None,
        limits=KeyLimits(networks=("192.0.2.0/24", "2001:db8::/32")),
        now_us=market.now_us,
    )
    who = principal_by_bearer(new.token, market.now_us)
    assert who is not None
    came = [who.may_come_from(address) for address in ("192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1", "192.0.3.7", "", "unix")]
    assert came == [True, True, True, False, False, False]
    assert new.key.bounded is False


@pytest.mark.django_db(transaction=True)
def test_two_processes_can_not_pass_a_day_s_limit_together() -> None:
    market = HonestMarket()
    key = key_with(market, max_daily_minor=5 * DOLLAR)
    mine, theirs = place(market, key, 4), place(market, key, 4)
    with holding(lambda: enter_by_key(key_id=key.pk, commands=[theirs], now_us=market.now_us)):
        assert enter(market, key, mine) == ["daily_notional_exceeded"]
    assert list(Command.objects.filter(kind=0).values_list("order_id", flat=True).order_by()) != []
    assert KeyDraw.objects.count() == 1
    connection.close()


def test_a_database_that_goes_away_leaves_the_door_open(market: HonestMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    key = key_with(market, max_order_minor=DOLLAR)

    def lost(**_: Any) -> list[Entered]:
        raise OperationalError("the connection is closed")

    monkeypatch.setattr(promise, "enter_by_key", lost)
    first, second = promise.Promise(None), promise.Promise(None)
    asyncio.run(promise._enter_bounded([(place(market, key, 1), first), (place(market, key, 1), second)], market.now_us))
    assert [one.failed for one in (first, second)] == ["timeout", "timeout"]
    monkeypatch.undo()


@pytest.mark.parametrize("overdue", [False, True])
def test_a_policy_that_fails_keeps_no_other_waiting(market: HonestMarket, *, overdue: bool) -> None:
    market.place("holder", "sell", 5, 100)
    market.match()
    cover = Coverage(max_price_minor=DOLLAR, units=market.instrument.lot_size, horizon_us=400 * 86_400 * DOLLAR)
    rules = Rebalancing(market.series.compute_class.key, cover)
    made = [
        create_policy(
            new=NewPolicy(REBALANCER, rules, key_uuid=str(key.uuid)),
            who=member(market),
            policy_id=MINT.uuid(market.now_us),
            now_us=market.now_us,
        )
        for key in (key_with(market), key_with(market))
    ]
    Policy.objects.filter(pk=made[0].pk).update(rules={"class_key": market.series.compute_class.key, "coverage": "of another shape"})
    late_us = market.now_us + LATE_US + DOLLAR
    assert (run_overdue(mint=MINT, now_us=late_us) if overdue else run_due(mint=MINT, now_us=late_us)) == 1
    assert PolicyRun.objects.get().policy_id == made[1].pk
    # It looks again when its time comes, like any other.
    made[0].refresh_from_db()
    assert to_us(made[0].next_at) == late_us + made[0].every_s * 1_000_000


def test_the_door_rings_for_itself(market, monkeypatch):
    """Whoever answers a caller waits for no doorbell behind his commit; a policy's own orders ring."""
    rung: list[int] = []
    monkeypatch.setattr("exchange.services.entry.bell.ring_after_commit", lambda book_id, _lane: rung.append(book_id))
    key = key_with(market, max_order_minor=5 * DOLLAR)
    (entered,) = enter_by_key(key_id=key.pk, commands=[place(market, key, 1)], now_us=market.now_us)
    assert (entered.n is not None, rung) == (True, [])
    within, beyond = place(market, key, 1), place(market, key, 50)
    answers = entry.enter(key=key, commands=[within, beyond], now_us=market.now_us)
    assert [answer.n is not None for answer in answers] == [True, False]
    assert rung == [within.book_id]
