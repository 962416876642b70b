"""Every route × every role (TRUST.md, G): the exact status, and nothing changes. A route without a row fails."""

import json

import httpx
import psycopg
import pytest

from exchange.api import openapi
from exchange.models.access import SCOPES

NOBODY = "nobody"
ANY = frozenset(SCOPES)
TRADING = frozenset({"trade", "cancel"})
NODES = frozenset({"node"})
ID = "0192e4a0-0000-7000-8000-000000000000"
PARAMETERS = {
    "symbol": "NONE", "key": "NONE", "order_id": f"ord_{ID}", "client_order_id": "none", "fill_id": f"fil_{ID}", "key_id": f"key_{ID}",
    "right_id": f"rgt_{ID}", "assurance_id": f"ast_{ID}", "consent_id": f"cns_{ID}", "role_id": f"rol_{ID}", "package_id": f"pkg_{ID}",
    "delegation_id": f"dlg_{ID}", "offer_id": f"ofr_{ID}",
    "supplier_id": f"sup_{ID}", "capability_id": f"cap_{ID}", "listing_id": f"lst_{ID}",
    "endpoint_id": f"end_{ID}", "attestation_id": f"att_{ID}", "anchor_id": f"anc_{ID}",
    "node_id": f"nod_{ID}", "job_id": f"job_{ID}", "policy_id": f"pol_{ID}", "request_id": f"req_{ID}",
    "approval_id": f"apv_{ID}", "settlement_id": f"stl_{ID}", "dispute_id": f"dsp_{ID}", "issuer_id": "nobody",
}  # fmt: skip

