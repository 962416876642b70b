"""Every nasty value on every field of the writes of supply: 4xx with the field named, and nothing changes."""

import base64
import json

import pytest

from exchange.services.listing import TradingRules
from exchange.services.listing_requests import Wish, request_listing
from settlement.services.ledger import cash_asset
from tests.api.nasty_values import BODIES, VALUES, for_field
from tests.api.test_nasty_fields import _breaks_the_whole, _fields, _try, _with, state_now
from tests.registry_desk import DAY_US, MINT, START_US
from tests.supply_desk import SupplyDesk
from tests.unit.rights.domain.manifests import chat_day

KEY = base64.b64encode(bytes(32)).decode()
WINDOW = {"start": "2026-12-01T00:00:00Z", "end": "2026-12-02T00:00:00Z"}
AXES = {
    "workload": "text.generation",
    "quality_band": "standard",
    "latency_band": "interactive",
    "privacy_mode": "private-cluster",
    "environment": "dedicated-cluster",
    "availability": "reserved",
    "constraints": ["no-training-retention"],
    "unit": "tokens",
    "tariff": {"amount": "0.15", "units": "1000000", "currency": "USD"},
}
# name → (who, method, path, good body)
WRITES = {
    "register": ("boreal", "post", "suppliers", {"slug": "another", "name": "Another", "region": "US", "public_key": KEY}),
    "change": ("boreal", "patch", "suppliers/{sup}", {"name": "Another", "region": "US", "public_key": KEY}),
    "assess": ("operator", "post", "suppliers/{sup}/assess", {"trust_bps": 9000, "reason": "x"}),
    "suspend": ("operator", "post", "suppliers/{sup}/suspend", {"reason": "x"}),
    "offer": ("boreal", "post", "suppliers/{sup}/capabilities", AXES),
    "measure": ("operator", "post", "suppliers/{sup}/capabilities/{cap}/measure", {"reliability_bps": 9000, "reason": "x"}),
    "capacity": ("boreal", "post", "suppliers/{sup}/capabilities/{cap}/capacity", {"window": WINDOW, "units": "7", "issuers": ["issuer"]}),
    "reach": (
        "boreal",
        "post",
        "suppliers/{sup}/endpoints",
        {
            "capability_id": "{cap}",
            "adapter": "openai",
            "base_url": "https://supplier.example/v1",
            "model": "large",
            "secret": "sk-of-a-supplier",
            "timeout_ms": 1000,
            "max_attempts": 2,
            "inside": False,
        },
    ),
    "assure": (
        "issuer",
        "post",
        "assurances",
        {
            "issuer": "issuer",
            "class": "TXT.CHAT.STD.INT.PRV",
            "window": WINDOW,
            "mode": "reserved-capacity",
            "reference": "more",
            "gross_units": "10",
            "haircut_bps": 0,
            "overbook_bps": 100,
            "justification": "x",
            "degradation_plan": "halt-books",
            "stale_after_seconds": 3600,
            "note": "x",
            "sources": [{"capability_id": "{cap}", "units": "10", "window": WINDOW}],
        },
    ),
    "assure by terms": (
        "issuer",
        "post",
        "assurances",
        {"terms": chat_day(), "reference": "terms", "gross_units": "10", "sources": [{"capability_id": "{cap}", "units": "10"}]},
    ),
    "refresh": (
        "issuer",
        "patch",
        "assurances/{ast}",
        {"gross_units": "9", "haircut_bps": 1, "note": "x", "sources": [{"capability_id": "{cap}", "units": "9", "window": WINDOW}]},
    ),
    "ask": (
        "issuer",
        "post",
        "listings",
        {
            "issuer": "issuer",
            "class": "TXT.CHAT.STD.INT.PRV",
            "window": {**WINDOW, "mode": "fixed"},
            "currency": "USD",
            "tick_size": "0.001",
            "collar": {"low": "0.1", "high": "10"},
            "reference_price": "1",
            "fees": {"maker_bps": 0, "taker_bps": 10},
            "min_quantity": "1",
            "max_quantity": "1000",
            "position_limit": "500",
            "opens_at": "2026-11-30T00:00:00Z",
            "gate_closes_at": "2026-12-01T12:00:00Z",
            "delivery_rule": "exact",
            "proceeds_escrow": "until_final",
            "note": "x",
        },
    ),
    "withdraw": ("issuer", "post", "listings/{lst}/withdraw", {}),
    "review": ("operator", "post", "listings/{lst}/review", {"reason": "x"}),
    "reject": ("operator", "post", "listings/{lst}/reject", {"reason": "x"}),
}


