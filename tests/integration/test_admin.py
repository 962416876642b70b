"""The console: everybody reads the memory, nobody edits it, acts need a reason."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from exchange.models import ApiKey, Command, Instrument
from exchange.services import participants
from rights.domain.staff import AUDITORS, OPERATORS
from rights.kernel.clock import now_us
from rights.models import Assurance, Event, Participant
from rights.services import journal
from tests.integration.console_market import a_market
from tests.people import in_console

pytestmark = pytest.mark.django_db
RECORDS = ("console_events", "console_chain", "console_postings", "console_balances", "console_batches")
WRITE_ONCE = [m for m in admin.site._registry if m is not User]


@pytest.fixture
def market():
    return a_market()


@pytest.mark.parametrize("kind", ["superuser", OPERATORS, AUDITORS])
def test_every_page_opens(kind, market):
    client = in_console(kind)
    assert client.get(reverse("admin:index")).status_code == 200
    for name in RECORDS:
        assert client.get(reverse(name)).status_code == 200, name
    for model in WRITE_ONCE:
        base = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        assert client.get(reverse(f"{base}_changelist")).status_code == 200, model
        assert client.get(reverse(f"{base}_changelist"), {"q": "x"}).status_code == 200, model
        assert client.get(reverse(f"{base}_changelist"), {"q": "a\x00' \u0663"}).status_code == 200, model
        row = model.objects.first()
        if row is not None:
            assert client.get(reverse(f"{base}_change", args=[row.pk])).status_code == 200, model


@pytest.mark.parametrize("kind", ["superuser", OPERATORS, AUDITORS])
@pytest.mark.parametrize("model", WRITE_ONCE, ids=lambda m: m.__name__)
def test_no_table_is_edited_by_anybody(kind, model, market):
    client = in_console(kind)
    base = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    assert client.get(reverse(f"{base}_add")).status_code == 403
    row = model.objects.first()
    if row is not None:
        assert client.post(reverse(f"{base}_change", args=[row.pk]), {}).status_code == 403
        assert client.post(reverse(f"{base}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403


def test_staff_without_a_group_sees_nothing(market):
    client = in_console("nobody")
    assert client.get(reverse("admin:index")).status_code == 200
    assert client.get(reverse("console_events")).status_code == 403
    assert client.get(reverse("admin:exchange_instrument_changelist")).status_code == 403


def test_the_console_may_evaluate_and_nothing_else_may(market):
    client = in_console(AUDITORS)
    assert "'unsafe-eval'" in client.get(reverse("admin:index")).headers["Content-Security-Policy"]
    assert "unsafe" not in client.get("/login").headers["Content-Security-Policy"]


def test_strangers_are_sent_to_the_login(market):
    assert Client().get(reverse("console_events")).status_code == 302


def test_an_auditor_may_not_act(market):
    client = in_console(AUDITORS)
    book = Instrument.objects.get()
    assert client.get(reverse("admin:exchange_instrument_halt", args=[book.pk])).status_code == 403
    assert client.post(reverse("admin:exchange_instrument_halt", args=[book.pk]), {"reason": "because"}).status_code == 403
    assert not Command.objects.exists()


def test_a_superuser_without_the_role_looks_and_does_not_act(market):
    client = in_console("superuser")
    address = reverse("admin:exchange_instrument_halt", args=[Instrument.objects.get().pk])
    assert client.get(address).status_code == 403
    assert client.post(address, {"reason": "because"}).status_code == 403
    assert not Command.objects.exists()


@pytest.mark.parametrize("model", ["exchange_instrument_halt", "rights_right_freeze", "rights_account_fund", "exchange_proposal_approve"])
@pytest.mark.parametrize("key", ["x", "0", "99999999999999999999", "\u0663", "01a19467-e80a-7029-9034-05d7b17468c5"])
def test_an_address_of_nothing_is_not_found(market, model, key):
    assert in_console(OPERATORS).get(reverse(f"admin:{model}", args=[key])).status_code == 404


def test_halting_needs_a_reason_and_becomes_a_command(market):
    client = in_console(OPERATORS)
    address = reverse("admin:exchange_instrument_halt", args=[Instrument.objects.get().pk])
    assert client.get(address).status_code == 200
    for empty in ({}, {"reason": ""}, {"reason": "   "}):
        assert client.post(address, empty).status_code == 200
    assert not Command.objects.exists()
    assert client.post(address, {"reason": "news of an outage"}).status_code == 302
    command = Command.objects.get()
    assert command.actor.startswith("user:")
    assert "news of an outage" in command.payload


def test_resuming_before_the_opening_is_refused_in_words(market):
    client = in_console(OPERATORS)
    Instrument.objects.update(opens_at="2099-01-01T00:00Z", gate_closes_at="2099-01-01T00:30Z")
    answer = client.post(reverse("admin:exchange_instrument_resume", args=[Instrument.objects.get().pk]), {"reason": "go on"})
    assert answer.status_code == 422
    assert b"opens at" in answer.content


def test_suspending_and_reinstating(market):
    client = in_console(OPERATORS)
    participant = Participant.objects.get(slug="acme")
    for act, status in (("suspend", "suspended"), ("reinstate", "active")):
        assert client.post(reverse(f"admin:rights_participant_{act}", args=[participant.pk]), {"reason": "a review"}).status_code == 302
        participant.refresh_from_db()
        assert participant.status == status


def test_a_key_is_revoked_once_and_nothing_else(market):
    client = in_console(OPERATORS)
    key = ApiKey.objects.get()
    address = reverse("admin:exchange_apikey_revoke", args=[key.pk])
    assert client.post(address, {"reason": "leaked"}).status_code == 302
    key.refresh_from_db()
    assert key.revoked_at is not None
    assert client.post(address, {"reason": "leaked"}).status_code == 422


def test_posting_an_assurance(market):
    client = in_console(OPERATORS)
    issuer = participants.appoint_issuer(
        participant=market.participant,
        slug="acme",
        issuer_type="provider",
        tier=1,
        issuance_path="supplier-self",
        actor="t",
        now_us=now_us(),
    )
    address = reverse("admin:rights_assurance_post_new")
    form = {
        "issuer": str(issuer.pk),
        "compute_class": str(market.unlisted.compute_class_id),
        "mode": "reserved-capacity",
        "reference": "contract-7",
        "degradation_plan": "pause-issuance",
        "overbook_bps": "0",
        "reason": "read the contract",
        "window_start_0": "2099-01-01",
        "window_start_1": "00:00:00",
        "window_end_0": "2099-01-01",
        "window_end_1": "01:00:00",
        "gross_units": "1000",
        "haircut_bps": "500",
    }
    assert client.get(address).status_code == 200
    assert client.post(address, {**form, "window_end_1": "00:00:00"}).status_code == 422
    assert client.post(address, form).status_code == 302
    assert Assurance.objects.get().gross_units == 1000


def test_pages_of_events_go_on_without_counting(market, django_assert_max_num_queries):
    stream = journal.stream_for("registry")
    events = [journal.NewEvent("test.said", "test", f"test:{n}", {}) for n in range(120)]
    journal.append(stream_id=stream, events=events, actor="test", now_us=now_us())
    client = in_console(AUDITORS)
    seen, address = [], reverse("console_events")
    while address:
        with django_assert_max_num_queries(8):
            page = client.get(address)
        seen += [row[4] for row in page.context["page"].rows]
        older = page.context["older"]
        address = reverse("console_events") + older if older else ""
    assert len(seen) == len(set(map(str, seen))) or len(seen) == Event.objects.count()
    assert len(seen) == Event.objects.count()
    assert client.get(reverse("console_events"), {"after": "forged"}).status_code == 200
