"""Rights in use, for tests: an issuer with cash, suppliers with endpoints behind its assurance, a holder with a right. Inside the window."""

import hashlib
from typing import Any

from exchange.services.funding import fund
from rights.kernel.ids import Mint
from rights.models import Account, Capability, Right
from settlement.domain.envelope import Candidate, Envelope
from settlement.models import Endpoint, Request
from settlement.services.endpoints import Setup, register_endpoint
from settlement.services.ledger import cash_asset
from settlement.services.submit import submit_request
from tests.registry_desk import DAY_US, MINT, START_US, Desk
from tests.supply_desk import SupplyDesk

BODY = '{"prompt":"hello"}'
TARIFF = {"tariff_minor": 10, "tariff_units": 1}  # micro-dollars a unit


class PaidDesk(SupplyDesk):
    """A supplier whose one capability has a price."""

    def __init__(self, desk: Desk, owner: str = "boreal", **axes: Any) -> None:
        self.axes = axes
        super().__init__(desk, owner)

    def offer(self, **axes: Any) -> Capability:
        return super().offer(**{**TARIFF, **self.axes, **axes})


class RedeemDesk:
    """`holder` holds `right` of a million units; `boreal` stands behind it and takes ten micro-dollars a unit of the issuer's thousand dollars."""

    def __init__(self, *, units: int = 1_000_000, cash: str = "1000", **patch: Any) -> None:
        cash_asset()
        self.desk = Desk(units=10**12)
        self.accounts: dict[str, Account] = self.desk.accounts
        self.suppliers = {"boreal": PaidDesk(self.desk)}
        boreal = self.suppliers["boreal"]
        boreal.post(10**9)
        boreal.assure(10**8)
        self.serve(boreal.capability)
        if cash != "0":
            self.fund("issuer", cash)
        self.right = self.issue(units, **patch)
        self.now_us = START_US + 3_600_000_000

    def fund(self, slug: str, amount: str) -> None:
        fund(
            account=self.accounts[slug],
            amount=amount,
            currency="USD",
            reason="to pay",
            mint=MINT,
            actor="command:test",
            now_us=self.desk.now_us,
        )

    def issue(self, units: int = 1_000_000, **patch: Any) -> Right:
        """A right that boreal's capacity stands behind."""
        return self.desk.issue(units, **{"assurance": {"reference": "pledged"}, **patch})

    def supply(self, slug: str, *, behind: bool = False, **axes: Any) -> Capability:
        """Another supplier that can be called; `behind`: it pledged capacity for the issuer's rights too, under a reference of its name."""
        other = self.suppliers[slug] = PaidDesk(self.desk, slug, **axes)
        self.serve(other.capability)
        if behind:
            boreal = self.suppliers["boreal"]
            other.post(10**9)
            sources = (boreal.source(10**7, boreal.capability), other.source(10**7, other.capability))
            boreal.assure(2 * 10**7, slug, sources=sources)
        return other.capability

    def serve(self, capability: Capability, **said: Any) -> Endpoint:
        plain = {"adapter": "openai", "base_url": "http://127.0.0.1:9/v1", "model": "any", "inside": True}
        return register_endpoint(
            capability_id=str(capability.uuid),
            said=Setup(**{**plain, **said}),
            endpoint_id=MINT.uuid(self.desk.now_us),
            is_operator=True,
            actor="test",
            now_us=self.desk.now_us,
        )

    def envelope(self, *rights: Right, units: int = 1000, **said: Any) -> Envelope:
        """A generation of so many tokens out of these rights, or of the plain one."""
        named = tuple(Candidate(str(right.pk)) for right in rights or (self.right,))
        plain = {"workload": "text.generation", "operation": "chat.completions", "payload_hash": hashlib.sha256(BODY.encode()).hexdigest()}
        return Envelope(**{**plain, "expected_units": units, "candidates": named, **said})

    def submit(self, *rights: Right, by: str = "holder", choose: bool = True, mint: Mint = MINT, **said: Any) -> Request:
        return submit_request(
            envelope=self.envelope(*rights, **said),
            account=self.accounts[by],
            payload=BODY,
            request_id=mint.uuid(self.now_us),
            mint=mint,
            actor="test",
            now_us=self.now_us,
            choose=choose,
        )


END_US = START_US + DAY_US
