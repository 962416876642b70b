"""The pages on the server's side: what they show without a script, and what they make of nonsense."""

import logging

import pytest
from django.contrib.auth.models import User
from django.test import Client

from exchange.models import Instrument, Membership
from exchange.web.board import class_words
from rights.models import Participant
from tests.integration.console_market import a_market

pytestmark = pytest.mark.django_db
NASTY = [
    "\0",
    "'",
    '"><script>',
    "%00",
    "٣",
    "9" * 5000,
    "../..",
    "{{7*7}}",
    "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    "%",
    "_",
    "\\",
]


@pytest.fixture
def market():
    return a_market()


def member(slug: str = "acme") -> Client:
    user = User.objects.create_user("somebody", password="a good long one")
    Membership.objects.create(user=user, participant=Participant.objects.get(slug=slug), scopes=["read", "trade"])
    client = Client()
    client.force_login(user)
    return client


def test_the_board_and_the_desk_are_drawn_by_the_server(market):
    symbol = market.instrument.symbol
    board = Client().get("/")
    assert symbol in board.content.decode()
    assert "1 lot = 1,000,000 tokens" in board.content.decode()
    desk = Client().get(f"/trade/{symbol}")
    assert desk.status_code == 200
    assert "Pre-open" in desk.content.decode()
    assert "version 1, fresh" in desk.content.decode()
    assert desk.cookies["last_symbol"].value == symbol


@pytest.mark.parametrize("value", NASTY)
def test_nonsense_in_an_address_is_an_empty_board_or_nothing_there(market, value):
    client = Client()
    for name in ("q", "class", "closed"):
        page = client.get("/", {name: value})
        assert page.status_code == 200
        assert "<script>" not in page.content.decode().split("</head>")[1]
    assert client.get("/trade/" + value.replace("/", "%2F").replace("\0", "%00")).status_code in {400, 404}
    client.cookies["theme"] = "x"
    client.cookies["last_symbol"] = "a b'\"<"
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("value", NASTY)
def test_nonsense_is_no_log_in_and_no_way_out(market, value):
    answer = Client().post("/login", {"username": value, "password": value, "next": "//elsewhere.example/" + value.replace("\0", "")})
    assert answer.status_code == 401
    assert "elsewhere.example" not in answer.content.decode()


def test_too_many_attempts_look_like_any_failure(market):
    User.objects.create_user("somebody", password="a good long one")
    client = Client()
    pages = [client.post("/login", {"username": "somebody", "password": "wrong"}).content.decode() for _ in range(12)]
    locked = client.post("/login", {"username": "somebody", "password": "a good long one"})
    assert locked.status_code == 401

    def message(page: str) -> str:
        return page.split('role="alert"')[1].split("</p>", maxsplit=1)[0]

    assert message(locked.content.decode()) == message(pages[0])


def test_a_log_in_makes_a_new_session(market):
    User.objects.create_user("somebody", password="a good long one")
    client = Client()
    client.get("/login")
    client.session["before"] = True
    before = client.session.session_key
    client.post("/login", {"username": "somebody", "password": "a good long one"})
    assert client.session.session_key != before


def test_own_pages_need_a_log_in_and_offer_only_the_members_scopes(market):
    for path in ("/rights", "/account"):
        assert Client().get(path).headers["Location"] == f"/login?next={path}"
    page = member().get("/account").content.decode()
    assert 'value="trade"' in page
    assert 'value="operate"' not in page


def test_a_user_without_a_participant_sees_that(market):
    client = Client()
    client.force_login(User.objects.create_user("nobody"))
    for path in ("/", "/rights", "/account", f"/trade/{market.instrument.symbol}"):
        assert client.get(path).status_code == 200
    assert "does not act for a participant" in client.get("/account").content.decode()


def test_every_page_is_guarded_and_never_kept(market):
    client = member()
    for path in ("/", "/login", "/rights", "/account", "/nothing/here", f"/trade/{market.instrument.symbol}"):
        answer = client.get(path)
        if answer.status_code != 302:
            assert "default-src 'self'" in answer.headers["Content-Security-Policy"], path
            assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert client.get("/").headers["Cache-Control"] == "no-store"
    assert client.get("/logout").status_code == 405


def test_the_board_asks_as_often_for_many_markets_as_for_one(market, django_assert_max_num_queries):
    assert Instrument.objects.count() == 1
    with django_assert_max_num_queries(4):
        Client().get("/")


def test_a_class_in_words():
    dimensions = {
        "resource.type": "text_inference",
        "resource.model_class": ["chat"],
        "resource.capability_tags": ["json-mode"],
        "service.quality_band": "standard",
        "service.latency_class": "interactive",
        "service.privacy_class": "private",
    }
    assert class_words(dimensions) == "Text inference (chat) · standard · interactive · private · json-mode"
    assert class_words({"resource.type": "gpu_time"}) == "GPU time"
    assert class_words({}) == ""


def test_a_browser_that_shows_json_finds_the_mark():
    answer = Client().get("/favicon.ico")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/static/mark.svg")


def test_using_rights_has_its_pages(market):
    client = member()
    page = client.get("/use", {"right": "rgt_01a2172b-0000-7000-8000-000000000000"}).content.decode()
    assert 'data-wanted="rgt_01a2172b-0000-7000-8000-000000000000"' in page
    assert "OpenAI" in page
    assert 'data-wanted=""' in client.get("/use", {"right": '"><script>'}).content.decode()
    one = "req_01a2172b-0000-7000-8000-000000000000"
    assert f'data-id="{one}"' in client.get(f"/use/{one}").content.decode()
    assert client.get("/use/req_nonsense").status_code == 404
    assert Client().get("/use").status_code == 302


def test_what_breaks_is_told_on_the_log(market, monkeypatch, caplog):
    def breaks(*_arguments, **_more):
        raise RuntimeError("the page fell over")

    log = logging.getLogger("django")
    assert logging.StreamHandler in map(type, log.handlers)
    monkeypatch.setattr("exchange.web.use.page", breaks)
    monkeypatch.setattr(log, "handlers", [*log.handlers, caplog.handler])
    client = member()
    client.raise_request_exception = False
    assert client.get("/use").status_code == 500
    assert "the page fell over" in caplog.text
