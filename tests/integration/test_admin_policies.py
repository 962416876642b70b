"""Standing policies in the console: what their runs did, and an operator who stops one or ends it."""

import pytest
from django.urls import reverse

from exchange.domain.command import Phase
from exchange.domain.standing_policy import ACTIVE, AGENT, ENDED, REBALANCER, STOPPED, Agency, Coverage, Rebalancing
from exchange.models import Policy, PolicyRun
from exchange.services.identity import Principal
from exchange.services.policies import NewPolicy, PolicyChange, change_policy, create_policy
from exchange.services.rules import rules_of
from exchange.services.run_policy import MANUAL, run_policy
from rights.domain.staff import AUDITORS, OPERATORS
from rights.models import Event
from tests.honest_market import HonestMarket
from tests.people import in_console
from tests.registry_desk import MINT

pytestmark = pytest.mark.django_db


@pytest.fixture
def market(monkeypatch):
    """The console lives at the market's time."""
    market = HonestMarket()
    monkeypatch.setattr("exchange.admin.policies.now_us", lambda: market.now_us)
    market.phase(Phase.CONTINUOUS)
    market.place("holder", "sell", 2, 200)
    market.match()
    return market


def owner(market) -> Principal:
    account = market.accounts["other"]
    scopes = frozenset({"read", "trade"})
    return Principal(account.pk, str(account.uuid), account.participant_id, "other", "app", scopes, "user:1", None, 1)


def made(market, kind, rules) -> Policy:
    new = NewPolicy(kind, rules, label="keep <three>", every_s=60, key_uuid=str(market.keys["other"].uuid))
    return create_policy(new=new, who=owner(market), policy_id=MINT.uuid(market.now_us), now_us=market.now_us)


@pytest.fixture
def policy(market) -> Policy:
    three = market.instrument.lot_size * 3
    covered = Coverage(max_price_minor=3_000_000, units=three, slippage_bps=0, horizon_us=400 * 86_400 * 1_000_000)
    made_one = made(market, REBALANCER, Rebalancing(market.series.compute_class.key, coverage=covered))
    run_policy(policy_id=str(made_one.uuid), trigger=MANUAL, mint=MINT, now_us=market.now_us)
    market.match()
    return made_one


def act(client, name, row, **form):
    return client.post(reverse(f"admin:exchange_policy_{name}", args=[row.pk]), form)


@pytest.mark.parametrize("kind", [OPERATORS, AUDITORS])
def test_pages_show_what_it_did(kind, market, policy):
    client, run = in_console(kind), PolicyRun.objects.get()
    listed = client.get(reverse("admin:exchange_policy_changelist"), {"q": "oth"}).content.decode()
    one = client.get(reverse("admin:exchange_policy_change", args=[policy.pk])).content.decode()
    did = client.get(reverse("admin:exchange_policyrun_change", args=[run.pk])).content.decode()
    assert client.get(reverse("admin:exchange_policyrun_changelist")).status_code == 200
    assert f"pol_{policy.uuid}" in listed
    assert "run 1" in one
    price = rules_of(market.instrument.pk).price_text(200)
    assert f"coverage: place buy 3 at {price} in {market.instrument.symbol}" in did
    assert "<three>" not in listed + one


def test_stopped_until_its_holder_starts_it_and_ended_for_good(market, policy):
    operator = in_console(OPERATORS)
    assert act(in_console(AUDITORS), "stop", policy, reason="x").status_code == 403
    assert act(operator, "stop", policy).status_code == 200  # no reason given
    assert act(operator, "stop", policy, reason="y" * 201).status_code == 200
    assert Policy.objects.get().state == ACTIVE
    assert act(operator, "stop", policy, reason="it floods the book").status_code == 302
    assert (Policy.objects.get().state, Policy.objects.get().reason) == (STOPPED, "it floods the book")
    event = Event.objects.get(type="policy.stopped")
    assert '"reason":"it floods the book"' in event.body
    assert '"actor":"user:' in event.body
    assert act(operator, "stop", policy, reason="again").status_code == 403
    assert run_policy(policy_id=str(policy.uuid), trigger=MANUAL, mint=MINT, now_us=market.now_us) is None
    change_policy(policy_id=str(policy.uuid), change=PolicyChange(state=ACTIVE), who=owner(market), now_us=market.now_us)
    assert act(operator, "finish", policy, reason="it was told").status_code == 302
    assert Policy.objects.get().state == ENDED
    assert act(operator, "finish", policy, reason="again").status_code == 403


def test_what_binds_a_key_is_not_taken_off(market):
    binding = made(market, AGENT, Agency())
    operator = in_console(OPERATORS)
    assert act(operator, "stop", binding, reason="x").status_code == 403
    assert act(operator, "finish", binding, reason="x").status_code == 403
    assert Policy.objects.get().state == ACTIVE
