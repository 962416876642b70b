"""Rights that are used through suppliers of processes of their own, at the desk's time: the clocks of what executes go on from there."""

import hashlib
import importlib
import json
import time
from typing import Any

import msgspec

from rights.kernel.ids import Mint
from rights.models import Capability, Right
from settlement.domain.envelope import Candidate, Envelope
from settlement.domain.metering import OPERATIONS, ceiling_of
from settlement.models import Endpoint, Request, Route, Settlement
from settlement.services import endpoint_health
from settlement.services.endpoints import change_endpoint, setup_of
from settlement.services.submit import submit_request
from tests.redeem_desk import RedeemDesk
from tests.suppliers.process import SupplierProcess

CLOCKS = ("settlement.services.execute", "settlement.services.pulse", "settlement.adapters.openai", "settlement.adapters.attempts")
MINT = Mint()


class Redeeming(RedeemDesk):
    """`boreal` is called at the process that is given; more suppliers by `supply` and `reach`."""

    def __init__(self, process: SupplierProcess, monkeypatch: Any, *clocks: str, **plain: Any) -> None:
        super().__init__(**plain)
        self.set_clock(self.now_us)
        for module in (*CLOCKS, *clocks):
            monkeypatch.setattr(importlib.import_module(module), "now_us", self.clock)
        endpoint_health._good.clear()
        self.reach(Endpoint.objects.get(), process)

    def set_clock(self, moment_us: int) -> None:
        """It is this moment now, and time goes on from here."""
        self._offset_us = moment_us - time.time_ns() // 1000

    def clock(self) -> int:
        return time.time_ns() // 1000 + self._offset_us

    def reach(self, endpoint: Endpoint, process: SupplierProcess, **said: Any) -> None:
        """Call the endpoint at this process."""
        told = {"base_url": process.base_url, "secret": process.token, "model": "", "inside": True, "timeout_ms": 20_000, **said}
        change_endpoint(
            endpoint_id=str(endpoint.uuid),
            said=msgspec.structs.replace(setup_of(endpoint), **told),
            status="active",
            is_operator=True,
            actor="test",
            now_us=self.now_us,
        )

    def right_of(self, reference: str, *capabilities: Capability, **terms: Any) -> Right:
        """A right of these terms; these capabilities, or boreal's first, stand behind it."""
        boreal = self.suppliers["boreal"]
        behind = capabilities or (boreal.capability,)
        for capability in behind:
            boreal.post(10**11, capability=capability)
        sources = tuple(boreal.source(10**7, capability) for capability in behind)
        patch = {**terms, "assurance": {"reference": reference}}
        self.desk.assure(patch=patch, reference=reference, gross_units=10**7 * len(sources), sources=sources)
        return self.desk.issue(1_000_000, **patch)

    def another(self, slug: str, process: SupplierProcess, *, behind: bool = True, **axes: Any) -> None:
        """One more supplier that can do the same, at that process."""
        capability = self.supply(slug, behind=behind, **axes)
        self.reach(capability.endpoints.get(), process)

    def ask(self, operation: str, body: dict[str, Any], *rights: Right, **said: Any) -> Request:
        """A request for this work, its payload kept; so many units as it can take at most."""
        payload = json.dumps(body)
        named = tuple(Candidate(str(right.pk)) for right in rights or (self.right,))
        plain = {
            "workload": OPERATIONS[operation],
            "operation": operation,
            "expected_units": ceiling_of(operation, body).units("tokens"),
            "candidates": named,
            "payload_hash": hashlib.sha256(payload.encode()).hexdigest(),
            "delivery": "async",
        }
        now = self.clock()
        return submit_request(
            envelope=Envelope(**{**plain, **said}),
            account=self.accounts["holder"],
            payload=payload,
            request_id=MINT.uuid(now),
            mint=MINT,
            actor="test",
            now_us=now,
        )


def told_by(request: Request) -> tuple[str, str, int]:
    """(the request's state, the outcome, the units it took)."""
    request.refresh_from_db()
    settlement = Settlement.objects.get(request=request)
    return request.state, settlement.outcome, settlement.units


def legs_of(request: Request) -> list[tuple[str, str]]:
    """(supplier, state) of each route that was ever locked."""
    found = Route.objects.filter(request=request, locked_at__isnull=False).order_by("number")
    return list(found.values_list("supplier__slug", "state"))
