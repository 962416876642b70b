"""The demo: seeded twice it is the same as once, rolled forward it goes on, and somebody can log in."""

from io import StringIO

import orjson
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command

from exchange.demo.catalog import HOUR_US, SHARES, WARES
from exchange.demo.parties import BOTS, PARTIES, PEOPLE, demo_password, seed_parties
from exchange.demo.roll import roll
from exchange.demo.upkeep import refill
from exchange.domain.command import Phase
from exchange.models import AccountFeed, ApiKey, Book, Command, Instrument, Membership
from exchange.services.batch import match_once
from exchange.services.lane import LaneMemory
from exchange.services.timetable import run_due
from rights.domain.staff import OPERATORS
from rights.kernel.clock import now_us, to_us
from rights.kernel.ids import Mint
from rights.models import Assurance, Event, Participant, PostedCapacity, Right, Supplier
from settlement.models import Balance, Posting
from settlement.services import ledger

pytestmark = pytest.mark.django_db(transaction=True)
TABLES = (
    Participant,
    User,
    Membership,
    Right,
    Assurance,
    Supplier,
    PostedCapacity,
    Instrument,
    Balance,
    Posting,
    Event,
    AccountFeed,
    ApiKey,
    Command,
)


def seed() -> dict:
    out = StringIO()
    call_command("seed_demo", "--json", stdout=out)
    return orjson.loads(out.getvalue())


@pytest.fixture
def cheap_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def test_twice_is_once(cheap_passwords):
    first = seed()
    counts = {model: model.objects.count() for model in TABLES}
    second = seed()
    assert second["listed"] == []
    assert {k: v for k, v in first.items() if k != "listed"} == {k: v for k, v in second.items() if k != "listed"}
    assert {model: model.objects.count() for model in TABLES} == counts
    assert first["participants"] == ["issuer", "seller", "buyer", "maker", "supplier", "operator", "auditor"]

    # Everybody can log in with the printed password; operators and auditors reach the console.
    for party in PEOPLE:
        user = User.objects.get(username=party.slug)
        assert user.check_password(first["password"])
        assert user.is_staff == (party.slug in {"operator", "auditor"})
        assert not user.is_superuser
    assert first["password"] == demo_password(settings.SECRET_KEY)
    operators = User.objects.filter(groups__name=OPERATORS).order_by("username")
    assert [(user.username, user.membership.participant.slug) for user in operators] == [("deputy", "operator"), ("operator", "operator")]

    # Supply is issued under assurances, and the ledger balances per asset.
    assert Right.objects.count() == len(first["instruments"]) * sum(share.rights for share in SHARES)
    assert set(Right.objects.values_list("status", flat=True)) == {"active"}
    # What is assured was posted by the supplier before, and a part of it is still free.
    assert Supplier.objects.get().participant.slug == "supplier"
    for assurance in Assurance.objects.all():
        source = assurance.sources.select_related("capacity").get()
        assert source.units == assurance.gross_units
        assert source.capacity.pledged_units < source.capacity.units
    for assurance in Assurance.objects.all():
        assert assurance.issued_units <= assurance.gross_units * (10_000 - assurance.haircut_bps) // 10_000
    totals: dict[int, int] = {}
    for balance in Balance.objects.all():
        totals[balance.asset_id] = totals.get(balance.asset_id, 0) + balance.amount
    assert set(totals.values()) == {0}
    buyer = Balance.objects.get(account__participant__slug="buyer", asset=ledger.cash_asset())
    assert buyer.amount == 100_000 * 10**6


def test_the_windows_roll_on_and_purses_are_refilled(cheap_passwords):
    mint, moment = Mint(), now_us()
    seed_parties(password="x", mint=mint, now_us=moment)
    assert Participant.objects.filter(slug__in=[p.slug for p in PARTIES]).count() == len(PARTIES)
    listed = roll(mint=mint, now_us=moment)
    assert len(listed) >= sum(ware.hours + 1 for ware in WARES)
    assert roll(mint=mint, now_us=moment + 1) == []
    later = roll(mint=mint, now_us=moment + HOUR_US)
    assert len(WARES) <= len(later) <= 2 * len(WARES)
    assert not set(later) & set(listed)

    assert refill(mint=mint, now_us=moment) == 0
    bot = next(p for p in BOTS if p.slug == "tenant-01")
    account = Participant.objects.get(slug=bot.slug).accounts.get()
    Balance.objects.filter(account=account).update(amount=1_000_000)
    assert refill(mint=mint, now_us=moment) == 1
    assert Balance.objects.get(account=account, asset=ledger.cash_asset()).amount == bot.cash * 10**6


def test_a_window_closes_at_its_gate_and_its_rights_expire_at_its_end(cheap_passwords):
    mint, moment = Mint(), now_us()
    seed_parties(password="x", mint=mint, now_us=moment)
    roll(mint=mint, now_us=moment)
    first = Instrument.objects.select_related("series").order_by("gate_closes_at", "pk")[0]
    lane = LaneMemory()
    run_due(now_us=moment)
    match_once(lane, book_id=first.pk, now_us=moment + 1)
    assert Book.objects.get(pk=first.pk).phase == Phase.CONTINUOUS

    gate = to_us(first.gate_closes_at)
    assert run_due(now_us=gate).closed >= 1
    match_once(lane, book_id=first.pk, now_us=gate + 1)
    assert Book.objects.get(pk=first.pk).phase == Phase.CLOSED

    end = to_us(first.series.window_end)
    rights = Right.objects.filter(series=first.series)
    assert set(rights.values_list("status", flat=True)) == {"active"}
    assert run_due(now_us=end).rights_expired >= rights.count()
    assert set(rights.values_list("status", "remaining_units")) == {("expired", 0)}
    assert run_due(now_us=end + 1).rights_expired == 0
