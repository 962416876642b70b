"""Block offers: a package goes whole against payment, or not at all."""

import pytest

from exchange.models import AccountFeed
from exchange.services.block_offers import Terms, accept_offer, expire_offers_due, make_offer, withdraw_offer
from exchange.services.funding import fund
from exchange.services.operator_refusal import OperatorRefusal
from rights.models import Package
from rights.services.freeze import freeze_right
from rights.services.roles import grant_role
from settlement.models import Balance
from settlement.services import packages
from settlement.services.ledger import cash_asset
from settlement.services.packages import Composition
from settlement.services.transfer import TransferRefused
from tests.package_desk import clean, compose, give, part
from tests.registry_desk import DAY_US, MINT, NOW_US, Desk
from tests.seam import holding

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def rich(desk):
    cash_asset()
    fund(account=desk.accounts["other"], amount="100", currency="USD", reason="x", mint=MINT, actor="command:t", now_us=NOW_US)
    return desk


def offer(desk, package, price="40", buyer=None):
    terms = Terms(int(price) * 10**6, cash_asset(), NOW_US + DAY_US, None if buyer is None else desk.accounts[buyer])
    return make_offer(
        seller=desk.accounts["holder"],
        package_id=str(package.uuid),
        terms=terms,
        fee_bps=20,
        offer_id=MINT.uuid(NOW_US),
        actor="test",
        now_us=NOW_US,
    )


def take(desk, row, who="other", now_us=NOW_US + 1_000_000):
    return accept_offer(offer_id=str(row.uuid), buyer=desk.accounts[who], mint=MINT, actor="test", now_us=now_us)


def cash(desk, slug):
    return Balance.objects.get(account=desk.accounts[slug], asset=cash_asset()).amount


def test_a_block_is_delivered_against_payment(rich):
    package = compose(rich, part(rich.issue(100), 100), part(rich.issue(100), 10))
    row = offer(rich, package)
    take(rich, row)
    package.refresh_from_db()
    assert package.holder == rich.accounts["other"]
    assert (cash(rich, "other"), cash(rich, "holder")) == (100_000_000 - 40_080_000, 40_000_000)
    with pytest.raises(OperatorRefusal, match="accepted"):
        take(rich, row)
    clean()


def test_a_block_sale_tells_its_parties_before_it_writes_the_registry(rich):
    """Somebody else has the buyer's feed and wants the registry next, as a suspension does: the sale waits for him, not he for it."""
    row = offer(rich, compose(rich, part(rich.issue(100), 100)))
    buyer = rich.accounts["other"]
    feed = AccountFeed.objects.select_for_update(no_key=True).filter(account=buyer)
    told = {"grant_id": MINT.uuid(NOW_US), "reason": "x", "actor": "test", "now_us": NOW_US}
    with holding(feed.get, lambda: grant_role(participant=buyer.participant, role="freezer", issuer=None, **told)):
        take(rich, row)
    assert Package.objects.get().holder == buyer
    clean()


@pytest.mark.parametrize("why", ["funds", "frozen", "changed", "another", "late", "withdrawn", "self"])
def test_a_block_that_can_not_go_whole_does_not_go(rich, why):
    right = rich.issue(100)
    package = compose(rich, part(right, 100))
    row = offer(rich, package, "101" if why == "funds" else "40", "issuer" if why == "another" else None)
    now_us = NOW_US + 1_000_000
    if why == "frozen":
        freeze_right(right_id=str(right.pk), freeze_reason="dispute", note="x", actor="test", now_us=NOW_US)
    elif why == "changed":
        packages.amend_package(
            package_id=str(package.uuid),
            holder_id=package.holder_id,
            composition=Composition("bundle", "less", [part(right, 1)]),
            actor="test",
            now_us=NOW_US,
        )
    elif why == "late":
        now_us = NOW_US + DAY_US
        assert expire_offers_due(actor="timetable", now_us=now_us) == 1
    elif why == "withdrawn":
        withdraw_offer(offer_id=str(row.uuid), actor="test", now_us=NOW_US)
    with pytest.raises(TransferRefused if why == "frozen" else OperatorRefusal):
        take(rich, row, "holder" if why == "self" else "other", now_us)
    assert Package.objects.get(pk=package.pk).holder == rich.accounts["holder"]
    assert cash(rich, "other") == 100_000_000
    clean()


@pytest.mark.parametrize("noticed", ["by the timetable", "by the next offer"])
def test_an_offer_ends_with_the_hands_it_was_made_by(rich, noticed):
    """Else whoever was given the package could not offer it, and nobody but the giver could clear the way."""
    package = compose(rich, part(rich.issue(5_000_000), 100))
    former = offer(rich, package)
    give(rich, package)
    if noticed == "by the timetable":
        assert expire_offers_due(actor="timetable", now_us=NOW_US + 2_000_000) == 1
    account = rich.accounts["other"]
    terms = Terms(price_minor=5, currency=cash_asset(), expires_us=NOW_US + DAY_US)
    later = {"actor": "test", "now_us": NOW_US + 3_000_000}
    row = make_offer(seller=account, package_id=str(package.uuid), terms=terms, fee_bps=0, offer_id=MINT.uuid(NOW_US), **later)
    former.refresh_from_db()
    assert (former.state, row.state) == ("withdrawn", "open")
    assert expire_offers_due(actor="timetable", now_us=NOW_US + 4_000_000) == 0
    clean()
