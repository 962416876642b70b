"""The console after a day's trading: every table has rows, and every page of theirs opens."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.urls import reverse

from exchange.models import Command, Order, Proposal, Trade
from rights.domain.staff import OPERATORS
from rights.models import Right
from tests.honest_market import HonestMarket
from tests.people import in_console

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def market():
    market = HonestMarket()
    market.trade_a_day()
    return market


@pytest.fixture
def client():
    return in_console(OPERATORS)


def test_every_page_of_a_day_opens(market, client):
    assert {model.objects.exists() for model in (Command, Order, Trade, Right)} == {True}
    for model in admin.site._registry:
        if model is User:
            continue
        base = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        assert client.get(reverse(f"{base}_changelist")).status_code == 200, model
        for row in model.objects.order_by("-pk")[:3]:
            assert client.get(reverse(f"{base}_change", args=[row.pk])).status_code == 200, row
    desk = client.get(reverse("admin:index"))
    assert desk.context["trades"]
    assert [line["sum"] for line in desk.context["cash"]] == ["0.00"]
    for name in ("events", "postings", "balances", "batches"):
        assert client.get(reverse(f"console_{name}")).context["page"].rows, name


def test_ids_find_their_row_and_nothing_else_does(market, client):
    trade = Trade.objects.first()
    found = client.get(reverse("admin:exchange_trade_changelist"), {"q": f"trd_{trade.pk}"})
    assert [row.pk for row in found.context["cl"].result_list] == [trade.pk]
    for nothing in ("trd_", "x" * 500, f"ord_{trade.pk}", "' OR 1=1", "\x00"):
        assert client.get(reverse("admin:exchange_trade_changelist"), {"q": nothing}).status_code == 200
    entry = client.get(reverse("console_postings"), {"entry": str(trade.pk)})
    assert len(entry.context["page"].rows) >= 2
    for name, field in (
        ("postings", "entry"),
        ("balances", "account"),
        ("batches", "instrument"),
        ("events", "object"),
        ("events", "stream"),
    ):
        for nasty in ("0", "-1", "9" * 40, "nobody", "\x00", "٣", "rgt_x", "%s", "'"):
            assert client.get(reverse(f"console_{name}"), {field: nasty}).status_code == 200, (name, nasty)


def test_freezing_pulls_the_asks_and_unfreezing_takes_two(market, client):
    right, another = Right.objects.get(pk=market.right_id), in_console(OPERATORS, "another")
    address = reverse("admin:rights_right_freeze", args=[right.pk])
    form = {"freeze_reason": "compliance", "reason": "a complaint"}
    assert client.get(address).status_code == 200
    assert client.post(address, {**form, "reason": " "}).status_code == 200
    assert client.post(address, form).status_code == 302
    right.refresh_from_db()
    assert right.status == "frozen"

    address = reverse("admin:rights_right_unfreeze", args=[right.pk])
    assert client.post(address, {"reason": "it was unfounded"}).status_code == 302
    right.refresh_from_db()
    assert right.status == "frozen"
    proposal = Proposal.objects.get()
    approval = reverse("admin:exchange_proposal_approve", args=[proposal.pk])
    assert client.post(approval, {"reason": "I am sure"}).status_code == 403
    assert another.get(approval).status_code == 200
    assert another.post(approval, {"reason": "read the file"}).status_code == 302
    right.refresh_from_db()
    assert right.status == "active"
    assert client.post(address, {"reason": "again"}).status_code == 422
