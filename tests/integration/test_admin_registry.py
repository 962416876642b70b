"""The console's registry desks: roles, attestations, acknowledgments, freezing. Acts need words, go through the services, and are remembered."""

import pytest
from django.urls import reverse

from exchange.models import Proposal
from rights.domain.staff import AUDITORS, OPERATORS
from rights.models import Attestation, Consent, Event, Right, RoleGrant
from rights.models.right import FREEZE_REASONS
from rights.services.consents import Asked, request_consent
from rights.services.roles import revoke_role
from tests.people import in_console
from tests.registry_desk import MINT, NOW_US, Desk

pytestmark = pytest.mark.django_db
MODULES = ("roles", "attestations", "consents", "freeze_desk", "rights_desk")


@pytest.fixture
def desk(monkeypatch):
    """The console lives at the desk's time."""
    for module in MODULES:
        monkeypatch.setattr(f"exchange.admin.{module}.now_us", lambda: NOW_US)
    return Desk()


@pytest.fixture
def operator():
    return in_console(OPERATORS)


def said(kind: str) -> str:
    return Event.objects.filter(type=kind).order_by("-id")[0].body


def test_a_role_is_granted_once_and_taken_back(desk, operator):
    address = reverse("admin:rights_rolegrant_grant_new")
    owner = desk.accounts["holder"].participant
    form = {"participant": str(owner.pk), "role": "freezer", "issuer": str(desk.issuer.pk)}
    assert operator.get(address).status_code == 200
    assert operator.post(address, form).status_code == 200  # no reason
    assert not RoleGrant.objects.filter(participant=owner).exists()
    assert operator.post(address, form | {"reason": "the custodian"}).status_code == 302
    grant = RoleGrant.objects.get(participant=owner)
    assert (grant.role, grant.issuer, grant.revoked_at) == ("freezer", desk.issuer, None)
    assert '"reason":"the custodian"' in said("role.granted")
    twice = operator.post(address, form | {"reason": "again"})
    assert (twice.status_code, b"already" in twice.content) == (422, True)
    revoke = reverse("admin:rights_rolegrant_revoke", args=[grant.pk])
    assert operator.post(revoke, {"reason": " "}).status_code == 200
    assert operator.post(revoke, {"reason": "left"}).status_code == 302
    assert '"reason":"left"' in said("role.revoked")
    assert operator.get(revoke).status_code == 403
    page = operator.get(reverse("admin:rights_rolegrant_changelist")).content.decode()
    assert "taken back" in page


def test_a_role_over_every_issuer_is_another_than_over_one(desk, operator):
    owner = desk.accounts["holder"].participant
    form = {"participant": str(owner.pk), "role": "burner", "reason": "x"}
    for issuer in ("", str(desk.issuer.pk)):
        assert operator.post(reverse("admin:rights_rolegrant_grant_new"), form | {"issuer": issuer}).status_code == 302
    assert RoleGrant.objects.filter(participant=owner, revoked_at=None).count() == 2


def test_attesting_on_a_holders_own_page_and_revoking(desk, operator):
    account = desk.accounts["holder"]
    address = reverse("admin:rights_account_attest", args=[account.pk])
    assert f"acc_{account.uuid}" in operator.get(address).content.decode()
    form = {"holder": f"acc_{account.uuid}", "kind": "kyc"}
    assert operator.post(address, form).status_code == 200  # without evidence there is nothing to attest
    assert operator.post(address, form | {"evidence": "file 12", "kind": "K Y C"}).status_code == 422
    assert operator.post(address, form | {"evidence": "file 12", "expires_at_0": "2026-01-01", "expires_at_1": "00:00"}).status_code == 422
    assert not Attestation.objects.exists()
    assert operator.post(address, form | {"evidence": "file 12"}).status_code == 302
    row = Attestation.objects.get()
    assert "file 12" in operator.get(reverse("admin:rights_account_change", args=[account.pk])).content.decode()
    revoke = reverse("admin:rights_attestation_revoke", args=[row.pk])
    assert operator.post(revoke, {"reason": "forged"}).status_code == 302
    row.refresh_from_db()
    assert row.revoked_at is not None
    assert '"note":"forged"' in said("holder.attestation_revoked")
    assert operator.post(revoke, {"reason": "forged"}).status_code == 403


