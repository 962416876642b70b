"""Callers of every kind on a running exchange, and things that are really there for them to name."""

import json
import random
import re
import secrets
import time
import uuid
from typing import Any

import requests

from exchange.domain.signed_request import signed_request
from exchange.management.node.key_file import NodeKey
from rights.domain.manifest import SCHEMA
from tests.plugins.live import LiveExchange

PASSWORD = "a password of the tests"
_MAKE_KEYS = """
import json
from exchange.demo.parties import account_of
from exchange.models.access import SCOPES
from exchange.services import keys
from exchange.services.keys import KeyLimits
from rights.kernel.clock import now_us
wanted = {"buyer": SCOPES, "seller": SCOPES, "issuer": SCOPES, "operator": ["read", "operate", "audit", "clearing"], "auditor": ["read", "audit"]}
made = {}
for slug, scopes in wanted.items():
    many = [keys.create(account_id=account_of(slug).pk, scopes=scopes, label=slug, expires_us=None, now_us=now_us()) for _ in range(6)]
    made[slug] = {"scopes": list(scopes), "token": many[0].token, "spare": [f"key_{new.key.uuid}" for new in many[1:]], "account": f"acc_{account_of(slug).uuid}"}
buyer, limits = account_of("buyer"), KeyLimits(approval_above_minor=1)
asks = keys.create(account_id=buyer.pk, scopes=["read", "trade"], label="asks", expires_us=None, limits=limits, now_us=now_us())
print("KEYS " + json.dumps([made, asks.token]))
"""


