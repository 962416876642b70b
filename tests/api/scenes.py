"""For operations that act on things which nobody can draw by chance: a request that is right, made of things that are there for it.

Each scene makes anew what it needs, so that it can be played any number of times.
"""

import itertools
import secrets
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from exchange.management.node.client import Done, signed_result
from exchange.management.node.key_file import NodeKey
from rights.domain.signing import Signer
from settlement.domain.receipt_body import signed_bytes
from tests.api.cast import Cast, Role, Signature
from tests.plugins.live import wait_until

_AXES = {
    "workload": "text.generation", "quality_band": "standard", "latency_band": "interactive", "privacy_mode": "private-cluster",
    "environment": "dedicated-cluster", "availability": "reserved", "unit": "tokens",
}  # fmt: skip
_COLLAR = {"low": "0.100", "high": "10.000"}
_WHY = {"reason": "a scene"}
_FREEZE = {"freeze_reason": "governance", **_WHY}
_SIGNER = Signer("22" * 32)
_POLICY = {"proof_profile": "basic", "dispute_window_seconds": 3600}
UNITS = "1000000"  # the least that the demo's terms let move


class Scene(msgspec.Struct, frozen=True):
    """Who asks, with what in the path and the query, and the body, if there is one."""

    role: Role
    path: dict[str, str] = {}
    body: dict[str, Any] | None = None
    query: dict[str, str] = {}


