"""The desk's frames on the server's side: who sees which page, and that its form is the published schema's."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from exchange.models import Membership
from exchange.services.listing import TradingRules
from exchange.services.listing_requests import Wish, request_listing
from exchange.web import desk_reads, desk_terms
from exchange.web.desk import SHEETS
from rights.domain.manifest import SCHEMA, read_manifest
from rights.models import Issuer
from settlement.services.ledger import cash_asset
from tests.registry_desk import MINT, NOW_US, Desk

pytestmark = pytest.mark.django_db
PATHS = ("/desk", "/desk/issued", "/desk/listings", "/desk/consents", "/desk/supply")


@pytest.fixture
def desk(monkeypatch):
    monkeypatch.setattr("exchange.web.desk.now_us", lambda: NOW_US)
    return Desk()


def member(desk, slug: str, *scopes: str) -> Client:
    user = User.objects.create_user(f"{slug}-{User.objects.count()}")
    Membership.objects.create(user=user, participant=desk.accounts[slug].participant, scopes=list(scopes))
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize("path", PATHS)
def test_an_issuer_sees_its_desk_and_nobody_else_does(desk, path):
    assert Client().get(path).headers["Location"] == f"/login?next={path}"
    mine = member(desk, "issuer", "read", "issue", "consent", "supply").get(path)
    assert (mine.status_code, mine.headers["Cache-Control"]) == (200, "no-store")
    assert "unsafe" not in mine.headers["Content-Security-Policy"]
    text = mine.content.decode()
    assert 'data-issuer="issuer"' in text
    assert "lacks the scope" not in text
    assert "<script>" not in text
    other = member(desk, "holder", "read", "issue").get(path).content.decode()
    assert "is no issuer" in other
    assert 'href="/desk"' not in other
    stranger = Client()
    stranger.force_login(User.objects.create_user("nobody"))
    assert "does not act for a participant" in stranger.get(path).content.decode()


def test_a_member_without_the_scope_looks_and_is_told_which(desk):
    client = member(desk, "issuer", "read")
    for path, scope in zip(PATHS, (sheet.scope for sheet in SHEETS), strict=True):
        text = client.get(path).content.decode()
        assert f"<code>{scope}</code>" in text
        assert "data-may-act" not in text
    assert "sx-desk-listings" not in client.get("/desk/listings").content.decode()  # the API would not show them
    assert "sx-desk-rights" in client.get("/desk/issued").content.decode()


def test_one_of_several_issuers_is_chosen(desk):
    Issuer.objects.create(
        slug="second", participant=desk.issuer.participant, issuer_type="market", tier=2, issuance_path="registry-federated"
    )
    client = member(desk, "issuer", "read", "issue")
    assert 'data-issuer="second"' in client.get("/desk?issuer=second").content.decode()
    for odd in ("nobody", "\0", "'\"<", "\u0663"):
        assert 'data-issuer="issuer"' in client.get("/desk", {"issuer": odd}).content.decode()
    assert "/desk/issued?issuer=second" in client.get("/desk?issuer=second").content.decode()


def test_what_has_no_market_and_no_request_may_be_asked_for(desk):
    cash_asset()
    assert desk_reads.unlisted(desk.issuer.pk, now_us=NOW_US) == []
    right = desk.issue(1_000_000)
    (found,) = desk_reads.unlisted(desk.issuer.pk, now_us=NOW_US)
    assert (found.class_key, found.lot_size) == ("TXT.CHAT.STD.INT.PRV", 1_000_000)
    assert '"start":"2026-12-01T00:00:00' in found.value
    wish = Wish(TradingRules(tick_minor=1000, collar_low_ticks=1, collar_high_ticks=10_000, opens_us=0))
    request_listing(issuer=desk.issuer, series=right.series, wish=wish, request_id=MINT.uuid(NOW_US), actor="user:1", now_us=NOW_US)
    assert desk_reads.unlisted(desk.issuer.pk, now_us=NOW_US) == []


def fields() -> list[desk_terms.Field]:
    return [field for group in (*desk_terms.CLASS, *desk_terms.TERMS) for field in group.fields]


def test_every_field_of_the_form_is_one_of_the_schema_and_each_once():
    paths = [field.path for field in fields()]
    assert len(paths) == len(set(paths))
    for field in fields():
        schema = SCHEMA
        for name in field.path.split("."):
            schema = schema["properties"][name]
        if field.kind == "choice":
            assert field.choices == tuple(schema["enum"])
    kinds = {
        "choice",
        "flag",
        "count",
        "units",
        "moment",
        "list",
        "any",
        "text",
        "maybe-units",
        "maybe-count",
        "maybe-span",
        "maybe-moment",
    }
    assert {field.kind for field in fields()} <= kinds


def test_the_form_left_alone_is_a_manifest_but_for_what_only_its_issuer_knows():
    """With amount, window, issuer and assurance added, the form's own values pass the schema."""
    given = {"resource.amount": "5", "window.start": "2026-12-01T00:00:00Z", "window.end": "2026-12-02T00:00:00Z"}
    document: dict = {
        "version": "synthference/v0",
        "issuer": {"issuer_type": "provider", "id": "issuer", "issuance_path": "hybrid"},
        "assurance": {"mode": "hybrid", "reference": "r", "unit": "tokens"},
    }
    for field in fields():
        value = given.get(field.path, field.value)
        if field.kind == "choice" and not value:
            value = field.choices[0]  # what a browser sends of a choice nobody touched
        if field.kind == "flag":
            value = bool(value)
        elif field.kind == "count" and value:
            value = int(value)
        elif field.kind == "list":
            value = []
        elif field.kind == "any":
            value = "any"
        elif value == "":
            continue
        *parents, last = field.path.split(".")
        place = document
        for name in parents:
            place = place.setdefault(name, {})
        place[last] = value
    assert read_manifest(document).units == 5
