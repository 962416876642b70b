"""What a caller asks of something that changes hands meanwhile: it is judged by who holds it under the lock, never by who held it before."""

import pytest

from exchange.api.views.packages import OnePackage
from exchange.audit.run import audit
from exchange.services.block_offers import accept_offer
from exchange.services.funding import fund
from rights.domain.amendment import Amendment
from rights.kernel.ids import bare
from rights.models import Package
from rights.services.amend import Change, amend_right
from settlement.services.ledger import cash_asset
from tests.registry_desk import DAY_US, MINT, NOW_US, START_US
from tests.seam import elsewhere, holding, once_after
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
    change = Change(Amendment.WINDOW, document, "a longer day")
    with holding(lambda: amend_right(right_id=bare("rgt", right), change=change, actor="test", now_us=NOW_US)):
        answer = issuer.post(f"rights/{right}/activate", {})
    assert (answer.status_code, answer.json()["status"], answer.json()["window"]["end"]) == (200, "active", "2026-12-03T00:00:00Z")
    clean()