# method, route → (who may, what they get with an empty body and ids of nothing). None: anybody, with a key or without.
ROWS: dict[tuple[str, str], tuple[frozenset[str] | None, int]] = {
    ("get", "schema"): (None, 200),
    ("get", "time"): (None, 200),
    ("get", "status"): (None, 200),
    ("get", "errors"): (None, 200),
    ("get", "fees"): (None, 200),
    ("get", "calendar"): (None, 200),
    ("get", "vocabulary"): (None, 200),
    ("get", "classes"): (None, 200),
    ("get", "classes/{key}"): (None, 404),
    ("get", "instruments"): (None, 200),
    ("get", "instruments/{symbol}"): (None, 404),
    ("get", "instruments/{symbol}/sheet"): (None, 404),
    ("get", "instruments/{symbol}/book"): (None, 404),
    ("get", "instruments/{symbol}/trades"): (None, 404),
    ("get", "instruments/{symbol}/candles"): (None, 404),
    ("get", "instruments/{symbol}/ticker"): (None, 404),
    ("get", "tickers"): (None, 200),
    ("get", "curve"): (None, 400),
    ("get", "offered-capacity"): (frozenset({"issue"}), 200),
    ("get", "assurances"): (None, 200),
    ("post", "assurances"): (frozenset({"issue"}), 400),
    ("get", "assurances/{assurance_id}"): (None, 404),
    ("patch", "assurances/{assurance_id}"): (frozenset({"issue", "operate"}), 404),
    ("get", "listings"): (frozenset({"issue", "operate", "audit"}), 200),
    ("post", "listings"): (frozenset({"issue"}), 400),
    ("get", "listings/{listing_id}"): (frozenset({"issue", "operate", "audit"}), 404),
    ("post", "listings/{listing_id}/withdraw"): (frozenset({"issue"}), 404),
    ("post", "listings/{listing_id}/review"): (frozenset({"operate"}), 400),
    ("post", "listings/{listing_id}/approve"): (frozenset({"operate"}), 400),
    ("post", "listings/{listing_id}/reject"): (frozenset({"operate"}), 400),
    ("get", "suppliers"): (frozenset({"read"}), 200),
    ("post", "suppliers"): (frozenset({"supply"}), 400),
    ("get", "suppliers/{supplier_id}"): (frozenset({"read"}), 404),
    ("patch", "suppliers/{supplier_id}"): (frozenset({"supply"}), 404),
    ("post", "suppliers/{supplier_id}/assess"): (frozenset({"operate"}), 400),
    ("post", "suppliers/{supplier_id}/suspend"): (frozenset({"operate"}), 400),
    ("post", "suppliers/{supplier_id}/reinstate"): (frozenset({"operate"}), 400),
    ("get", "suppliers/{supplier_id}/capabilities"): (frozenset({"read"}), 404),
    ("post", "suppliers/{supplier_id}/capabilities"): (frozenset({"supply"}), 400),
    ("get", "suppliers/{supplier_id}/capabilities/{capability_id}"): (frozenset({"read"}), 404),
    ("delete", "suppliers/{supplier_id}/capabilities/{capability_id}"): (frozenset({"supply"}), 404),
    ("post", "suppliers/{supplier_id}/capabilities/{capability_id}/measure"): (frozenset({"operate"}), 400),
    ("get", "suppliers/{supplier_id}/capabilities/{capability_id}/capacity"): (frozenset({"read"}), 404),
    ("post", "suppliers/{supplier_id}/capabilities/{capability_id}/capacity"): (frozenset({"supply"}), 400),
    ("get", "suppliers/{supplier_id}/endpoints"): (frozenset({"supply", "operate", "audit"}), 404),
    ("post", "suppliers/{supplier_id}/endpoints"): (frozenset({"supply", "operate"}), 400),
    ("get", "suppliers/{supplier_id}/endpoints/{endpoint_id}"): (frozenset({"supply", "operate", "audit"}), 404),
    ("patch", "suppliers/{supplier_id}/endpoints/{endpoint_id}"): (frozenset({"supply", "operate"}), 404),
    ("get", "suppliers/{supplier_id}/nodes"): (frozenset({"read"}), 404),
    ("post", "suppliers/{supplier_id}/nodes"): (frozenset({"supply"}), 400),
    ("get", "nodes/{node_id}"): (frozenset({"read"}), 404),
    ("patch", "nodes/{node_id}"): (frozenset({"supply", "operate"}), 404),
    # A node signs its requests; no key and no session has its scope.
    ("post", "nodes/lease"): (NODES, 403),
    ("post", "nodes/heartbeat"): (NODES, 403),
    ("post", "nodes/complete"): (NODES, 403),
    ("post", "nodes/leases/{job_id}/heartbeat"): (NODES, 403),
    ("post", "nodes/leases/{job_id}/complete"): (NODES, 403),
    ("post", "nodes/leases/{job_id}/fail"): (NODES, 403),
    ("get", "requests"): (frozenset({"read"}), 200),
    ("post", "requests"): (frozenset({"redeem"}), 400),
    ("get", "requests/{request_id}"): (frozenset({"read"}), 404),
    ("get", "requests/{request_id}/output"): (frozenset({"read"}), 404),
    ("post", "requests/{request_id}/quotes"): (frozenset({"redeem"}), 404),
    ("post", "requests/{request_id}/lock"): (frozenset({"redeem"}), 404),
    ("post", "requests/{request_id}/release"): (frozenset({"redeem"}), 404),
    ("post", "requests/{request_id}/cancel"): (frozenset({"redeem"}), 404),
    ("get", "requests/{request_id}/receipt"): (frozenset({"read"}), 404),
    ("get", "requests/{request_id}/settlement"): (frozenset({"read"}), 404),
    ("post", "receipts"): (frozenset({"supply"}), 400),
    ("get", "settlements"): (frozenset({"read"}), 200),
    ("get", "settlements/{settlement_id}"): (frozenset({"read"}), 404),
    ("post", "settlements/{settlement_id}/disputes"): (frozenset({"redeem", "supply", "issue"}), 400),
    ("get", "disputes"): (frozenset({"read"}), 200),
    ("get", "disputes/{dispute_id}"): (frozenset({"read"}), 404),
    ("post", "disputes/{dispute_id}/evidence"): (frozenset({"redeem", "supply", "issue", "clearing"}), 400),
    ("post", "disputes/{dispute_id}/assign"): (frozenset({"clearing"}), 400),
    ("post", "disputes/{dispute_id}/decide"): (frozenset({"clearing"}), 400),
    ("get", "issuers/{issuer_id}/outcomes"): (None, 404),
    ("get", "events"): (frozenset({"read", "audit"}), 400),
    ("get", "events/verify"): (frozenset({"read", "audit"}), 400),
    ("get", "rights/{right_id}/events"): (frozenset({"read"}), 404),
    ("get", "anchors"): (None, 200),
    ("get", "anchors/{anchor_id}"): (None, 404),
    ("get", "anchors/{anchor_id}/proof"): (None, 400),
    ("get", "orders"): (frozenset({"read"}), 200),
    ("get", "orders/{order_id}"): (frozenset({"read"}), 404),
    ("get", "orders/by-client-id/{client_order_id}"): (frozenset({"read"}), 404),
    ("get", "orders/{order_id}/events"): (frozenset({"read"}), 404),
    ("get", "fills"): (frozenset({"read"}), 200),
    ("get", "fills/{fill_id}"): (frozenset({"read"}), 404),
    ("get", "fills/{fill_id}/lineage"): (frozenset({"read"}), 404),
    ("get", "fills/{fill_id}/receipt"): (frozenset({"read"}), 404),
    ("get", "balances"): (frozenset({"read"}), 200),
    ("get", "positions"): (frozenset({"read"}), 200),
    ("get", "ledger"): (frozenset({"read"}), 200),
    ("get", "limits"): (frozenset({"read"}), 200),
    ("get", "fees/mine"): (frozenset({"read"}), 200),
    ("get", "approvals"): (frozenset({"read"}), 200),
    ("post", "approvals/{approval_id}/decide"): (frozenset({"trade"}), 400),
    ("get", "policies"): (frozenset({"read"}), 200),
    ("post", "policies"): (frozenset({"trade"}), 400),
    ("get", "policies/{policy_id}"): (frozenset({"read"}), 404),
    ("patch", "policies/{policy_id}"): (frozenset({"trade"}), 404),
    ("delete", "policies/{policy_id}"): (frozenset({"trade"}), 404),
    ("get", "policies/{policy_id}/runs"): (frozenset({"read"}), 404),
    ("post", "policies/{policy_id}/runs"): (frozenset({"trade"}), 404),
    ("get", "keys"): (frozenset({"read"}), 200),
    ("post", "keys"): (ANY, 400),
    ("delete", "keys/{key_id}"): (ANY, 403),  # a key ends only itself
    ("get", "rights"): (frozenset({"read"}), 200),
    ("post", "rights"): (frozenset({"issue"}), 400),
    ("get", "rights/{right_id}"): (frozenset({"read"}), 404),
    ("get", "rights/{right_id}/eligibility"): (frozenset({"read"}), 404),
    ("get", "rights/{right_id}/lineage"): (frozenset({"read"}), 404),
    ("post", "rights/{right_id}/activate"): (frozenset({"issue"}), 404),
    ("post", "rights/{right_id}/split"): (frozenset({"transfer", "issue"}), 400),
    ("post", "rights/{right_id}/freeze"): (frozenset({"operate", "issue"}), 400),
    ("post", "rights/{right_id}/unfreeze"): (frozenset({"operate", "issue"}), 400),
    ("get", "manifest-schema"): (None, 200),
    ("get", "manifest-examples"): (None, 200),
    ("post", "rights/{right_id}/merge"): (frozenset({"transfer", "issue"}), 400),
    ("post", "rights/{right_id}/amend"): (frozenset({"issue", "operate"}), 400),
    ("post", "rights/{right_id}/finalize"): (frozenset({"operate"}), 400),
    ("post", "rights/{right_id}/burn"): (frozenset({"operate"}), 400),
    ("post", "rights/{right_id}/replace"): (frozenset({"issue", "operate"}), 400),
    ("get", "packages"): (frozenset({"read"}), 200),
    ("post", "packages"): (frozenset({"transfer"}), 400),
    ("get", "packages/{package_id}"): (frozenset({"read"}), 404),
    ("post", "packages/{package_id}/amend"): (frozenset({"transfer"}), 400),
    ("post", "packages/{package_id}/split"): (frozenset({"transfer"}), 400),
    ("post", "packages/{package_id}/transfer"): (frozenset({"transfer"}), 400),
    ("post", "packages/{package_id}/finalize"): (frozenset({"transfer"}), 400),
    ("get", "delegations"): (frozenset({"read"}), 200),
    ("post", "delegations"): (frozenset({"transfer"}), 400),
    ("get", "delegations/{delegation_id}"): (frozenset({"read"}), 404),
    ("delete", "delegations/{delegation_id}"): (frozenset({"transfer"}), 404),
    ("get", "block-offers"): (frozenset({"read"}), 200),
    ("post", "block-offers"): (frozenset({"trade"}), 400),
    ("get", "block-offers/{offer_id}"): (frozenset({"read"}), 404),
    ("delete", "block-offers/{offer_id}"): (frozenset({"trade"}), 404),
    ("post", "block-offers/{offer_id}/accept"): (frozenset({"trade"}), 404),
    ("get", "roles"): (frozenset({"read"}), 200),
    ("post", "roles"): (frozenset({"operate"}), 400),
    ("post", "roles/{role_id}/revoke"): (frozenset({"operate"}), 400),
    ("post", "rights/{right_id}/transfer"): (frozenset({"transfer"}), 400),
    ("get", "consents"): (frozenset({"read", "consent"}), 200),
    ("post", "consents"): (frozenset({"transfer"}), 400),
    ("get", "consents/{consent_id}"): (frozenset({"read", "consent"}), 404),
    ("post", "consents/{consent_id}/approve"): (frozenset({"consent", "operate"}), 404),
    ("post", "consents/{consent_id}/deny"): (frozenset({"consent", "operate"}), 400),
    ("post", "consents/{consent_id}/revoke"): (frozenset({"consent", "operate", "transfer"}), 400),
    ("put", "standing-consents"): (frozenset({"consent", "operate"}), 400),
    ("get", "attestations"): (frozenset({"read"}), 200),
    ("post", "attestations"): (frozenset({"operate"}), 400),
    ("post", "attestations/{attestation_id}/revoke"): (frozenset({"operate"}), 400),
    ("post", "transfer-checks"): (frozenset({"read"}), 400),
    ("post", "orders"): (frozenset({"trade"}), 400),
    ("post", "orders/batch"): (TRADING, 400),
    ("post", "orders/preview"): (frozenset({"trade"}), 400),
    ("patch", "orders/{order_id}"): (frozenset({"trade"}), 404),
    ("patch", "orders/by-client-id/{client_order_id}"): (frozenset({"trade"}), 404),
    ("delete", "orders/{order_id}"): (frozenset({"cancel"}), 404),
    ("delete", "orders/by-client-id/{client_order_id}"): (frozenset({"cancel"}), 404),
    ("delete", "orders"): (frozenset({"cancel"}), 200),
}
SUSPENDED = frozenset({"read", "cancel", "audit"})
# role → its scopes; None: no valid identity at all.
ROLES: dict[str, frozenset[str] | None] = {
    NOBODY: None,
    "garbled": None,
    "revoked": None,
    "expired": None,
    "unscoped": frozenset(),
    "suspended": SUSPENDED,
    **{scope: frozenset({scope}) for scope in SCOPES},
}
_MAKE_KEYS = """
import json
from exchange.models.access import SCOPES
from exchange.services import keys
from exchange.services.participants import NewAccount, open_participant, suspend
from rights.kernel.clock import now_us
from rights.kernel.ids import Mint
mint, now = Mint(), now_us()
def account(slug):
    return open_participant(slug=slug, name=slug, account=NewAccount(slug), mint=mint, actor="test", now_us=now).accounts.get()
def key(owner, scopes, expires_us=None):
    return keys.create(account_id=owner.pk, scopes=scopes, label="", expires_us=expires_us, now_us=now)
member, barred = account("matrix"), account("barred")
made = {scope: key(member, [scope]).token for scope in SCOPES}
made["unscoped"] = key(member, []).token
made["suspended"] = key(barred, SCOPES).token
suspend(participant=barred.participant, reason="test", actor="test", now_us=now)
made["expired"] = key(member, SCOPES, now - 1).token
ended = key(member, SCOPES)
keys.revoke(account_id=member.pk, key_uuid=str(ended.key.uuid), now_us=now)
made["revoked"] = ended.token
made["garbled"] = key(member, SCOPES).token[:-1] + "!"
print("KEYS " + json.dumps(made))
"""
_STATE = """
SELECT (SELECT count(*) FROM exchange_command WHERE account_id IS NOT NULL), (SELECT count(*) FROM exchange_order), (SELECT count(*) FROM rights_right),
       (SELECT count(*) FROM rights_event WHERE type LIKE 'right.%'), (SELECT count(*) FROM settlement_posting), (SELECT count(*) FROM exchange_idempotencykey),
       (SELECT md5(string_agg(k::text, '|' ORDER BY id)) FROM exchange_apikey k)
"""


