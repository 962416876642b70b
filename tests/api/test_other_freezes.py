"""A freeze that becomes another one while somebody lifts it: only the freeze that was meant is lifted."""

import pytest

from exchange.api.views.rights import OneRight
from exchange.services import freeze, proposals
from exchange.services.operator_refusal import OperatorRefusal
from exchange.services.proposal_kinds import UNFREEZE, unfreeze_payload
from rights.domain.staff import OPERATORS
from rights.kernel.ids import bare
from tests.people import a_member
from tests.registry_desk import MINT
from tests.seam import elsewhere, once_before
from tests.unit.rights.domain.manifests import chat_day

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def right(desk, caller):
    body = {"manifest": chat_day(resource={"amount": "1000"}), "holder": f"acc_{desk.accounts['holder'].uuid}"}
    return caller("issuer").post("rights", body).json()["id"]


def said(desk, right):
    return {"right_id": bare("rgt", right), "reason": "x", "actor": "user:1", "now_us": desk.now_us}


@pytest.mark.parametrize("paused", [False, True])
def test_an_issuer_that_meant_its_own_pause(desk, caller, right, monkeypatch, paused):
    issuer, told = caller("issuer", "issue", "read"), said(desk, right)
    if paused:
        issuer.post(f"rights/{right}/freeze", {"freeze_reason": "issuer_pause", "reason": "maintenance"})

    def seize():
        if paused:
            freeze.unfreeze_right(**told)
        freeze.freeze_right(**told, freeze_reason="compliance")

    monkeypatch.setattr(OneRight, "once", once_before(OneRight.once, lambda: elsewhere(seize)))
    refused = issuer.post(f"rights/{right}/unfreeze", {"reason": "done"})
    assert (refused.status_code, refused.json()["gates"][0]["code"]) == (409, "right_changed")
    found = issuer.get(f"rights/{right}").json()
    assert (found["status"], found["freeze_reason"]) == ("frozen", "compliance")


def test_operators_who_agreed_on_another_freeze(desk, right):
    told = said(desk, right)
    first, second = (f"user:{a_member(name, groups=(OPERATORS,)).pk}" for name in ("first", "second"))
    freeze.freeze_right(**told, freeze_reason="dispute")
    payload = unfreeze_payload(right_id=told["right_id"], freeze_reason="dispute")
    made = proposals.propose(kind=UNFREEZE, payload=payload, reason="settled", mint=MINT, actor=first, now_us=desk.now_us)
    freeze.unfreeze_right(**told)
    freeze.freeze_right(**told, freeze_reason="compliance")
    with pytest.raises(OperatorRefusal, match="frozen by compliance now"):
        proposals.approve(proposal_id=str(made.pk), reason="seen", mint=MINT, actor=second, now_us=desk.now_us)
