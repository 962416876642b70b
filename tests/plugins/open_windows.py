"""Markets whose windows are open whatever the hour is: what is bought in them can be used at once."""

import json

import httpx

from tests.plugins.live import LiveExchange

_LIST = """
import json
from exchange.demo.catalog import HOUR_US, WARES
from exchange.demo.roll import _offer
from exchange.demo.windows import Window
from exchange.services.timetable import run_due
from rights.kernel.clock import now_us
from rights.kernel.ids import Mint
start = now_us() // HOUR_US * HOUR_US
wares = {ware.name: ware for ware in WARES}
symbols = {name: _offer(wares[name], Window(start, start + 3 * HOUR_US, start), Mint(), now_us()) for name in ("chat", "embeddings")}
run_due(now_us=now_us())
print("SYMBOLS " + json.dumps(symbols))
"""


def open_windows(exchange: LiveExchange) -> dict[str, str]:
    """Symbols of `chat` and `embeddings`, three hours from the full one on; `seller` offers five lots of each."""
    printed = exchange.manage("shell", "--no-imports", "-c", _LIST).stdout
    made = dict(json.loads(next(line for line in printed.splitlines() if line.startswith("SYMBOLS "))[8:]))
    seller = json.loads(exchange.manage("create_key", "seller", "--scopes", "read,trade").stdout)["token"]
    with httpx.Client(base_url=f"{exchange.base_url}/api/v1", headers={"Authorization": f"Bearer {seller}"}, timeout=60) as client:
        for symbol in made.values():
            reference = client.get(f"instruments/{symbol}").json()["reference_price"]
            body = {"instrument": symbol, "side": "sell", "quantity": "5", "price": reference}
            answer = client.post("orders", json=body, headers={"Prefer": "wait=20"})
            assert answer.status_code == 201, answer.text
    return made