@pytest.fixture(scope="module")
def tokens(live_exchange):
    printed = live_exchange.manage("shell", "-v", "0", "-c", _MAKE_KEYS).stdout
    return json.loads(next(line for line in printed.splitlines() if line.startswith("KEYS "))[5:])


def test_every_route_has_a_row():
    described = {
        (method, path.removeprefix("/api/v1/")) for path, operations in openapi.document()["paths"].items() for method in operations
    }
    assert described == set(ROWS)


@pytest.mark.parametrize("role", ROLES)
def test_role(live_exchange, tokens, role):
    headers = {} if role == NOBODY else {"Authorization": f"Bearer {tokens[role]}"}
    with (
        psycopg.connect(live_exchange.env["DATABASE_URL"]) as database,
        httpx.Client(base_url=live_exchange.base_url, timeout=30) as client,
    ):
        before = database.execute(_STATE).fetchone()
        wrong = []
        for (method, route), (allowed, status) in ROWS.items():
            body = {"json": {}} if method in {"post", "patch", "put"} else {}
            answer = client.request(method, f"/api/v1/{route.format(**PARAMETERS)}", headers=headers, **body)
            expected = _expected(role, route, allowed, status)
            if answer.status_code != expected[0] or (expected[1] and answer.json()["code"] != expected[1]):
                wrong.append((method, route, answer.status_code, expected))
        assert not wrong
        database.rollback()
        assert database.execute(_STATE).fetchone() == before


def _expected(role: str, route: str, allowed: frozenset[str] | None, status: int) -> tuple[int, str]:
    scopes = ROLES[role]
    if allowed is None and (role == NOBODY or scopes is not None or route in {"status", "schema"}):
        return status, ""
    if scopes is None:
        return 401, "unauthenticated"
    return (status, "") if allowed and allowed & scopes else (403, "scope_missing")
