"""What anybody may read of a market."""

import zlib
from typing import Any

import pytest

from exchange.selectors import asking_issuers
from rights.kernel import rows
from rights.models import Issuer
from settlement.models import OutcomeTally

SYMBOL_PARTS = ("TXT.CHAT.STD.INT.PRV",)


@pytest.fixture
def traded(floor):
    floor.place("seller", "sell", 5, 110)
    floor.place("seller", "sell", 5, 100)
    floor.place("buyer", "buy", 3, 100)
    floor.place("buyer", "buy", 2, 90)
    floor.match()
    return floor


def test_time_and_status_answer(caller, traded):
    assert caller().get("time").json()["time"].endswith("Z")
    status = caller().get("status").json()
    assert status["ready"] is True
    assert status["components"]["matcher"]["pending_commands"] == "0"
    assert status["books"]["continuous"] == 1


def test_status_counts_what_waits(caller, traded):
    traded.place("buyer", "buy", 1, 90)
    assert caller().get("status").json()["components"]["matcher"]["pending_commands"] == "1"


def test_book_has_checksum_of_its_levels(caller, traded):
    answer = caller().get(f"instruments/{traded.instrument.symbol}/book")
    body = answer.json()
    assert body["asks"] == [["1.00", "2", 1], ["1.10", "5", 1]]
    assert body["bids"] == [["0.90", "2", 1]]
    text = "".join(p.replace(".", "").lstrip("0") + q for p, q, _ in body["asks"] + body["bids"])
    assert body["checksum"] == str(zlib.crc32(text.encode()))
    assert answer["X-Book-Seq"] == body["seq"] != "0"
    by_order = caller().get(f"instruments/{traded.instrument.symbol}/book?level=3&depth=1").json()
    assert by_order["checksum"] == body["checksum"]
    assert by_order["asks"][0][2].startswith("ord_")
    assert len(by_order["asks"]) == 1


def test_trades_candles_ticker(caller, traded):
    at = f"instruments/{traded.instrument.symbol}"
    trades = caller().get(f"{at}/trades").json()
    assert [(t["price"], t["quantity"], t["aggressor_side"], t["trade_no"]) for t in trades["data"]] == [("1.00", "3", "buy", "1")]
    assert trades["next_cursor"] is None
    candles = caller().get(f"{at}/candles?interval=1m&end=2026-11-01T00:05:00Z&limit=10").json()["data"]
    assert [c["close"] for c in candles] == ["1.00"] * 6
    assert [c["quantity"] for c in candles] == ["3"] + ["0"] * 5
    ticker = caller().get(f"{at}/ticker").json()
    assert (ticker["best_bid"], ticker["best_ask"], ticker["last_price"]) == ("0.90", "1.00", "1.00")
    assert caller().get("tickers").json()["data"][0]["instrument"] == traded.instrument.symbol


