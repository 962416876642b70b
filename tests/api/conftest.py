"""A small market and callers of every kind."""

import json
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.middleware.csrf import get_token
from django.test import Client

from exchange.api import base, openapi
from exchange.models import Membership
from exchange.services import keys, rate_limit
from tests.api.described import check_body
from tests.registry_desk import Desk
from tests.trading_floor import NOW_US, Floor

ALL = {"read", "trade", "cancel", "issue", "operate", "audit", "transfer", "consent", "quote", "redeem", "supply", "clearing"}


class Caller:
    """An HTTP client with a bearer key, a member's session, or neither."""

    def __init__(self, token: str | None = None, user: User | None = None) -> None:
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.client = Client(raise_request_exception=False, enforce_csrf_checks=True)
        self.token = token
        if user is not None:
            self.client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
            secret = get_token(self.client.get("/api/v1/time").wsgi_request)
            self.client.cookies["csrftoken"] = secret
            self.headers["X-CSRFToken"] = secret

    def get(self, path: str, **headers: str):
        return held_to_its_word("get", path, self.client.get(f"/api/v1/{path}", headers=self.headers | headers))

    def post(self, path: str, body: object = None, **headers: str):
        raw = body if isinstance(body, bytes) else json.dumps(body)
        answer = self.client.post(f"/api/v1/{path}", raw, content_type="application/json", headers=self.headers | headers)
        return held_to_its_word("post", path, answer)

    def put(self, path: str, body: object = None, **headers: str):
        raw = body if isinstance(body, bytes) else json.dumps(body)
        answer = self.client.put(f"/api/v1/{path}", raw, content_type="application/json", headers=self.headers | headers)
        return held_to_its_word("put", path, answer)

    def patch(self, path: str, body: object = None, **headers: str):
        raw = body if isinstance(body, bytes) else json.dumps(body)
        answer = self.client.patch(f"/api/v1/{path}", raw, content_type="application/json", headers=self.headers | headers)
        return held_to_its_word("patch", path, answer)

    def delete(self, path: str, **headers: str):
        return held_to_its_word("delete", path, self.client.delete(f"/api/v1/{path}", headers=self.headers | headers))


def held_to_its_word(method: str, path: str, answer):
    """Every answer a test sees is held against the OpenAPI document."""
    plain = "/api/v1/" + path.partition("?")[0]
    known = next((known for known in sorted(openapi.document()["paths"]) if _fits(known, plain)), None)
    problem = answer.status_code >= 400
    assert answer["Content-Type"] == ("application/problem+json" if problem else "application/json"), answer.content[:500]
    assert answer.status_code < 500
    if known is not None:
        check_body(known, method, answer.status_code, answer.json())
    if problem:
        assert answer.json()["request_id"] == answer["X-Request-Id"]
    return answer


def _fits(known: str, plain: str) -> bool:
    return re.fullmatch(re.sub(r"\{client_order_id\}", ".+", re.sub(r"\{(?!client)\w+\}", "[^/]+", known)), plain) is not None


@pytest.fixture(scope="session", autouse=True)
def static_root():
    """WhiteNoise warns when it is not there."""
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)


@pytest.fixture
def floor(db, monkeypatch):
    floor = Floor()
    for slug in ("buyer", "seller"):
        floor.open(slug, cash=10_000)
    floor.right("seller", 100)
    # The views live at the floor's time; keys are judged by the real one.
    monkeypatch.setattr(base, "now_us", lambda: floor.now_us)
    return floor


@pytest.fixture
def desk(db, monkeypatch):
    """An issuer with capacity, at its own time."""
    desk = Desk()
    monkeypatch.setattr(base, "now_us", lambda: desk.now_us)
    return desk


@pytest.fixture
def caller(request):
    """`caller("buyer", "read")`: a key of that participant with these scopes; `caller()`: nobody."""
    place = request.getfixturevalue("desk" if "desk" in request.fixturenames else "floor")

    def make(slug: str | None = None, *scopes: str) -> Caller:
        if slug is None:
            return Caller()
        new = keys.create(account_id=place.accounts[slug].pk, scopes=scopes or ALL, label="", expires_us=None, now_us=NOW_US)
        return Caller(new.token)

    return make


@pytest.fixture
def member(request):
    """`member("buyer", "read")`: somebody logged in for that participant."""
    place = request.getfixturevalue("desk" if "desk" in request.fixturenames else "floor")

    def make(slug: str, *scopes: str) -> Caller:
        user = User.objects.create_user(f"{slug}-{User.objects.count()}")
        Membership.objects.create(user=user, participant=place.accounts[slug].participant, scopes=sorted(scopes or ALL))
        return Caller(user=user)

    return make


@pytest.fixture
def unhurried(settings, monkeypatch):
    """Calls that come faster than any client's may, as many as a test likes: none is told to wait."""
    settings.RATE_LIMITS = {"write": (1_000_000, 1_000_000), "read": (1_000_000, 1_000_000)}
    monkeypatch.setattr(rate_limit, "_limiter", rate_limit.Limiter())