DEPENDS = {"tick_size": ("tick_size", "collar", "reference_price")}


@pytest.fixture
def write(request, desk, caller):
    """(caller, method, path, good body) of the write named by the test."""
    supply = SupplyDesk(desk)
    supply.post(1000, start_us=START_US, end_us=START_US + DAY_US)
    assurance = supply.assure(10)
    who, method, path, body = WRITES[request.param]
    ids = {"sup": f"sup_{supply.supplier.uuid}", "cap": f"cap_{supply.capability.uuid}", "ast": f"ast_{assurance.uuid}"}
    if "listings" in path:
        cash_asset()
        series = desk.issue(10_000_000).series
    if "{lst}" in path:
        rules = TradingRules(tick_minor=1000, collar_low_ticks=1, collar_high_ticks=10, opens_us=0)
        request_id = MINT.uuid(desk.now_us)
        request_listing(issuer=desk.issuer, series=series, wish=Wish(rules), request_id=request_id, actor="test", now_us=desk.now_us)
        ids["lst"] = f"lst_{request_id}"
    text = json.dumps(body).replace("{cap}", ids["cap"])
    acting = caller("other", "operate") if who == "operator" else caller(who, "supply", "issue", "read")
    return acting, method, path.format(**ids), json.loads(text)


@pytest.mark.parametrize("write", WRITES, indirect=True)
def test_the_good_body_is_good(write):
    who, method, path, body = write
    answer = getattr(who, method)(path, body)
    assert answer.status_code in {200, 201}, answer.json()


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("write", WRITES, indirect=True)
def test_nasty_values_change_nothing_and_name_the_field(write):
    who, method, path, body = write
    before = state_now()
    for number, way in enumerate(w for w in _fields(body) if len(w) < 4):
        for raw in for_field(number, depth=len(way)):
            answer = _try(who, path, _with(body, way, raw), method)
            assert answer.status_code < 500, (way, raw[:80])
            assert answer.status_code != 429
            if answer.status_code == 400:
                named = [error["field"] for error in answer.json()["field_errors"]]
                # Without terms (null is as good as leaving them out) the class in their place is missing.
                # A tick that can be taken puts the prices off it that were multiples of the one before.
                wanted = ("class",) if (way, raw) == (("terms",), b"null") else DEPENDS.get(way[0], (way[0],))
                assert any(field.startswith(wanted) for field in named) or _breaks_the_whole(raw), (way, raw[:80], answer.json())
    assert state_now() == before


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("write", WRITES, indirect=True)
def test_nasty_bodies_and_unknown_fields(write):
    who, method, path, body = write
    before = state_now()
    for raw in BODIES if body and method == "post" else BODIES[1:]:  # where nothing is asked, an empty body says it all
        assert 400 <= _try(who, path, raw, method).status_code < 500, raw[:60]
    for raw in VALUES[::7]:
        if not _breaks_the_whole(raw):
            answer = _try(who, path, _with({**body, "surplus": 1}, ("surplus",), raw), method)
            assert answer.status_code == 400
            assert [e["field"].partition(".")[0] for e in answer.json()["field_errors"]] == ["surplus"], raw[:60]
    assert state_now() == before


@pytest.mark.parametrize("way", ["capability_id", "units", "window"])
@pytest.mark.parametrize("write", ["assure", "refresh"], indirect=True)
def test_nasty_values_inside_a_source(write, way):
    who, method, path, body = write
    before = state_now()
    for raw in VALUES[::3]:
        text = json.dumps({**body, "sources": [{**body["sources"][0], way: "@@here@@"}]}).encode().replace(b'"@@here@@"', raw)
        answer = _try(who, path, text, method)
        assert answer.status_code < 500, raw[:80]
        if answer.status_code == 400:
            named = [error["field"] for error in answer.json()["field_errors"]]
            assert any(field.startswith("sources.0") for field in named) or _breaks_the_whole(raw), (raw[:80], answer.json())
    assert state_now() == before


@pytest.mark.parametrize(
    "path",
    [
        "suppliers?cursor=",
        "suppliers?status=",
        "suppliers?owner=",
        "assurances?issuer=",
        "assurances?class=",
        "assurances?status=",
        "assurances?cursor=",
    ],
)
def test_nasty_queries(desk, caller, path):
    from urllib.parse import quote

    who = caller("holder", "read")
    for raw in VALUES:
        assert who.get(path + quote(raw[:2000])).status_code in {200, 400}, raw[:80]
