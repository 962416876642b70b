"""A supplier with nodes and work for them, for tests of the node network."""

import base64
import hashlib
import json
import secrets
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exchange.domain.signed_request import signed_request
from rights.kernel.clock import now_us, to_datetime
from rights.models import Right, Supplier
from settlement.domain.node_results import Result, hash_of, signed_bytes
from settlement.models import Job, Node, Request, RequestPayload, Route
from settlement.services.ledger import cash_asset
from settlement.services.nodes import NewNode, register_node
from tests import asgi_client
from tests.api.conftest import held_to_its_word
from tests.registry_desk import MINT
from tests.supply_desk import SupplyDesk


class Hand:
    """A node as it is outside: its private key, and signed requests."""

    def __init__(self, node_id: str = "") -> None:
        self.private = Ed25519PrivateKey.generate()
        self.public_key = base64.b64encode(self.private.public_key().public_bytes_raw()).decode()
        self.node_id = node_id

    def headers(self, method: str, path: str, raw: bytes, **changed: str) -> dict[str, str]:
        """The four headers; `changed` ones are signed as given, but for the signature itself."""
        told = {"X-Timestamp": str(now_us() // 1000), "X-Nonce": secrets.token_urlsafe(12), **changed}
        said = signed_request(timestamp=told["X-Timestamp"], nonce=told["X-Nonce"], method=method, target=path, body=raw)
        return {"X-Key": f"nod_{self.node_id}", "X-Signature": self.sign(said), **told}

    def sign(self, data: bytes) -> str:
        return base64.b64encode(self.private.sign(data)).decode()

    def post(self, path: str, body: object = None, headers: dict[str, str] | None = None, **changed: str):
        raw = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
        target = f"/api/v1/{path}"
        sent = self.headers("POST", target, raw, **changed) if headers is None else headers
        return held_to_its_word("post", path, asgi_client.post(target, raw, sent))

    def lease(self, most: int = 1) -> list[dict[str, Any]]:
        return self.post("nodes/lease", {"max_jobs": most}).json()["data"]

    def result(self, lease: dict[str, Any], output: str = "done", units: int | None = None, **changed: Any) -> dict[str, Any]:
        """An honest result, signed; `changed` after that."""
        count = int(lease["units"]) if units is None else units
        signed = signed_bytes(job_id=lease["job_id"].removeprefix("job_"), units=count, output_hash=hash_of(output))
        told = {
            "job_id": lease["job_id"],
            "units": str(count),
            "output": output,
            "output_hash": hash_of(output),
            "signature": self.sign(signed),
        }
        return {**told, **changed}

    def complete(self, *results: dict[str, Any]) -> list[str]:
        """The verdicts."""
        return [one["verdict"] for one in self.post("nodes/complete", {"results": list(results)}).json()["data"]]


def register(supplier: Supplier, name: str, at_us: int) -> Hand:
    """A node of this supplier."""
    hand = Hand(MINT.uuid(at_us))
    said = NewNode(name, hand.public_key)
    register_node(supplier_id=str(supplier.uuid), said=said, node_id=hand.node_id, actor="test", now_us=at_us)
    return hand


def result_of(hand: Hand, job_id: str, output: str, units: int, *, is_partial: bool = False) -> Result:
    """A result that its node signed, whether it is so or not."""
    digest = hash_of(output)
    return Result(job_id, units, output, digest, hand.sign(signed_bytes(job_id=job_id, units=units, output_hash=digest)), is_partial)


class Network:
    """`supply`'s supplier with nodes; work is put before it as a locked route of an executing request leaves it."""

    def __init__(self, supply: SupplyDesk) -> None:
        self.supply, self.desk = supply, supply.desk
        self.now_us = self.desk.now_us
        self.right: Right = self.desk.issue(1_000_000)

    def node(self, name: str = "one") -> Hand:
        return register(self.supply.supplier, name, self.now_us)

    @staticmethod
    def row(hand: Hand) -> Node:
        return Node.objects.get(uuid=hand.node_id)

    def offer(
        self, count: int = 1, *, units: int = 1, unit: str = "jobs", body: str = "{}", max_attempts: int = 3, **changed: Any
    ) -> list[Job]:
        """So many open jobs, each of a request of its own."""
        return [self._offer(units, unit, body, max_attempts, changed) for _ in range(count)]

    def _offer(self, units: int, unit: str, body: str, max_attempts: int, changed: dict[str, Any]) -> Job:
        now, holder = to_datetime(self.desk.now_us), self.desk.accounts["holder"]
        hour = to_datetime(self.desk.now_us + 3_600_000_000)
        request = Request.objects.create(
            id=MINT.uuid(self.desk.now_us),
            account=holder,
            holder=holder,
            stream=self.right.series.stream,
            state="executing",
            workload="text.generation",
            operation="chat",
            expected_units=units,
            envelope="{}",
            envelope_hash=hashlib.sha256(b"{}").hexdigest(),
            latest_at=hour,
            created_at=now,
            updated_at=now,
        )
        RequestPayload.objects.create(request=request, body=body, body_hash=hash_of(body), created_at=now)
        route = Route.objects.create(
            id=MINT.uuid(self.desk.now_us),
            request=request,
            number=1,
            right=self.right,
            capability=self.supply.capability,
            supplier=self.supply.supplier,
            units=units,
            currency=cash_asset(),
            score=1,
            state="executing",
            quoted_at=now,
        )
        plain = {
            "request": request,
            "route": route,
            "supplier": self.supply.supplier,
            "capability": self.supply.capability,
            "workload": request.workload,
            "operation": request.operation,
            "unit": unit,
            "units": units,
            "max_attempts": max_attempts,
            "lease_ms": 30_000,
            "offered_at": now,
            "deadline_at": hour,
        }
        return Job.objects.create(id=MINT.uuid(self.desk.now_us), **{**plain, **changed})
