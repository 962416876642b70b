"""From nothing to a listing request over REST: a supplier posts capacity, an issuer pledges it, issues a right, and asks for a book."""

import json
import os
import sys
import urllib.error
import urllib.request
import uuid
from datetime import UTC, datetime, timedelta

API = os.environ.get("EXCHANGE_URL", "http://127.0.0.1:8000") + "/api/v1"
SUPPLIER = os.environ["SUPPLIER_KEY"]  # manage.py create_key supplier --scopes read,supply
ISSUER = os.environ["ISSUER_KEY"]  # manage.py create_key issuer --scopes read,issue
LOT = 1_000_000


def call(key: str, method: str, path: str, body: dict | None = None) -> dict:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
    request = urllib.request.Request(API + path, body and json.dumps(body).encode(), headers, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refusal:
        problem = json.load(refusal)
        sys.exit(f"{problem['code']}: {problem['detail']} {problem['field_errors']}")


name = uuid.uuid4().hex[:8]
start = (datetime.now(UTC) + timedelta(days=9)).replace(minute=int(name[:2], 16) % 60, second=int(name[2:4], 16) % 60, microsecond=0)
window = {"start": start.strftime("%Y-%m-%dT%H:%M:%SZ"), "end": (start + timedelta(hours=6)).strftime("%Y-%m-%dT%H:%M:%SZ")}

supplier = call(SUPPLIER, "POST", "/suppliers", {"slug": f"rack-{name}", "name": "A rack of ours", "region": "US-EAST"})
axes = {
    "workload": "text.generation",
    "quality_band": "high",
    "latency_band": "interactive",
    "privacy_mode": "private-cluster",
    "environment": "dedicated-cluster",
    "constraints": ["region-us-only", "no-training-retention"],
    "availability": "reserved",
    "unit": "tokens",
    "tariff": {"amount": "0.80", "units": str(LOT)},
}
capability = call(SUPPLIER, "POST", f"/suppliers/{supplier['id']}/capabilities", axes)
place = f"/suppliers/{supplier['id']}/capabilities/{capability['id']}/capacity"
posted = call(SUPPLIER, "POST", place, {"window": window, "units": str(1000 * LOT), "issuers": ["issuer"]})
print(f"{supplier['slug']} has posted {posted['units']} {capability['unit']} from {window['start']}")

terms = {
    "version": "synthference/v0",
    "kind": "reserved",
    "resource": {"type": "text_inference", "unit": "tokens", "amount": str(200 * LOT), "model_class": ["chat"], "capability_tags": []},
    "service": {"priority": "standard", "quality_band": "high", "latency_class": "interactive", "privacy_class": "private"},
    "window": {**window, "mode": "fixed"},
    "transfer_policy": {"min_transfer_units": str(LOT)},
    "issuer": {"issuer_type": "provider", "id": "issuer", "issuance_path": "centralized-coordinator"},
    "assurance": {"mode": "reserved-capacity", "reference": f"rack:{name}", "unit": "tokens"},
}
sources = [{"capability_id": capability["id"], "units": str(1000 * LOT)}]
asked = {"terms": terms, "gross_units": str(1000 * LOT), "haircut_bps": 1000, "degradation_plan": "freeze-unsold", "sources": sources}
assurance = call(ISSUER, "POST", "/assurances", asked)
print(f"{assurance['reference']}: {assurance['usable_units']} usable of {assurance['gross_units']}, headroom {assurance['headroom_units']}")

right = call(ISSUER, "POST", "/rights", {"manifest": terms})
print(f"{right['id']} is {right['status']}: {right['remaining_amount']} units of {assurance['class']}")

wish = {"class": assurance["class"], "window": window, "tick_size": "0.001", "collar": {"low": "0.100", "high": "20.000"}}
listing = call(ISSUER, "POST", "/listings", {**wish, "note": "a first book for the rack"})
print(
    f"{listing['id']} is {listing['state']}: {listing['deliverable_quantity']} lots to trade, {listing['headroom_quantity']} more may be issued"
)