class Signature(requests.auth.AuthBase):
    """Signs each request as it is sent."""

    def __init__(self, key: NodeKey) -> None:
        self.key = key

    def __call__(self, sent: requests.PreparedRequest) -> requests.PreparedRequest:
        body = sent.body or b""
        raw = body.encode() if isinstance(body, str) else body
        timestamp, nonce = str(time.time_ns() // 1_000_000), secrets.token_urlsafe(12)
        said = signed_request(timestamp=timestamp, nonce=nonce, method=str(sent.method), target=sent.path_url, body=raw)
        sent.headers.update({"X-Key": self.key.node_id, "X-Timestamp": timestamp, "X-Nonce": nonce, "X-Signature": self.key.sign(said)})
        return sent


class Role:
    """Somebody who calls. `known` holds by parameter's name what is there for this role; `scopes` None: not recognised."""

    def __init__(self, name: str, base_url: str, scopes: frozenset[str] | None, headers: dict[str, str], account: str = "") -> None:
        self.name, self.scopes, self.headers, self.account = name, scopes, headers, account
        self.base_url = base_url
        self.session = requests.Session()
        self.known: dict[str, list[str]] = {}
        self.manifests: list[dict[str, Any]] = []

    def get(self, path: str, **query: str) -> Any:
        answer = self.session.get(f"{self.base_url}/api/v1/{path}", params=query, headers=self.headers, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any) -> Any:
        answer = self.session.post(f"{self.base_url}/api/v1/{path}", json=body, headers=self.headers, timeout=30)
        assert answer.status_code < 300, (path, body, answer.text)
        return answer.json()

    def refused(self, path: str, body: Any, code: str) -> None:
        answer = self.session.post(f"{self.base_url}/api/v1/{path}", json=body, headers=self.headers, timeout=30)
        assert answer.json()["code"] == code, answer.text

    def order(self, **body: str) -> dict[str, Any]:
        answer = self.session.post(f"{self.base_url}/api/v1/orders", json=body, headers=self.headers, timeout=30)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def fresh_order(self) -> dict[str, list[str]]:
        """An order that surely rests, as what is known of it."""
        cid = uuid.uuid4().hex
        placed = self.order(instrument=self.known["resting in"][0], side="buy", quantity="1", price="1.000", client_order_id=cid)
        return {"order_id": [placed["id"]], "client_order_id": [cid]}


class Cast:
    """The roles of one exchange with the demo's participants."""

    def __init__(self, venue: LiveExchange) -> None:
        self.venue = venue
        self.asleep: list[str] = []
        venue.manage("seed_demo", "--password", PASSWORD)
        printed = venue.manage("shell", "-v", "0", "-c", _MAKE_KEYS).stdout
        made, asks = json.loads(next(line for line in printed.splitlines() if line.startswith("KEYS "))[5:])
        self.roles = {
            slug: Role(slug, venue.base_url, frozenset(key["scopes"]), {"Authorization": f"Bearer {key['token']}"}, key["account"])
            for slug, key in made.items()
        }
        self.roles["member"] = _log_in(venue.base_url, "issuer", self.roles["issuer"])
        # Not one of those who are drawn: whatever it orders waits for the buyer's word.
        self.bounded = Role("bounded", venue.base_url, frozenset({"read", "trade"}), {"Authorization": f"Bearer {asks}"})
        self.roles["nobody"] = Role("nobody", venue.base_url, None, {})
        self.roles["forged"] = Role("forged", venue.base_url, None, {"Authorization": f"Bearer {made['buyer']['token'][:-1]}!"})
        self._trade()
        for slug, role in self.roles.items():
            # A key ends only itself, so other keys are for the member.
            self._learn(role, made["issuer"]["spare"] if slug == "member" else [])
        self.roles["node"] = self._node()
        self._issue(self.roles["issuer"])
        listed = self.roles["issuer"].get("instruments", limit="1000")["data"]
        self.roles["issuer"].known["class of text"] = [row["class"]["key"] for row in listed if row["symbol"].startswith("TXT")]

    def log_in(self, slug: str) -> Role:
        """A member of that participant, in a browser."""
        return _log_in(self.venue.base_url, slug, self.roles[slug])

    def of(self, wanted: frozenset[str], chance: random.Random) -> Role:
        """Mostly somebody who may, now and then anybody."""
        everybody = list(self.roles.values())
        may = [role for role in everybody if role.scopes is not None and (not wanted or wanted & role.scopes)]
        return chance.choice(may if chance.random() < 0.8 else everybody)

    def named(self, path: str, role: Role) -> str:
        """A route's path with things in it that are there, where there are any."""
        return re.sub(r"\{(\w+)\}", lambda name: (role.known.get(name[1]) or ["none"])[0], path)

    def _node(self) -> Role:
        """A node of a supplier of the seller's, which signs what it asks."""
        seller, key = self.roles["seller"], NodeKey(secrets.token_hex(32))
        supplier = seller.post("suppliers", {"slug": "cast-nodes", "name": "Nodes", "region": "US-EAST"})
        made = seller.post(f"suppliers/{supplier['id']}/nodes", {"name": "of the cast", "public_key": key.public_key})
        key.node_id = made["id"]
        role = Role("node", self.venue.base_url, frozenset({"node"}), {})
        role.session.auth = Signature(key)
        role.known |= {"supplier_id": [supplier["id"]], "node_id": [key.node_id]}
        return role

    def _issue(self, issuer: Role) -> None:
        """Rights that sleep, so that they can be activated."""
        for manifest in issuer.manifests[:8]:
            body = {"manifest": manifest | {"resource": manifest["resource"] | {"amount": "1000000"}}, "activate": False}
            answer = issuer.session.post(f"{issuer.base_url}/api/v1/rights", json=body, headers=issuer.headers, timeout=30)
            if answer.status_code == 201:
                self.asleep.append(answer.json()["id"])
        assert self.asleep, "nothing could be issued"

    def _trade(self) -> None:
        """Resting orders, fills and rights for buyer and seller."""
        buyer, seller = self.roles["buyer"], self.roles["seller"]
        listed = buyer.get("instruments", phase="continuous", limit="1000")["data"]
        symbol = max(row["symbol"] for row in listed if row["symbol"].startswith("TXT"))
        for role in self.roles.values():
            role.known["resting in"] = [symbol]
        for number in range(3):
            price = f"1.90{number}"
            seller.order(instrument=symbol, side="sell", quantity="2", price=price)
            buyer.order(instrument=symbol, side="buy", quantity="1", price=price, client_order_id=f"cast-{number}")
        for number in range(10):
            price = f"1.00{number}"
            buyer.order(instrument=symbol, side="buy", quantity="3", price=price, client_order_id=f"cast:{number}", group="cast")
            seller.order(instrument=symbol, side="sell", quantity="3", price=f"2.50{number}", client_order_id=f"cast:{number}")

    def _learn(self, role: Role, spare: list[str]) -> None:
        instruments = (
            role.get("instruments", limit="1000")["data"] if role.scopes else self.roles["buyer"].get("instruments", limit="1000")["data"]
        )
        role.known |= {
            "symbol": [row["symbol"] for row in instruments],
            "key": [row["class"]["key"] for row in instruments],
            "key_id": spare,
        }
        role.known["account"] = [other.account for other in self.roles.values() if other.account]
        if not role.scopes or "read" not in role.scopes:
            return
        orders, rights = role.get("orders", status="live")["data"], role.get("rights", limit="40")["data"]
        role.known |= {
            "order_id": [order["id"] for order in orders],
            "client_order_id": [order["client_order_id"] for order in orders if order["client_order_id"]],
            "fill_id": [fill["id"] for fill in role.get("fills")["data"]],
            "right_id": [right["id"] for right in rights],
            "assurance_id": [right["assurance_id"] for right in rights],
        }
        role.manifests = [{name: right[name] for name in SCHEMA["properties"] if name in right} for right in rights]
        for path in ("orders", "fills", "ledger", "positions", "keys", "rights", "instruments", "classes", "calendar", "fees", "tickers"):
            following = role.get(path, limit="1")["next_cursor"]
            if following:
                role.known[f"{path} cursor"] = [following]


def _log_in(base_url: str, slug: str, same: Role) -> Role:
    """The member of a participant, as a browser."""
    role = Role("member", base_url, same.scopes, {}, same.account)
    form = role.session.get(f"{base_url}/login", timeout=30).text
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
    assert found is not None
    body = {"username": slug, "password": PASSWORD, "csrfmiddlewaretoken": found[1]}
    answer = role.session.post(f"{base_url}/login", data=body, timeout=30, allow_redirects=False)
    assert answer.status_code == 302, answer.text[:300]
    role.headers = {"X-CSRFToken": role.session.cookies["csrftoken"]}
    role.scopes = frozenset({"read", "trade", "cancel", "quote", "transfer", "redeem", "consent", "issue"})
    return role
