"""A desk with a supplier behind it, for tests of supply: capability, posted capacity, assurances with sources. All through the services."""

from typing import Any

from rights.models import Assurance, Capability, PostedCapacity, Supplier
from rights.services.capabilities import NewCapability, post_capability
from rights.services.capacity import Posting, post_capacity
from rights.services.pledges import Source
from rights.services.refresh_assurance import Refresh, refresh_assurance
from rights.services.suppliers import Description, register_supplier
from tests.registry_desk import DAY_US, MINT, START_US, Desk

WHO = {"actor": "test"}


class SupplyDesk:
    """`supplier` is its participant's; it can serve the desk's class, and lets `issuer` pledge what it posts."""

    def __init__(self, desk: Desk, owner: str = "boreal") -> None:
        self.desk = desk
        self.account = desk.accounts.get(owner) or desk.open(owner)
        desk.accounts[owner] = self.account
        self.supplier = self.register(owner)
        self.capability = self.offer()

    def register(self, slug: str, **said: Any) -> Supplier:
        return register_supplier(
            participant=self.account.participant,
            slug=slug,
            said=Description(**{"name": slug.title(), "region": "US", **said}),
            supplier_id=MINT.uuid(self.desk.now_us),
            now_us=self.desk.now_us,
            **WHO,
        )

    def offer(self, **axes: Any) -> Capability:
        plain = {
            "workload": "text.generation",
            "quality_band": "standard",
            "latency_band": "interactive",
            "privacy_mode": "private-cluster",
            "environment": "dedicated-cluster",
            "availability": "reserved",
            "unit": "tokens",
        }
        new = NewCapability(**{**plain, **axes})
        return post_capability(supplier=self.supplier, new=new, capability_id=MINT.uuid(self.desk.now_us), now_us=self.desk.now_us, **WHO)

    def post(
        self, units: int, *, capability: Capability | None = None, start_us: int = START_US, end_us: int = START_US + DAY_US, issuers=None
    ):
        posting = Posting(start_us, end_us, units, (self.desk.issuer.slug,) if issuers is None else issuers)
        uuid = str((capability or self.capability).uuid)
        return post_capacity(capability_id=uuid, posting=posting, now_us=self.desk.now_us, **WHO)

    def source(self, units: int, capability: Capability | None = None, **window: int) -> Source:
        return Source(str((capability or self.capability).uuid), units, **window)

    def assure(self, units: int, reference: str = "pledged", **capacity: Any) -> Assurance:
        """An assurance of `units` gross that rests on the plain capability alone."""
        sources = capacity.pop("sources", (self.source(units),))
        return self.desk.assure(reference=reference, gross_units=units, sources=sources, **capacity)

    def refresh(self, assurance: Assurance, *, attested: bool = False, **found: Any) -> Assurance:
        return refresh_assurance(
            assurance_id=str(assurance.uuid),
            refresh=Refresh(**found),
            attested=attested,
            note="looked at" if attested else None,
            now_us=self.desk.now_us,
            **WHO,
        )

    @staticmethod
    def refresh_attested(desk: Desk, gross_units: int) -> Assurance:
        """The desk's own assurance, which an operator answers for."""
        refresh = Refresh(gross_units=gross_units)
        uuid = str(desk.assurance.uuid)
        return refresh_assurance(assurance_id=uuid, refresh=refresh, attested=True, note="looked at", now_us=desk.now_us, **WHO)

    def posted(self) -> PostedCapacity:
        return PostedCapacity.objects.get(capability=self.capability)