def test_attesting_somebody_who_is_not_there(desk, operator):
    address = reverse("admin:rights_attestation_attest_new")
    for holder in ("acc_none", "x", "acc_0192e4a0-0000-7000-8000-000000000000", "\u0663"):
        answer = operator.post(address, {"holder": holder, "kind": "kyc", "evidence": "x"})
        assert (answer.status_code, b"no holder here" in answer.content) == (422, True), holder
    assert not Attestation.objects.exists()


def asked(desk, kind: str) -> Consent:
    needs = {"consent": "requires_issuer_consent", "acknowledgment": "requires_registry_acknowledgment"}[kind]
    right = desk.issue(1000, transfer_policy={needs: True})
    ask = Asked(right=right, taker=desk.accounts["other"], units=5, kind=kind, note="for a friend")
    return request_consent(asked=ask, consent_id=MINT.uuid(NOW_US), actor="test", now_us=NOW_US)


def test_the_registry_acknowledges_and_takes_back(desk, operator):
    row = asked(desk, "acknowledgment")
    grant, revoke = (reverse(f"admin:rights_consent_{act}", args=[row.pk]) for act in ("grant", "revoke"))
    assert "for a friend" in operator.get(grant).content.decode()
    assert operator.get(revoke).status_code == 403
    assert operator.post(grant, {"reason": ""}).status_code == 200
    assert operator.post(grant, {"reason": "seen the contract"}).status_code == 302
    row.refresh_from_db()
    assert (row.state, row.answer_note) == ("granted", "seen the contract")
    assert operator.post(grant, {"reason": "twice"}).status_code == 403
    assert operator.post(revoke, {"reason": "in error"}).status_code == 302
    row.refresh_from_db()
    assert row.state == "revoked"


def test_the_registry_refuses_with_its_reason(desk, operator):
    row = asked(desk, "acknowledgment")
    assert operator.post(reverse("admin:rights_consent_refuse", args=[row.pk]), {"reason": "no such contract"}).status_code == 302
    row.refresh_from_db()
    assert (row.state, row.answer_note) == ("denied", "no such contract")


def test_an_issuers_word_is_not_the_operators(desk, operator):
    row = asked(desk, "consent")
    assert operator.get(reverse("admin:rights_consent_change", args=[row.pk])).status_code == 200
    for act in ("grant", "refuse", "revoke"):
        assert operator.post(reverse(f"admin:rights_consent_{act}", args=[row.pk]), {"reason": "x"}).status_code == 403
    row.refresh_from_db()
    assert row.state == "pending"


@pytest.mark.parametrize("kind", FREEZE_REASONS)
def test_the_freeze_desk_freezes_by_any_of_six_and_says_why(desk, operator, kind):
    right = desk.issue(1000)
    address = reverse("console_freeze_one")
    form = {"right": f"rgt_{right.pk}", "freeze_reason": kind}
    assert operator.post(address, form).status_code == 200
    assert operator.post(address, form | {"reason": "case <7>", "freeze_reason": "whim"}).status_code == 200
    assert operator.post(address, form | {"reason": "case <7>"}).status_code == 302
    right.refresh_from_db()
    assert (right.status, right.freeze_reason) == ("frozen", kind)
    page = operator.get(reverse("console_freeze_desk"), {"kind": kind}).content.decode()
    assert f"rgt_{right.pk}" in page
    assert "case &lt;7&gt;" in page
    other = next(one for one in FREEZE_REASONS if one != kind)
    assert f"Nothing is frozen for {other}." in operator.get(reverse("console_freeze_desk"), {"kind": other}).content.decode()
    twice = operator.post(address, form | {"reason": "again"})
    assert twice.status_code == 422


