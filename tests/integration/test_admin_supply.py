"""Supply in the console: every page opens with rows behind it, acts need a reason and become events, gauges say what they show."""

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from exchange.services.listing import TradingRules
from exchange.services.listing_requests import Wish, request_listing
from rights.domain.staff import AUDITORS, OPERATORS
from rights.models import Assurance, Capability, Event, PostedCapacity, Series, Supplier
from settlement.services.ledger import cash_asset
from tests.people import in_console as console
from tests.registry_desk import MINT, NOW_US, Desk
from tests.supply_desk import SupplyDesk

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(monkeypatch):
    """The console lives at the desk's time."""
    for module in ("supply", "assurances", "listings"):
        monkeypatch.setattr(f"exchange.admin.{module}.now_us", lambda: NOW_US)
    desk = SupplyDesk(Desk(haircut_bps=1000))
    desk.post(1000)
    desk.assure(600)
    desk.desk.issue(500, assurance={"reference": "pledged"})
    return desk


@pytest.fixture
def operator() -> Client:
    return console(OPERATORS)


def act(client: Client, model: str, name: str, row, **form: str):
    return client.post(reverse(f"admin:rights_{model}_{name}", args=[row.pk]), form)


@pytest.mark.parametrize("kind", [OPERATORS, AUDITORS])
def test_every_page_opens(kind, desk):
    client = console(kind)
    for model in (Supplier, Capability, PostedCapacity, Assurance):
        name = f"admin:rights_{model._meta.model_name}"
        assert client.get(reverse(f"{name}_changelist"), {"q": "bor"}).status_code == 200
        for row in model.objects.all():
            assert client.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200


def test_the_gauge_says_what_it_shows(desk, operator):
    page = operator.get(reverse("admin:rights_assurance_changelist")).content.decode()
    assert 'max="600"' in page
    assert 'value="500"' in page
    assert 'aria-label="500 of 600 issued"' in page
    one = operator.get(reverse("admin:rights_assurance_change", args=[Assurance.objects.get(reference="pledged").pk])).content.decode()
    assert "boreal" in one
    assert ">100<" in one  # headroom


def test_trust_needs_a_reason_and_is_told(desk, operator):
    assert act(operator, "supplier", "assess", desk.supplier, trust_bps="9000").status_code == 200
    assert act(operator, "supplier", "assess", desk.supplier, trust_bps="10001", reason="x").status_code == 200
    assert Supplier.objects.get().trust_bps == 5000
    assert act(operator, "supplier", "assess", desk.supplier, trust_bps="9000", reason="audited").status_code == 302
    assert Supplier.objects.get().trust_bps == 9000
    assert '"reason":"audited"' in Event.objects.get(type="supplier.changed").body


def test_suspending_says_what_it_does_and_degrades(desk, operator):
    page = operator.get(reverse("admin:rights_supplier_suspend", args=[desk.supplier.pk])).content.decode()
    assert "withdrawn" in page
    assert act(operator, "supplier", "suspend", desk.supplier, reason="outage").status_code == 302
    assert Assurance.objects.get(reference="pledged").status == "degraded"
    assert act(operator, "supplier", "suspend", desk.supplier, reason="outage").status_code == 422
    assert act(operator, "supplier", "reinstate", desk.supplier, reason="repaired").status_code == 302
    assert Supplier.objects.get().status == "active"


def test_measuring(desk, operator):
    assert act(operator, "capability", "measure", desk.capability, reliability_bps="9800", reason="probes").status_code == 302
    assert Capability.objects.get().reliability_bps == 9800


def test_refreshing_what_an_operator_answers_for(desk, operator):
    plain = desk.desk.assurance
    assert act(operator, "assurance", "refresh", plain, gross_units="200").status_code == 200  # no reason given
    assert act(operator, "assurance", "refresh", plain, gross_units="200", reason="the rack was counted").status_code == 302
    plain.refresh_from_db()
    assert (plain.gross_units, plain.haircut_bps, plain.revision) == (200, 1000, 2)
    assert "the rack was counted" in Event.objects.get(type="assurance.refreshed").body
    short = act(operator, "assurance", "refresh", Assurance.objects.get(reference="pledged"), gross_units="601", reason="x")
    assert short.status_code == 422
    assert b"sources come to 600" in short.content


def test_posting_with_a_plan(desk, operator):
    form = {
        "issuer": str(desk.desk.issuer.pk),
        "compute_class": str(desk.desk.assurance.compute_class_id),
        "mode": "reserved-capacity",
        "reference": "counted",
        "window_start_0": "2026-12-05",
        "window_start_1": "00:00",
        "window_end_0": "2026-12-06",
        "window_end_1": "00:00",
        "gross_units": "5000",
        "haircut_bps": "500",
        "degradation_plan": "halt-books",
        "overbook_bps": "100",
        "reason": "counted by hand",
    }
    address = reverse("admin:rights_assurance_post_new")
    unexplained = operator.post(address, form)
    assert unexplained.status_code == 422
    assert b"justification" in unexplained.content
    assert operator.post(address, {**form, "justification": "measured use is 60 %"}).status_code == 302
    row = Assurance.objects.get(reference="counted")
    assert (row.degradation_plan, row.overbook_bps, row.overbook_policy) == ("halt-books", 100, {"justification": "measured use is 60 %"})
    assert console(AUDITORS).post(address, form).status_code == 403


def test_a_listing_is_reviewed_by_one_and_approved_by_another(desk, operator):
    cash_asset()
    series = Series.objects.select_related("compute_class").get()
    rules = TradingRules(tick_minor=1000, collar_low_ticks=1, collar_high_ticks=100_000, opens_us=0, taker_bps=10)
    wish = {"series": series, "wish": Wish(rules), "request_id": MINT.uuid(NOW_US), "actor": "user:987", "now_us": NOW_US}
    row = request_listing(issuer=desk.desk.issuer, **wish)
    page = reverse("admin:exchange_listingrequest_change", args=[row.pk])
    for client in (operator, console(AUDITORS)):
        text = client.get(page).content.decode()
        assert "pledged" in text  # the assurance behind it, on the sheet
        assert "0.001 - 100.000" in text

    def step(client, name, reason):
        return client.post(reverse(f"admin:exchange_listingrequest_{name}", args=[row.pk]), {"reason": reason})

    assert step(operator, "review", " ").status_code == 200
    assert step(operator, "approve", "read").status_code == 422  # not reviewed yet
    assert step(operator, "review", "read").status_code == 302
    alone = step(operator, "approve", "mine")
    assert (alone.status_code, b"somebody else" in alone.content) == (422, True)
    other = Client()
    person = User.objects.create_user("another", is_staff=True)
    person.groups.add(Group.objects.get(name=OPERATORS))
    other.force_login(person)
    assert step(other, "approve", "agreed").status_code == 302
    row.refresh_from_db()
    assert (row.state, row.instrument.symbol) == ("approved", "TXT.CHAT.STD.INT.PRV-20261201T00-P1D")
    assert step(other, "reject", "too late").status_code == 422
