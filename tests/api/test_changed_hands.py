"""What a caller asks of something that changes hands meanwhile: it is judged by who holds it under the lock, never by who held it before."""

import pytest

from exchange.api.base import ApiView
from exchange.api.views.consents import OneConsent
from exchange.api.views.packages import OnePackage
from exchange.api.views.rights import OneRight
from exchange.audit.run import audit
from exchange.services.block_offers import accept_offer
from exchange.services.funding import fund
from rights.domain.amendment import Amendment
from rights.kernel.ids import bare
from rights.models import Package, Right, RoleGrant
from rights.services.amend import Change, amend_right
from rights.services.consents import answer_consent
from rights.services.roles import revoke_role
from settlement.services.ledger import cash_asset
from settlement.services.transfer import Part, transfer_units
from tests.registry_desk import DAY_US, MINT, NOW_US, START_US
from tests.seam import elsewhere, holding, once_after, once_before
from tests.unit.rights.domain.manifests import chat_day

pytestmark = pytest.mark.django_db(transaction=True)


def acc(desk, slug):
    return f"acc_{desk.accounts[slug].uuid}"


def code(answer):
    return answer.json()["gates"][0]["code"]


def clean():
    assert audit(now_us=START_US + DAY_US).broken == []


class Sale:
    """A package of `holder`'s right that `other` buys by a block offer."""

    def __init__(self, desk, caller):
        cash_asset()
        self.desk = desk
        fund(account=desk.accounts["other"], amount="100", currency="USD", reason="x", mint=MINT, actor="command:t", now_us=NOW_US)
        self.seller = caller("holder")
        body = {"manifest": chat_day(resource={"amount": "1000"}), "holder": acc(desk, "holder")}
        self.right = caller("issuer").post("rights", body).json()["id"]
        made = {"type": "bundle", "label": "nights", "parts": [{"right_id": self.right, "units": "600"}]}
        self.package = self.seller.post("packages", made).json()["id"]
        asked = {"package_id": self.package, "price": "40.00", "expires_at": "2026-11-20T00:00:00Z"}
        self.offer = bare("ofr", self.seller.post("block-offers", asked).json()["id"])

    def accept(self):
        return accept_offer(offer_id=self.offer, buyer=self.desk.accounts["other"], mint=MINT, actor="test", now_us=NOW_US + 1)

    def ask(self, act):
        body = {
            "transfer": {"to": acc(self.desk, "issuer")},
            "amend": {"label": "less", "parts": [{"right_id": self.right, "units": "1"}]},
            "split": {"label": "cut", "parts": [{"right_id": self.right, "units": "100"}]},
            "finalize": {"reason": "over"},
        }[act]
        return self.seller.post(f"packages/{self.package}/{act}", body)

    def check(self, answer):
        """The former holder is refused, and the buyer has what it paid for."""
        assert (answer.status_code, code(answer)) == (409, "right_not_held")
        row = Package.objects.get()
        assert (row.holder, row.state, row.revision) == (self.desk.accounts["other"], "active", 2)
        assert [part.units for part in row.parts.filter(removed_at=None)] == [600]
        clean()


ACTS = ("transfer", "amend", "split", "finalize")


@pytest.mark.parametrize("act", ACTS)
def test_a_package_sold_before_its_lock(desk, caller, monkeypatch, act):
    sale = Sale(desk, caller)
    monkeypatch.setattr(OnePackage, "own", once_after(OnePackage.own, lambda: elsewhere(sale.accept)))
    sale.check(sale.ask(act))


def test_a_package_sold_while_its_lock_is_waited_for(desk, caller):
    sale = Sale(desk, caller)
    with holding(sale.accept):
        answer = sale.ask("transfer")
    sale.check(answer)


def test_a_right_that_changes_its_series_while_it_is_waited_for(desk, caller):
    """It is found under the lock, in the series it has come to."""
    issuer = caller("issuer")
    later = {"window": {"end": "2026-12-03T00:00:00Z"}}
    desk.assure(patch=later, gross_units=10_000)
    body = {"manifest": chat_day(resource={"amount": "1000"}), "activate": False}
    right = issuer.post("rights", body).json()["id"]
    document = chat_day(resource={"amount": "1000"}, **later)
    told = {"right_id": bare("rgt", right), "actor": "test", "now_us": NOW_US}
    with holding(lambda: amend_right(change=Change(Amendment.WINDOW, document, "a longer day"), **told)):
        answer = issuer.post(f"rights/{right}/activate", {})
    assert (answer.status_code, answer.json()["status"], answer.json()["window"]["end"]) == (200, "active", "2026-12-03T00:00:00Z")
    clean()


TIGHTER = {"limits": {"max_concurrent": 7}}


