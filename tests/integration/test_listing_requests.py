"""Asking for a book: one operator reviews the sheet, another approves (SPEC §7, TRUST.md: two persons for listing)."""

import json

import pytest
from django.db import IntegrityError, transaction

from exchange.audit.run import audit
from exchange.domain.command import Phase
from exchange.models import Book, ListingRequest
from exchange.selectors.people import people_behind
from exchange.services import keys
from exchange.services.listing import TradingRules
from exchange.services.listing_requests import Wish, approve_listing, reject_listing, request_listing, review_listing, withdraw_listing
from exchange.services.participants import NewMember, add_member
from rights.domain.reason import ReasonMissing
from rights.domain.staff import OPERATORS
from rights.models import Event, Series
from rights.services.refusals import SupplyRefusedError
from settlement.services.ledger import cash_asset
from tests.registry_desk import MINT, NOW_US, START_US, Desk

pytestmark = pytest.mark.django_db
DAY_US = 86_400_000_000
RULES = TradingRules(tick_minor=1000, collar_low_ticks=1, collar_high_ticks=100_000, opens_us=0, taker_bps=10)
A, B = {"actor": "user:1", "now_us": NOW_US, "reason": "read"}, {"actor": "user:2", "now_us": NOW_US, "reason": "agreed"}


@pytest.fixture
def desk():
    cash_asset()
    desk = Desk()
    desk.issue(30_000_000)
    for words, name in ((A, "anna"), (B, "bert")):
        words["actor"] = f"user:{operator(desk, name).pk}"
    return desk


def operator(desk, name):
    """Somebody who may review and approve, as the registry knows."""
    member = NewMember(name, "a long password", ("read", "operate"), staff=True, groups=(OPERATORS,))
    return add_member(participant=desk.accounts["issuer"].participant, member=member, actor="command:test", now_us=NOW_US)


@pytest.fixture(autouse=True)
def everything_told(desk):
    """The events alone rebuild every request, and what they list."""
    yield
    assert audit(now_us=NOW_US).broken == []


def ask(desk, **wish):
    rules = wish.pop("rules", RULES)
    series = Series.objects.select_related("compute_class").get()
    wished = Wish(rules=rules, **wish)
    row = request_listing(issuer=desk.issuer, series=series, wish=wished, request_id=MINT.uuid(NOW_US), actor="user:9", now_us=NOW_US)
    return str(row.uuid)


def refused(act, **words):
    before = Event.objects.count()
    with pytest.raises(SupplyRefusedError) as caught:
        act(**words)
    assert Event.objects.count() == before
    return [(r.code, r.field) for r in caught.value.refusals]


def test_from_request_to_book(desk):
    request_id = ask(desk, note="a day of chat")
    row = ListingRequest.objects.get()
    sheet = json.loads(row.sheet)
    assert (row.state, sheet["assurances"][0]["reference"], sheet["class"]["key"]) == (
        "submitted",
        "rack-7:2026-12-01",
        "TXT.CHAT.STD.INT.PRV",
    )
    assert refused(approve_listing, request_id=request_id, **A) == [("listing_state", "")]
    desk.issue(20_000_000)
    reviewed = review_listing(request_id=request_id, **A)
    assert reviewed.state == "reviewed"
    assert json.loads(reviewed.sheet)["assurances"][0]["issued_units"] == "50000000"
    assert refused(approve_listing, request_id=request_id, **A) == [("second_person_needed", "")]
    approved = approve_listing(request_id=request_id, **B)
    assert (approved.state, approved.reviewed_by, approved.decided_by) == ("approved", A["actor"], B["actor"])
    book = Book.objects.get()
    assert (Phase(book.phase), book.instrument) == (Phase.PRE_OPEN, approved.instrument)
    listed = json.loads(Event.objects.get(type="instrument.listed").body)
    assert (listed["actor"], listed["payload"]["approved_by"]) == (A["actor"], B["actor"])
    assert refused(reject_listing, request_id=request_id, **B) == [("listing_state", "")]


def test_the_database_wants_two_persons_too(desk):
    request_id = ask(desk)
    review_listing(request_id=request_id, **A)
    with pytest.raises(IntegrityError, match="listing_two_persons"), transaction.atomic():
        ListingRequest.objects.update(state="approved", decided_by=A["actor"])


def test_a_key_is_nobodys_hand(desk):
    account = desk.accounts["other"]
    member = NewMember("ada", "a long password", ("operate",))
    user = add_member(participant=account.participant, member=member, actor="command:test", now_us=NOW_US)
    key = keys.create(account_id=account.pk, scopes=["operate"], label="", expires_us=None, now_us=NOW_US).key
    by_key = {"actor": f"key:{key.uuid}", "now_us": NOW_US, "reason": "x"}
    assert people_behind(by_key["actor"]) == {f"user:{user.pk}"}
    request_id = ask(desk)
    review_listing(request_id=request_id, **by_key)
    herself = {"actor": f"user:{user.pk}", "now_us": NOW_US, "reason": "x"}
    assert refused(approve_listing, request_id=request_id, **herself) == [("second_person_needed", "")]
    assert refused(approve_listing, request_id=request_id, **by_key) == [("second_person_needed", "")]
    assert approve_listing(request_id=request_id, **B).state == "approved"


def test_rejecting_needs_a_reason_and_lets_the_issuer_ask_again(desk):
    request_id = ask(desk)
    with pytest.raises(ReasonMissing):
        reject_listing(request_id=request_id, **{**A, "reason": " "})
    assert reject_listing(request_id=request_id, **A).decision_note == "read"
    again = ask(desk)
    assert withdraw_listing(request_id=again, actor="user:9", now_us=NOW_US).state == "withdrawn"
    assert refused(withdraw_listing, request_id=again, actor="user:9", now_us=NOW_US) == [("listing_state", "")]
    assert refused(review_listing, request_id=again, **A) == [("listing_state", "")]


def test_what_may_not_be_asked(desk):
    wrong = TradingRules(
        tick_minor=1000, collar_low_ticks=5, collar_high_ticks=1, opens_us=START_US + 2 * DAY_US, taker_bps=2000, position_limit_lots=0
    )
    assert refused(ask, desk=desk, rules=wrong, currency="EUR", delivery_rule="whatever") == [
        ("listing_rules", "collar"),
        ("listing_rules", "fees"),
        ("listing_rules", "opens_at"),
        ("listing_rules", "position_limit"),
        ("listing_rules", "currency"),
        ("listing_rules", "delivery_rule"),
    ]
    ask(desk)
    assert refused(ask, desk=desk) == [("listing_exists", "class")]


def test_somebody_elses_rights_are_not_ones_to_list(desk):
    from exchange.services.participants import appoint_issuer

    other = appoint_issuer(
        participant=desk.accounts["other"].participant,
        slug="second",
        issuer_type="provider",
        tier=1,
        issuance_path="centralized-coordinator",
        actor="test",
        now_us=NOW_US,
    )
    series = Series.objects.select_related("compute_class").get()
    wish = {"series": series, "wish": Wish(RULES), "request_id": MINT.uuid(NOW_US), "actor": "user:9", "now_us": NOW_US}
    assert refused(request_listing, issuer=other, **wish) == [("listing_unissued", "class")]


def test_what_has_become_impossible_is_refused_at_the_approval(desk):
    request_id = ask(desk)
    review_listing(request_id=request_id, **A)
    late = {**B, "now_us": START_US + DAY_US}
    assert refused(approve_listing, request_id=request_id, **late) == [("listing_rules", "")]
    assert ListingRequest.objects.get().state == "reviewed"
