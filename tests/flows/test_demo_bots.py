"""The bots at work on a running exchange: they trade through the public API, outlive its parts, and leave nothing behind."""

import json
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from tests.plugins.live import LiveExchange, wait_until


def trades(live: LiveExchange) -> int:
    with urllib.request.urlopen(f"{live.base_url}/api/v1/tickers?limit=1000", timeout=10) as answer:
        return sum(int(row["trades_24h"]) for row in json.load(answer)["data"])


def test_bots_trade_and_outlive_the_web(live_exchange: LiveExchange):
    live_exchange.manage("seed_demo")
    before = trades(live_exchange)
    with ThreadPoolExecutor() as pool:
        bots = pool.submit(
            live_exchange.manage, "demo_bots", "--url", live_exchange.base_url, "--seconds", "25", "--rate", "40", check=False, timeout_s=90
        )
        wait_until(lambda: trades(live_exchange) > before, 40, "a trade between bots")
        former = live_exchange.kill("web-1")
        live_exchange.wait_for_return("web-1", former)
        wait_until(lambda: answers(live_exchange), 30, "the web to answer again")
        after = trades(live_exchange)
        wait_until(lambda: trades(live_exchange) > after or bots.done(), 40, "trading to go on")
        ended = bots.result()
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert trades(live_exchange) > after, "nothing was traded after the web came back"
    assert "event=stopped" in ended.stdout
    key = json.loads(live_exchange.manage("create_key", "desk-01", "--scopes", "read").stdout)["token"]
    request = urllib.request.Request(f"{live_exchange.base_url}/api/v1/orders?status=open", headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert json.load(answer)["data"] == []
    live_exchange.manage("audit")


def answers(live: LiveExchange) -> bool:
    try:
        trades(live)
    except OSError:
        return False
    return True