class Sold:
    """A right that its issuer held when it asked, and `other` holds by then. The issuer has no role but its own."""

    def __init__(self, desk, caller):
        self.desk, self.issuer = desk, caller("issuer")
        for row in RoleGrant.objects.exclude(role="issuer"):
            revoke_role(grant_id=str(row.uuid), reason="x", actor="test", now_us=NOW_US)
        desk.assure(patch=TIGHTER, gross_units=10_000)
        self.alone = self.issuer.post("rights", {"manifest": chat_day(resource={"amount": "1000"})}).json()["id"]
        self.right = self.issuer.post("rights", {"manifest": chat_day(resource={"amount": "1000"})}).json()["id"]
        self.part = self.issuer.post(f"rights/{self.right}/split", {"units": "400"}).json()["child"]["id"]
        self.whole = self.issuer.post(f"rights/{self.right}/split", {"units": "300"}).json()["child"]["id"]

    tighter = chat_day(resource={"amount": "1000"}, **TIGHTER)

    def sell(self):
        accounts = self.desk.accounts
        parts = [
            Part(bare("rgt", right), units) for right, units in ((self.alone, 1000), (self.right, 300), (self.part, 400), (self.whole, 300))
        ]
        told = {"giver": accounts["issuer"], "taker": accounts["other"], "mint": MINT, "actor": "test", "now_us": NOW_US}
        return transfer_units(parts=parts, **told)

    def ask(self, act):
        path, body = {
            "split": (self.right, {"units": "100"}),
            "merge": (self.part, {"source_right_id": self.whole}),
            "replace": (self.alone, {"manifest": chat_day(resource={"amount": "100"}), "reason": "fewer"}),
            "amend": (self.alone, {"amendment": "limit-adjustment", "manifest": self.tighter, "reason": "fewer"}),
            "transfer": (self.right, {"to": acc(self.desk, "holder"), "units": "300"}),
        }[act]
        return self.issuer.post(f"rights/{path}/{act}", body)

    def check(self, answer):
        assert (answer.status_code, code(answer)) in {(409, "right_not_held"), (422, "right_not_held")}
        held = Right.objects.order_by("pk").values_list("holder__participant__slug", "status", "remaining_units")
        assert list(held) == [("other", "active", units) for units in (1000, 300, 400, 300)]
        clean()


@pytest.mark.parametrize("act", ["split", "merge", "replace", "amend", "transfer"])
def test_a_right_sold_before_its_lock(desk, caller, monkeypatch, act):
    sold = Sold(desk, caller)
    monkeypatch.setattr(OneRight, "once", once_before(OneRight.once, lambda: elsewhere(sold.sell)))
    sold.check(sold.ask(act))


def test_an_issuer_alone_replaces_nothing_that_is_sold(desk, caller):
    """Its role ends no right of somebody else's: that is the finalizer's."""
    sold = Sold(desk, caller)
    sold.sell()
    sold.check(sold.ask("replace"))


def test_a_request_granted_before_its_asker_withdraws_it(desk, caller, monkeypatch):
    """What the issuer has granted is the issuer's to take back."""
    issuer, holder = caller("issuer"), caller("holder", "read", "transfer")
    terms = chat_day(resource={"amount": "1000"}, transfer_policy={"requires_issuer_consent": True})
    right = issuer.post("rights", {"manifest": terms, "holder": acc(desk, "holder")}).json()["id"]
    asked = holder.post("consents", {"right_id": right, "taker": acc(desk, "other"), "units": "10"}).json()["id"]
    grant = {"consent_id": bare("cns", asked), "granted": True, "note": "", "actor": "test", "now_us": NOW_US}
    monkeypatch.setattr(OneConsent, "once", once_before(OneConsent.once, lambda: elsewhere(lambda: answer_consent(**grant))))
    refused = holder.post(f"consents/{asked}/revoke", {"reason": "not needed"})
    assert (refused.status_code, code(refused)) == (409, "consent_answered")
    assert holder.get(f"consents/{asked}").json()["state"] == "granted"


def test_consent_asked_for_a_right_that_is_sold(desk, caller, monkeypatch):
    issuer, holder = caller("issuer"), caller("holder", "read", "transfer")
    terms = chat_day(resource={"amount": "1000"}, transfer_policy={"requires_registry_acknowledgment": True})
    right = issuer.post("rights", {"manifest": terms, "holder": acc(desk, "holder")}).json()["id"]
    standing = {"issuer_id": "issuer", "kind": "acknowledgment"}
    assert issuer.put("standing-consents", standing).status_code == 200
    told = {"giver": desk.accounts["holder"], "taker": desk.accounts["other"], "mint": MINT, "actor": "test", "now_us": NOW_US}
    parts = [Part(bare("rgt", right), 1000)]
    monkeypatch.setattr(ApiView, "once", once_before(ApiView.once, lambda: elsewhere(lambda: transfer_units(parts=parts, **told))))
    body = {"right_id": right, "taker": acc(desk, "issuer"), "units": "10", "kind": "acknowledgment"}
    refused = holder.post("consents", body)
    assert (refused.status_code, code(refused)) == (409, "right_not_held")
    clean()
