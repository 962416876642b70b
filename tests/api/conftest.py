"""A small market and callers of every kind."""

import json
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from exchange.api import base
from exchange.services import keys, rate_limit
from tests.trading_floor import NOW_US, Floor

ALL = {"read", "trade", "cancel", "issue", "operate", "audit", "transfer", "consent", "quote", "redeem", "supply", "clearing"}


class Caller:
    """An HTTP client with a bearer key (or none)."""

    def __init__(self, token: str | None = None) -> None:
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.client = Client(raise_request_exception=False)

    def get(self, path: str, **headers: str):
        return self.client.get(f"/api/v1/{path}", headers=self.headers | headers)

    def post(self, path: str, body: object = None, **headers: str):
        raw = body if isinstance(body, bytes) else json.dumps(body)
        return self.client.post(f"/api/v1/{path}", raw, content_type="application/json", headers=self.headers | headers)

    def delete(self, path: str, **headers: str):
        return self.client.delete(f"/api/v1/{path}", headers=self.headers | headers)


@pytest.fixture(scope="session", autouse=True)
def static_root():
    """WhiteNoise warns when it is not there."""
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)


@pytest.fixture
def floor(db, monkeypatch):
    rate_limit._limiter = None
    floor = Floor()
    for slug in ("buyer", "seller"):
        floor.open(slug, cash=10_000)
    floor.right("seller", 100)
    # The views live at the floor's time; keys are judged by the real one.
    monkeypatch.setattr(base, "now_us", lambda: floor.now_us)
    return floor


@pytest.fixture
def caller(floor):
    """`caller("buyer", "read")`: a key of that participant with these scopes."""

    def make(slug: str | None = None, *scopes: str) -> Caller:
        if slug is None:
            return Caller()
        new = keys.create(account_id=floor.accounts[slug].pk, scopes=scopes or ALL, label="", expires_us=None, now_us=NOW_US)
        return Caller(new.token)

    return make