def test_a_market_says_what_may_be_expected_of_those_behind_its_asks(caller, traded):
    path = f"instruments/{traded.instrument.symbol}"

    def said(answer: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(answer[f"expected_delivery_{name}"] for name in ("bps", "lower_bps", "sample"))

    assert said(caller().get(path).json()) == (None, None, 0)
    series = traded.instrument.series
    of = {"issuer": Issuer.objects.get(), "compute_class": series.compute_class, "series": series}
    OutcomeTally.objects.create(**of, outcome="full", requests=8, used_units=80, reserved_units=80)
    OutcomeTally.objects.create(**of, outcome="failed", requests=2, used_units=0, reserved_units=20)
    assert said(caller().get(path).json()) == said(caller().get("instruments").json()["data"][0]) == (8_000, 4_901, 10)


def test_asks_are_looked_through_once_for_each_batch(caller, floor, monkeypatch):
    asked: list[str] = []
    fetch_all = rows.fetch_all
    monkeypatch.setattr(rows, "fetch_all", lambda sql, values: asked.append(sql) or fetch_all(sql, values))

    def looked() -> int:
        asked.clear()
        caller().get("instruments")
        return asked.count(asking_issuers._BEHIND)

    floor.place("seller", "sell", 10, 100)
    floor.match()
    assert [looked(), looked()] == [1, 0]
    floor.place("seller", "sell", 10, 101)
    floor.match()
    assert [looked(), looked()] == [1, 0]


def test_trades_page_without_gaps(caller, floor):
    floor.place("seller", "sell", 10, 100)
    for _ in range(5):
        floor.place("buyer", "buy", 1, 100)
    floor.match()
    numbers, cursor = [], ""
    while cursor is not None:
        answer = caller().get(f"instruments/{floor.instrument.symbol}/trades?limit=2" + (f"&cursor={cursor}" if cursor else "")).json()
        numbers += [t["trade_no"] for t in answer["data"]]
        cursor = answer["next_cursor"]
    assert numbers == ["5", "4", "3", "2", "1"]


def test_instruments_classes_calendar_fees(caller, floor):
    found = caller().get("instruments?phase=continuous&class=TXT.CHAT.STD.INT.PRV&window_from=2026-01-01T00:00:00Z").json()["data"]
    assert [i["symbol"] for i in found] == [floor.instrument.symbol]
    one = caller().get(f"instruments/{floor.instrument.symbol}").json()
    assert one == found[0]
    assert (one["tick_size"], one["deliverable_quantity"], one["backing"], one["lot_size"]) == ("0.01", "100", "sound", "1000000")
    assert caller().get("instruments?phase=closed").json()["data"] == []
    assert caller().get("classes/TXT.CHAT.STD.INT.PRV").json() == caller().get("classes").json()["data"][0]
    assert caller().get("calendar").json()["data"][0]["gate_closes_at"].endswith("Z")
    assert caller().get("fees").json()["data"] == [{"instrument": floor.instrument.symbol, "maker_bps": 10, "taker_bps": 20}]
    assert caller().get("curve?class=TXT.CHAT.STD.INT.PRV").status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "code", "field"),
    [
        ("instruments/NOPE", 404, "not_found", None),
        ("instruments/NOPE/book", 404, "not_found", None),
        ("nothing/here", 404, "not_found", None),
        ("instruments?colour=red", 400, "unknown_parameter", "colour"),
        ("instruments?limit=0", 400, "validation_failed", "limit"),
        ("instruments?limit=1&limit=2", 400, "validation_failed", "limit"),
        ("instruments?phase=%00", 400, "validation_failed", "phase"),
        ("instruments?phase=%ED%A0%80", 400, "validation_failed", "query"),
        ("instruments?cursor=abc", 400, "validation_failed", "cursor"),
        ("instruments?window_from=2026", 400, "validation_failed", "window_from"),
        ("instruments/%00", 400, "malformed_request", None),
        ("instruments/%ED%A0%80", 400, "malformed_request", None),
        ("curve", 400, "validation_failed", "class"),
        ("curve?class=NOPE", 404, "not_found", None),
        ("curve?class=nope", 400, "validation_failed", "class"),
    ],
)
def test_refusals_are_problems(caller, floor, path, status, code, field):
    answer = caller().get(path)
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
    assert body["request_id"] == answer["X-Request-Id"]
    assert body["type"] == f"/api/v1/errors#{code}"
    if field:
        assert [e["field"] for e in body["field_errors"]] == [field]


def test_vocabulary(caller):
    body = caller().get("vocabulary").json()
    assert {axis["name"] for axis in body["axes"]} == {"workload", "quality", "latency", "privacy", "availability"}
    workload = next(axis for axis in body["axes"] if axis["name"] == "workload")
    assert workload["to_capability"]["text_inference"] == "text.generation"
    assert workload["to_right"]["gpu.batch"] == "gpu_time"
    assert {"field": "service.privacy_class", "better": "stricter is better"} in body["dimensions"]


def test_disclosure_sheet(caller, floor):
    symbol = floor.instrument.symbol
    body = caller().get(f"instruments/{symbol}/sheet").json()
    assert (body["version"], body["latest_version"], body["stale"]) == (1, 1, False)
    assert caller().get(f"instruments/{symbol}").json()["sheet"] == {"version": 1, "hash": body["hash"], "stale": False}
    assert caller().get(f"instruments/{symbol}/sheet?version=1").json() == body
    assert caller().get(f"instruments/{symbol}/sheet?version=2").status_code == 404
    assert [caller().get(f"instruments/{symbol}/sheet?version={wrong}").status_code for wrong in ("0", "x", "1e3", "2147483648")] == [
        400
    ] * 4
