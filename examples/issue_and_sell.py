"""Issue a right under terms the issuer has used before, and sell all of it: the whole life of a primary sale over REST."""

import json
import os
import sys
import urllib.error
import urllib.request
import uuid

API = os.environ.get("EXCHANGE_URL", "http://127.0.0.1:8000") + "/api/v1"
KEY = os.environ["EXCHANGE_KEY"]  # manage.py create_key issuer --scopes read,trade,cancel,issue
TERMS = [
    "version",
    "kind",
    "resource",
    "service",
    "window",
    "limits",
    "fallback_policy",
    "settlement_policy",
    "transfer_policy",
    "issuer",
    "assurance",
    "metadata",
]


def call(method: str, path: str, body: dict | None = None, **headers: str) -> dict:
    headers |= {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json", "Prefer": "wait=10"}
    request = urllib.request.Request(API + path, body and json.dumps(body).encode(), headers, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refusal:
        problem = json.load(refusal)
        sys.exit(f"{problem['code']}: {problem['detail']} {problem['field_errors'] or [g for g in problem['gates'] if not g['passed']]}")


offers = {t["instrument"]: t for t in call("GET", "/tickers")["data"] if t["phase"] == "continuous" and t["best_bid"]}
known = call("GET", "/rights?status=active&limit=500")["data"]
model = next(r for r in known if r["instruments"] and r["instruments"][0] in offers)
symbol = model["instruments"][0]
lot = int(call("GET", f"/instruments/{symbol}")["lot_size"])

assurance = call("GET", f"/assurances/{model['assurance_id']}")
print(
    f"{assurance['reference']}: {assurance['usable_units']} usable, {assurance['issued_units']} issued, room for {assurance['headroom_units']}"
)

manifest = {name: model[name] for name in TERMS}
manifest["resource"] |= {"amount": str(2 * lot)}
right = call("POST", "/rights", {"manifest": manifest}, **{"Idempotency-Key": str(uuid.uuid4())})
print(f"{right['id']} is {right['status']}: {right['remaining_amount']} units, deliverable into {right['instruments'][0]}")

order = {"instrument": symbol, "side": "sell", "type": "market", "quantity": "2", "rights": [right["id"]]}
sold = call("POST", "/orders", order)
print(f"{sold['status']}: {sold['filled_quantity']} lots at {sold['average_price']}, fee {sold['fee_total']}")