def test_freezing_what_is_not_there(desk, operator):
    for text in ("rgt_none", "x", "rgt_0192e4a0-0000-7000-8000-000000000000"):
        answer = operator.post(reverse("console_freeze_one"), {"right": text, "freeze_reason": "custom", "reason": "x"})
        assert (answer.status_code, b"no right here" in answer.content) == (422, True)
    assert not Right.objects.filter(status="frozen").exists()


def test_nonsense_on_the_freeze_desk_is_an_empty_choice(desk, operator):
    for query in ({"kind": "x"}, {"kind": "\u0663"}, {"after": "forged"}):
        assert operator.get(reverse("console_freeze_desk"), query).status_code == 200


def test_auditors_look_and_do_not_act(desk):
    auditor = in_console(AUDITORS)
    right = desk.issue(1000)
    assert auditor.get(reverse("console_freeze_desk")).status_code == 200
    assert "Freeze a right" not in auditor.get(reverse("console_freeze_desk")).content.decode()
    for name, args in (
        ("console_freeze_one", []),
        ("admin:rights_rolegrant_grant_new", []),
        ("admin:rights_attestation_attest_new", []),
        ("admin:rights_account_attest", [desk.accounts["holder"].pk]),
    ):
        form = {"right": f"rgt_{right.pk}", "freeze_reason": "custom", "reason": "x"}
        assert auditor.post(reverse(name, args=args), form).status_code == 403, name
    assert in_console("nobody").get(reverse("console_freeze_desk")).status_code == 403


def test_what_takes_a_right_from_its_holder_is_proposed_and_done_by_another(desk, operator, monkeypatch):
    monkeypatch.setattr("exchange.admin.proposals.now_us", lambda: NOW_US)
    second = in_console(OPERATORS, "second")
    acts = {"finalize": {"ref": ""}, "burn": {}, "reassign": {"to": f"acc_{desk.accounts['other'].uuid}"}}
    for act, form in acts.items():
        right = desk.issue(1000, activate=act != "burn")
        address = reverse(f"admin:rights_right_{act}", args=[right.pk])
        assert operator.get(address).status_code == 200
        assert operator.post(address, form).status_code == 200  # no reason
        assert operator.post(address, form | {"reason": "court order"}).status_code == 302
        row = Proposal.objects.get(kind=act)
        right.refresh_from_db()
        assert (row.status, right.remaining_units, right.holder) == ("open", 1000, desk.accounts["holder"])
        decide = reverse("admin:exchange_proposal_approve", args=[row.pk])
        assert f"rgt_{right.pk}" in second.get(decide).content.decode()
        assert operator.post(decide, {"reason": "sure"}).status_code == 403
        assert second.post(decide, {"reason": "seen"}).status_code == 302
        right.refresh_from_db()
        assert (right.status, right.holder) == {
            "finalize": ("finalized", desk.accounts["holder"]),
            "burn": ("burned", desk.accounts["holder"]),
            "reassign": ("active", desk.accounts["other"]),
        }[act]


def test_reassigning_to_nobody_and_without_the_role(desk, operator):
    right = desk.issue(1000)
    address = reverse("admin:rights_right_reassign", args=[right.pk])
    nobody = operator.post(address, {"to": "acc_none", "reason": "x"})
    assert (nobody.status_code, b"no account here" in nobody.content) == (422, True)
    for grant in RoleGrant.objects.filter(role="registry_admin"):
        revoke_role(grant_id=str(grant.uuid), reason="x", actor="test", now_us=NOW_US)
    denied = operator.post(address, {"to": f"acc_{desk.accounts['other'].uuid}", "reason": "x"})
    assert (denied.status_code, b"needs the role registry_admin" in denied.content) == (422, True)
    assert not Proposal.objects.exists()
