"""The console over rights in use: every page with rows behind it, who decides a dispute, what is set aside for whom, which proofs are due."""

from collections.abc import Iterator

import pytest
from django.urls import reverse

from rights.domain.staff import AUDITORS, OPERATORS
from rights.models import Event
from settlement.models import Dispute, Request, Settlement
from settlement.services.disputes import Opening, open_dispute
from tests.people import in_console
from tests.registry_desk import MINT
from tests.using_desk import WHO, Using

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Using]:
    """One request waits, one lacks a proof, one is disputed. The console lives at the desk's time."""
    made = Using()
    monkeypatch.setattr("exchange.admin.settling.now_us", lambda: made.now_us)
    right = made.basic(settlement={"dispute_window_seconds": 600})
    made.matched((right, 10))
    unproven, done = made.running((right, 20)), made.running((right, 30))
    made.record(unproven, made.told(unproven, 20), without=("usage-meter",))
    settlement = made.record(done, made.told(done, 30))
    opening = Opening(MINT.uuid(made.now_us), made.accounts["holder"], "the answer was <empty>", "see for yourself")
    open_dispute(settlement_id=str(settlement.pk), opening=opening, now_us=made.now_us, **WHO)
    yield made
    made.sound()


@pytest.mark.parametrize("kind", [OPERATORS, AUDITORS])
def test_every_page_opens(kind, desk):
    client = in_console(kind)
    for model, prefix in ((Request, "req"), (Settlement, "stl"), (Dispute, "dsp")):
        name = f"admin:settlement_{model._meta.model_name}"
        assert client.get(reverse(f"{name}_changelist")).status_code == 200
        for row in model.objects.all():
            found = client.get(reverse(f"{name}_changelist"), {"q": f"{prefix}_{row.pk}"})
            assert [one.pk for one in found.context["cl"].result_list] == [row.pk]
            assert client.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200
    one = client.get(reverse("admin:settlement_dispute_change", args=[Dispute.objects.get().pk])).content.decode()
    assert "see for yourself" in one
    assert "<empty>" not in one


def test_what_is_set_aside_for_whom(desk):
    client = in_console(OPERATORS)
    page = client.get(reverse("console_escrow")).context["page"]
    shown = [dict(zip(page.headings, row, strict=True)) for row in page.rows]
    assert {(row["stands"], row["by"], row["for"], row["amount"]) for row in shown} == {
        ("matched", "issuer / issuer", "boreal / boreal", "0.0001"),
        ("pending_proof", "issuer / issuer", "boreal / boreal", "0.0002"),
        ("in_dispute", "issuer / issuer", "boreal / boreal", "0.0003"),
    }
    assert desk.cash("venue:escrow") == 600  # micro-dollars: the same
    assert len(client.get(reverse("console_escrow"), {"for": "boreal"}).context["page"].rows) == 3
    assert client.get(reverse("console_escrow"), {"by": "boreal"}).context["page"].rows == []


def test_which_proofs_are_due(desk):
    client = in_console(AUDITORS)
    page = client.get(reverse("console_proofs")).context["page"]
    (row,) = (dict(zip(page.headings, line, strict=True)) for line in page.rows)
    settlement = Settlement.objects.get(state="pending_proof")
    assert (row["settlement"], row["missing"], row["suppliers"]) == (f"stl_{settlement.pk}", ", ".join(settlement.missing), "boreal")
    assert row["due at"] == settlement.proof_due_at.strftime("%Y-%m-%d %H:%M:%S.%f")


def test_a_reviewer_is_assigned_with_a_reason_and_is_no_party(desk):
    desk.accounts["judge"] = desk.desk.open("judge")
    dispute, operator = Dispute.objects.get(), in_console(OPERATORS)
    address = reverse("admin:settlement_dispute_assign", args=[dispute.pk])
    assert operator.get(address).status_code == 200
    assert operator.post(address, {"reviewer": "judge"}).status_code == 200  # no reason given
    assert operator.post(address, {"reviewer": "nobody", "reason": "next in turn"}).status_code == 422
    assert operator.post(address, {"reviewer": "boreal", "reason": "next in turn"}).status_code == 422
    assert Dispute.objects.get().reviewer == ""
    assert in_console(AUDITORS).post(address, {"reviewer": "judge", "reason": "x"}).status_code == 403
    assert operator.post(address, {"reviewer": "judge", "reason": "next in turn"}).status_code == 302
    assert Dispute.objects.get().reviewer == "judge"
    event = Event.objects.get(type="settlement.dispute_assigned")
    assert '"reason":"next in turn"' in event.body
    assert '"actor":"user:' in event.body
