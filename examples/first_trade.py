"""A first own trade over REST: buy one lot at the market and print what was delivered. Standard library only."""

import json
import os
import time
import urllib.request
import uuid

API = os.environ.get("EXCHANGE_URL", "http://127.0.0.1:8000") + "/api/v1"
KEY = os.environ["EXCHANGE_KEY"]  # .venv/bin/python manage.py create_key buyer --scopes read,trade,cancel


def call(method: str, path: str, body: dict[str, str] | None = None) -> dict:
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json", "Prefer": "wait=10"}
    request = urllib.request.Request(API + path, body and json.dumps(body).encode(), headers, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def offered() -> list[dict]:
    tickers = [t for t in call("GET", "/tickers")["data"] if t["instrument"].startswith("TXT.CHAT.")]
    return [t for t in tickers if t["phase"] == "continuous" and t["best_ask"]]


while not (offers := offered()):
    print("nobody offers yet, looking again in a second")
    time.sleep(1)
symbol = offers[0]["instrument"]
print(f"{symbol}: {offers[0]['best_ask_quantity']} lots at {offers[0]['best_ask']}")
# The same client_order_id sent again never places a second order, so a lost answer is asked for by sending it again.
order = {"instrument": symbol, "side": "buy", "type": "market", "quantity": "1", "client_order_id": f"first-{uuid.uuid4()}"}
placed = call("POST", "/orders", order)
print(f"{placed['id']} is {placed['status']}")
for fill in call("GET", f"/fills?order_id={placed['id']}")["data"]:
    print(f"{fill['quantity']} lot at {fill['price']}, fee {fill['fee']}: {fill['units']} units, yours now as")
    for delivery in fill["deliveries"]:
        print(f"  {delivery['right_id']} out of {delivery['parent_right_id']}, issued by {delivery['issuer_id']}")