class Scenes:
    """Everything a scene needs is asked of the exchange itself."""

    def __init__(self, cast: Cast) -> None:
        roles = cast.roles
        self._buyer, self._seller, self._issuer, self._operator = (roles[name] for name in ("buyer", "seller", "issuer", "operator"))
        self._second, self._owner, self._bounded = cast.log_in("operator"), cast.log_in("buyer"), cast.bounded
        self._count = itertools.count(1)
        self._in_use = self._worker = self._by_nodes = ""
        self._node = roles["node"]
        self._manifest = next(m for m in self._issuer.manifests if m["resource"]["type"] == "text_inference")
        held = self._seller.get("rights", holder="me", status="active", limit="1000")["data"]
        self._right = max(held, key=lambda right: int(right["remaining_amount"]) - int(right["reserved_amount"]))
        cast.venue.manage("anchor")

    def of(self, label: str) -> Scene | None:
        """The scene of an operation, such as `POST /api/v1/packages`."""
        method, _, path = label.partition(" /api/v1/")
        found = _SCENES.get(f"{method} {path}")
        return found(self) if found else None

    # What scenes are made of.

    def _post(self, role: Role, path: str, body: dict[str, Any]) -> Any:
        return role.post(path, body)

    def _part(self, lots: int = 1) -> dict[str, str]:
        return {"right_id": self._right["id"], "units": str(lots * int(UNITS))}

    def _packed(self, lots: int = 1) -> dict[str, str]:
        body = {"type": "bundle", "label": "of a scene", "parts": [self._part(lots)]}
        return {"package_id": self._post(self._seller, "packages", body)["id"]}

    def _delegation(self) -> dict[str, Any]:
        window = self._right["window"]
        bounds = {"max_units": UNITS, "valid_from": window["start"], "valid_until": window["end"]}
        return {"right_id": self._right["id"], "delegate": self._buyer.account, **bounds}

    def _delegated(self) -> dict[str, str]:
        return {"delegation_id": self._post(self._seller, "delegations", self._delegation())["id"]}

    def _offer(self) -> dict[str, Any]:
        expires = datetime.now(UTC) + timedelta(minutes=10)
        return {**self._packed(), "price": "1", "expires_at": expires.strftime("%Y-%m-%dT%H:%M:%SZ")}

    def _offered(self) -> dict[str, str]:
        return {"offer_id": self._post(self._seller, "block-offers", self._offer())["id"]}

    def _issued(self, *, activate: bool = True, **changes: Any) -> dict[str, Any]:
        manifest = {**self._manifest, "resource": {**self._manifest["resource"], "amount": UNITS}, **changes}
        return self._post(self._issuer, "rights", {"manifest": manifest, "holder": "me", "activate": activate})

    def _own(self, *, activate: bool = True) -> dict[str, str]:
        return {"right_id": self._issued(activate=activate)["id"]}

    def _paused(self) -> dict[str, str]:
        own = self._own()
        self._post(self._operator, f"rights/{own['right_id']}/freeze", _FREEZE)
        return own

    def _split(self) -> str:
        return str(self._post(self._seller, f"rights/{self._right['id']}/split", {"units": UNITS})["child"]["id"])

    def _terms(self, **changes: Any) -> dict[str, Any]:
        return {**self._manifest, "resource": {**self._manifest["resource"], "amount": UNITS}, **changes}

    def _wish_for_consent(self) -> dict[str, Any]:
        policy = {**self._manifest["transfer_policy"], "requires_issuer_consent": True}
        return {"right_id": self._issued(transfer_policy=policy)["id"], "taker": self._buyer.account, "units": UNITS}

    def _asked(self) -> dict[str, str]:
        return {"consent_id": self._post(self._issuer, "consents", self._wish_for_consent())["id"]}

    def _waiting_for_a_word(self) -> dict[str, str]:
        """What the answer to an order above the threshold names."""
        order = {"instrument": self._buyer.known["resting in"][0], "side": "buy", "quantity": "1", "price": "1.000"}
        self._bounded.refused("orders", order, "approval_needed")
        return {"approval_id": self._bounded.get("approvals", state="pending")["data"][0]["id"]}

    def _attestation(self) -> dict[str, Any]:
        return {"holder": self._buyer.account, "kind": f"word-{next(self._count)}", "evidence": "a scene"}

    def _attested(self) -> dict[str, str]:
        return {"attestation_id": self._post(self._operator, "attestations", self._attestation())["id"]}

    def _role(self) -> dict[str, Any]:
        """One that nobody has yet."""
        for row in self._operator.get("roles", participant="buyer", limit="1000")["data"]:
            if row["role"] == "burner" and row["revoked_at"] is None:
                self._post(self._operator, f"roles/{row['id']}/revoke", _WHY)
        return {"participant": "buyer", "role": "burner", **_WHY}

    def _granted(self) -> dict[str, str]:
        return {"role_id": self._post(self._operator, "roles", self._role())["id"]}

    def _supplier(self) -> dict[str, Any]:
        return {"slug": f"scene-{next(self._count)}", "name": "Of a scene", "region": "US-EAST"}

    def _registered(self, **said: str) -> dict[str, str]:
        return {"supplier_id": self._post(self._seller, "suppliers", {**self._supplier(), **said})["id"]}

    def _suspended(self) -> dict[str, str]:
        registered = self._registered()
        self._post(self._operator, f"suppliers/{registered['supplier_id']}/suspend", _WHY)
        return registered

    def _able(self, **said: str) -> dict[str, str]:
        registered = self._registered(**said)
        made = self._post(self._seller, f"suppliers/{registered['supplier_id']}/capabilities", _AXES)
        return {**registered, "capability_id": made["id"]}

    def _endpoint(self, able: dict[str, str]) -> dict[str, Any]:
        return {
            "capability_id": able["capability_id"],
            "adapter": "openai",
            "base_url": "https://supplier.example/v1",
            "secret": "sk-scene",
        }

    def _reachable(self) -> dict[str, str]:
        able = self._able()
        made = self._post(self._seller, f"suppliers/{able['supplier_id']}/endpoints", self._endpoint(able))
        return {"supplier_id": able["supplier_id"], "endpoint_id": made["id"]}

    def _new_endpoint(self) -> Scene:
        able = self._able()
        return Scene(self._seller, {"supplier_id": able["supplier_id"]}, self._endpoint(able))

    def _window(self) -> dict[str, str]:
        """A day that nobody else has."""
        start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=20 + next(self._count))
        return {"start": start.strftime("%Y-%m-%dT%H:%M:%SZ"), "end": (start + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")}

    def _posting(self, window: dict[str, str]) -> dict[str, Any]:
        return {"window": window, "units": "1000000000", "issuers": ["issuer"]}

    def _assurance(self, window: dict[str, str]) -> dict[str, Any]:
        able = self._able()
        self._post(self._seller, f"suppliers/{able['supplier_id']}/capabilities/{able['capability_id']}/capacity", self._posting(window))
        terms = self._terms(window={**self._manifest["window"], **window}, assurance=self._named(window))
        return {"terms": terms, "gross_units": "1000000000", "sources": [{"capability_id": able["capability_id"], "units": "1000000000"}]}

    def _named(self, window: dict[str, str]) -> dict[str, Any]:
        return {**self._manifest["assurance"], "reference": f"scene:{window['start']}"}

    def _listing(self) -> dict[str, Any]:
        """Of a series that no book has, with a right in it."""
        window = self._window()
        self._post(self._issuer, "assurances", self._assurance(window))
        self._issued(window={**self._manifest["window"], **window}, assurance=self._named(window))
        key = self._issuer.known["class of text"][0]
        return {"class": key, "window": window, "tick_size": "0.001", "collar": _COLLAR}

    def _submitted(self) -> dict[str, str]:
        return {"listing_id": self._post(self._issuer, "listings", self._listing())["id"]}

    def _reviewed(self) -> dict[str, str]:
        submitted = self._submitted()
        self._post(self._seller, f"listings/{submitted['listing_id']}/review", _WHY)
        return submitted

    def _policy(self) -> dict[str, Any]:
        key = self._issuer.known["class of text"][0]
        return {"kind": "rebalancer", "rules": {"class": key, "coverage": {"max_price": "1", "horizon_s": 0}}}

    def _standing(self) -> dict[str, str]:
        return {"policy_id": self._post(self._seller, "policies", self._policy())["id"]}

    def _usable(self) -> dict[str, Any]:
        """A right in its window, and somebody who can be called for it; one is enough for all scenes."""
        if not self._in_use:
            able = self._able(public_key=b64encode(bytes.fromhex(_SIGNER.public_key)).decode())
            self._worker = able["supplier_id"]
            self._in_use = self._served(able, self._endpoint(able), "scene:used", settlement_policy=_POLICY)
        return self._use(self._in_use)

    def _use(self, right_id: str) -> dict[str, Any]:
        return {"workload": "text.generation", "operation": "chat.completions", "units": "1", "rights": [{"right_id": right_id}]}

    def _served(self, able: dict[str, str], endpoint: dict[str, Any], reference: str, **terms: Any) -> str:
        """A right of today that this capability stands behind."""
        self._post(self._seller, f"suppliers/{able['supplier_id']}/endpoints", endpoint)
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        window = {name: (today + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ") for name, days in (("start", 0), ("end", 2))}
        place = f"suppliers/{able['supplier_id']}/capabilities/{able['capability_id']}/capacity"
        self._post(self._seller, place, self._posting(window))
        assurance = {**self._manifest["assurance"], "reference": reference}
        changed = {"window": {**self._manifest["window"], **window}, "assurance": assurance, **terms}
        sources = [{"capability_id": able["capability_id"], "units": "1000000000"}]
        self._post(self._issuer, "assurances", {"terms": self._terms(**changed), "gross_units": "1000000000", "sources": sources})
        return str(self._issued(**changed)["id"])

    def _fresh_node(self) -> dict[str, Any]:
        return {"name": "of a scene", "public_key": NodeKey(secrets.token_hex(32)).public_key}

    def _noded(self) -> dict[str, str]:
        registered = self._registered()
        made = self._post(self._seller, f"suppliers/{registered['supplier_id']}/nodes", self._fresh_node())
        return {"node_id": made["id"]}

    def _offered_to_nodes(self) -> None:
        """A request that the executor is rung for, and hands over to nodes."""
        if not self._by_nodes:
            supplier = {"supplier_id": self._node.known["supplier_id"][0]}
            made = self._post(self._seller, f"suppliers/{supplier['supplier_id']}/capabilities", _AXES)
            able = {**supplier, "capability_id": made["id"]}
            endpoint = {"capability_id": made["id"], "adapter": "node-network"}
            self._by_nodes = self._served(able, endpoint, "scene:nodes")
        wish = {**self._use(self._by_nodes), "payload": '{"messages": []}', "route": "auto", "delivery": "async"}
        self._post(self._issuer, "requests", wish)

    def _leased(self) -> dict[str, str]:
        self._offered_to_nodes()
        found: list[dict[str, Any]] = []

        def lease() -> bool:
            found[:] = self._post(self._node, "nodes/lease", {"max_jobs": 1})["data"]
            return bool(found)

        wait_until(lease, 60.0, "a job for a node")
        return {"job_id": found[0]["job_id"]}

    def _result(self, job_id: str) -> dict[str, Any]:
        signature = self._node.session.auth
        assert isinstance(signature, Signature)
        done = signed_result(signature.key, job_id, Done("x", 1))
        return {name: value for name, value in done.items() if name != "job_id"}

    def _finished(self) -> Scene:
        leased = self._leased()
        return Scene(self._node, leased, self._result(leased["job_id"]))

    def _all_finished(self) -> Scene:
        leased = self._leased()
        return Scene(self._node, {}, {"results": [{**leased, **self._result(leased["job_id"])}]})

    def _wish(self) -> dict[str, Any]:
        """What its caller executes himself, so that it stays as the scene leaves it."""
        return {**self._usable(), "payload_hash": "0" * 64, "route": "manual"}

    def _wished(self) -> dict[str, str]:
        return {"request_id": self._post(self._issuer, "requests", self._wish())["id"]}

    def _matched(self) -> dict[str, str]:
        """Its payload stays with the caller, so that no worker executes it meanwhile."""
        return {"request_id": self._post(self._issuer, "requests", {**self._usable(), "payload_hash": "0" * 64})["id"]}

    def _work_done(self) -> dict[str, Any]:
        """A supplier's receipt of a request whose work never left it."""
        wish = {**self._usable(), "payload_hash": "0" * 64, "route": "auto"}
        made = self._post(self._issuer, "requests", wish)
        route = next(route["id"] for route in made["routes"] if route["state"] == "locked")
        leg = {"route_id": route, "delivered_units": "1", "output_ref": "kept"}
        done = {"request_id": made["id"], "status": "completed", "completed_at": made["created_at"], "legs": [leg]}
        proofs = [
            {"type": "usage-meter", "reference": "meter", "content_hash": "1" * 64, "units": "1"},
            {"type": "completion-record", "reference": "log", "content_hash": "2" * 64},
        ]
        signature = _SIGNER.sign(signed_bytes(receipt=done, proofs=proofs))
        signed = b64encode(bytes.fromhex(signature)).decode()
        return {"supplier_id": self._worker, "receipt": done, "proofs": proofs, "signature": signed}

    def _settled(self) -> dict[str, str]:
        return {"settlement_id": self._post(self._seller, "receipts", self._work_done())["id"]}

    def _done(self) -> dict[str, str]:
        return {"request_id": self._post(self._seller, "receipts", self._work_done())["request_id"]}

    def _disputed(self) -> dict[str, str]:
        place = f"settlements/{self._settled()['settlement_id']}/disputes"
        return {"dispute_id": self._post(self._issuer, place, {"claim": "a scene"})["id"]}

    def _assigned(self) -> dict[str, str]:
        disputed = self._disputed()
        self._post(self._operator, f"disputes/{disputed['dispute_id']}/assign", {"reviewer": "operator"})
        return disputed

    def _some_assurance(self) -> dict[str, str]:
        return {"assurance_id": self._issuer.get("assurances", limit="1")["data"][0]["id"]}

    def _event(self) -> str:
        return str(self._seller.get("events", object="seller", limit="1")["data"][0]["id"])

    def _covering(self, event: str) -> dict[str, str]:
        return {"anchor_id": self._seller.get("anchors", event=event)["data"][0]["id"]}

    def _proof(self) -> Scene:
        event = self._event()
        return Scene(self._seller, self._covering(event), query={"event": event})

    def _fill(self) -> dict[str, str]:
        return {"fill_id": self._buyer.known["fill_id"][0]}


def _by(name: str, path: str = "", body: str | dict[str, Any] | None = None) -> Callable[[Scenes], Scene]:
    """A scene of a role: its path's and its body's makers by name, or the body itself."""

    def make(scenes: Scenes) -> Scene:
        role = getattr(scenes, f"_{name}")
        values = getattr(scenes, f"_{path}")() if path else {}
        return Scene(role, values, getattr(scenes, f"_{body}")() if isinstance(body, str) else body)

    return make


_LABELLED = {"label": "of a scene"}
_SCENES: dict[str, Callable[[Scenes], Scene]] = {
    "POST packages": lambda s: Scene(s._seller, {}, {"type": "bundle", **_LABELLED, "parts": [s._part()]}),
    "GET packages/{package_id}": _by("seller", "packed"),
    "POST packages/{package_id}/amend": lambda s: Scene(s._seller, s._packed(), {"label": "another", "parts": [s._part(2)]}),
    "POST packages/{package_id}/split": lambda s: Scene(s._seller, s._packed(2), {**_LABELLED, "parts": [s._part()]}),
    "POST packages/{package_id}/transfer": lambda s: Scene(s._seller, s._packed(), {"to": s._buyer.account}),
    "POST packages/{package_id}/finalize": _by("seller", "packed", _WHY),
    "POST delegations": _by("seller", "", "delegation"),
    "GET delegations/{delegation_id}": _by("buyer", "delegated"),
    "DELETE delegations/{delegation_id}": _by("seller", "delegated"),
    "POST block-offers": _by("seller", "", "offer"),
    "GET block-offers/{offer_id}": _by("buyer", "offered"),
    "DELETE block-offers/{offer_id}": _by("seller", "offered"),
    "POST block-offers/{offer_id}/accept": _by("buyer", "offered", {}),
    "POST rights/{right_id}/transfer": lambda s: Scene(s._seller, {"right_id": s._right["id"]}, {"to": s._buyer.account, "units": UNITS}),
    "POST rights/{right_id}/merge": lambda s: Scene(s._seller, {"right_id": s._split()}, {"source_right_id": s._split()}),
    "POST rights/{right_id}/freeze": _by("operator", "own", _FREEZE),
    "POST rights/{right_id}/unfreeze": _by("operator", "paused", _WHY),
    "POST rights/{right_id}/finalize": _by("operator", "own", _WHY),
    "POST rights/{right_id}/burn": lambda s: Scene(s._operator, s._own(activate=False), _WHY),
    "POST rights/{right_id}/amend": lambda s: Scene(
        s._issuer, s._own(activate=False), {"amendment": "metadata-only", **_WHY, "manifest": s._terms(metadata={"label": "another"})}
    ),
    "POST rights": lambda s: Scene(s._issuer, {}, {"manifest": s._terms(), "holder": "me", "activate": True}),
    "POST rights/{right_id}/replace": lambda s: Scene(s._issuer, s._own(), {"manifest": s._terms(metadata={"label": "another"}), **_WHY}),
    "POST consents": _by("issuer", "", "wish_for_consent"),
    "GET consents/{consent_id}": _by("issuer", "asked"),
    "POST approvals/{approval_id}/decide": _by("owner", "waiting_for_a_word", {"decision": "grant"}),
    "POST consents/{consent_id}/approve": _by("issuer", "asked", {}),
    "POST consents/{consent_id}/deny": _by("issuer", "asked", _WHY),
    "POST consents/{consent_id}/revoke": _by("issuer", "asked", _WHY),
    "PUT standing-consents": _by("issuer", "", {"issuer_id": "issuer"}),
    "POST attestations": _by("operator", "", "attestation"),
    "POST attestations/{attestation_id}/revoke": _by("operator", "attested", _WHY),
    "POST roles": _by("operator", "", "role"),
    "POST roles/{role_id}/revoke": _by("operator", "granted", _WHY),
    "POST suppliers": _by("seller", "", "supplier"),
    "GET suppliers/{supplier_id}": _by("buyer", "registered"),
    "PATCH suppliers/{supplier_id}": _by("seller", "registered", {"name": "Another name"}),
    "POST suppliers/{supplier_id}/assess": _by("operator", "registered", {"trust_bps": 5000, **_WHY}),
    "POST suppliers/{supplier_id}/suspend": _by("operator", "registered", _WHY),
    "POST suppliers/{supplier_id}/reinstate": _by("operator", "suspended", _WHY),
    "GET suppliers/{supplier_id}/capabilities": _by("buyer", "registered"),
    "POST suppliers/{supplier_id}/capabilities": _by("seller", "registered", _AXES),
    "GET suppliers/{supplier_id}/capabilities/{capability_id}": _by("buyer", "able"),
    "DELETE suppliers/{supplier_id}/capabilities/{capability_id}": _by("seller", "able"),
    "POST suppliers/{supplier_id}/capabilities/{capability_id}/measure": _by("operator", "able", {"reliability_bps": 9000, **_WHY}),
    "GET suppliers/{supplier_id}/capabilities/{capability_id}/capacity": _by("buyer", "able"),
    "POST suppliers/{supplier_id}/capabilities/{capability_id}/capacity": lambda s: Scene(s._seller, s._able(), s._posting(s._window())),
    "GET suppliers/{supplier_id}/endpoints": _by("seller", "reachable"),
    "POST suppliers/{supplier_id}/endpoints": Scenes._new_endpoint,
    "GET suppliers/{supplier_id}/endpoints/{endpoint_id}": _by("operator", "reachable"),
    "PATCH suppliers/{supplier_id}/endpoints/{endpoint_id}": _by("seller", "reachable", {"status": "paused"}),
    "GET suppliers/{supplier_id}/nodes": _by("seller", "registered"),
    "POST suppliers/{supplier_id}/nodes": _by("seller", "registered", "fresh_node"),
    "GET nodes/{node_id}": _by("seller", "noded"),
    "PATCH nodes/{node_id}": _by("operator", "noded", {"status": "suspended", **_WHY}),
    "POST nodes/lease": _by("node", "", {"max_jobs": 1}),
    "POST nodes/heartbeat": lambda s: Scene(s._node, {}, {"job_ids": [s._leased()["job_id"]]}),
    "POST nodes/leases/{job_id}/heartbeat": _by("node", "leased", {}),
    "POST nodes/leases/{job_id}/fail": _by("node", "leased", {"reason": "a scene"}),
    "POST nodes/leases/{job_id}/complete": Scenes._finished,
    "POST nodes/complete": Scenes._all_finished,
    "POST assurances": lambda s: Scene(s._issuer, {}, s._assurance(s._window())),
    "GET assurances/{assurance_id}": _by("buyer", "some_assurance"),
    "PATCH assurances/{assurance_id}": _by("operator", "some_assurance", {"note": "seen in a scene"}),
    "POST listings": _by("issuer", "", "listing"),
    "GET listings/{listing_id}": _by("issuer", "submitted"),
    "POST listings/{listing_id}/withdraw": _by("issuer", "submitted", {}),
    "POST listings/{listing_id}/review": _by("operator", "submitted", _WHY),
    "POST listings/{listing_id}/approve": _by("second", "reviewed", _WHY),
    "POST listings/{listing_id}/reject": _by("operator", "submitted", _WHY),
    "POST policies": _by("seller", "", "policy"),
    "GET policies/{policy_id}": _by("seller", "standing"),
    "PATCH policies/{policy_id}": _by("seller", "standing", {"state": "paused"}),
    "DELETE policies/{policy_id}": _by("seller", "standing"),
    "GET policies/{policy_id}/runs": _by("seller", "standing"),
    "POST policies/{policy_id}/runs": _by("seller", "standing", {}),
    "POST requests": _by("issuer", "", "wish"),
    "GET requests/{request_id}": _by("issuer", "wished"),
    "GET requests/{request_id}/output": _by("issuer", "done"),
    "POST requests/{request_id}/quotes": _by("issuer", "wished", {}),
    "POST requests/{request_id}/lock": _by("issuer", "wished", {}),
    "POST requests/{request_id}/release": _by("issuer", "matched", {}),
    "POST requests/{request_id}/cancel": _by("issuer", "wished", {}),
    "GET requests/{request_id}/receipt": _by("issuer", "done"),
    "GET requests/{request_id}/settlement": _by("issuer", "done"),
    "POST receipts": _by("seller", "", "work_done"),
    "GET settlements/{settlement_id}": _by("issuer", "settled"),
    "POST settlements/{settlement_id}/disputes": _by("issuer", "settled", {"claim": "a scene"}),
    "GET disputes/{dispute_id}": _by("issuer", "disputed"),
    "POST disputes/{dispute_id}/evidence": _by("seller", "disputed", {"text": "of a scene"}),
    "POST disputes/{dispute_id}/assign": _by("operator", "disputed", {"reviewer": "operator"}),
    "POST disputes/{dispute_id}/decide": _by("operator", "assigned", {"decision": "reject", **_WHY}),
    "GET issuers/{issuer_id}/outcomes": lambda s: Scene(s._buyer, {"issuer_id": "issuer"}),
    "GET anchors/{anchor_id}": lambda s: Scene(s._buyer, s._covering(s._event())),
    "GET anchors/{anchor_id}/proof": Scenes._proof,
    "GET events": lambda s: Scene(s._seller, query={"object": "seller"}),
    "GET events/verify": lambda s: Scene(s._buyer, query={"stream": "registry"}),
    "GET fills/{fill_id}/receipt": _by("buyer", "fill"),
    "GET fills/{fill_id}/lineage": _by("buyer", "fill"),
}
