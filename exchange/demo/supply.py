"""The demo's supplier: what it can do for each ware, and what it posts for each window. Whatever is there already stays as it is."""

from exchange.demo.catalog import ISSUER, Ware
from exchange.demo.parties import ACTOR
from exchange.demo.windows import Window
from rights.kernel.clock import to_datetime
from rights.kernel.ids import Mint
from rights.models import Capability, Participant, PostedCapacity, Supplier
from rights.services.capabilities import NewCapability, post_capability
from rights.services.capacity import Posting, post_capacity
from rights.services.pledges import Source
from rights.services.suppliers import Description, assess_supplier, register_supplier
from settlement.models import Endpoint
from settlement.services.endpoints import Setup, change_endpoint, register_endpoint

OWNER = SLUG = "supplier"
TRUST_BPS = 9_000
# What the demo's own server (exchange/demo/supplier) does, and what it calls it.
SERVED = {"text.generation": "plain-words", "text.embedding": "all-MiniLM-L6-v2"}


def seed_supplier(*, mint: Mint, now_us: int) -> Supplier:
    """The supplier, registered and trusted."""
    found = Supplier.objects.filter(slug=SLUG).first()
    if found is not None:
        return found
    made = register_supplier(
        participant=Participant.objects.get(slug=OWNER),
        slug=SLUG,
        said=Description("Boreal Datacenters", "US-EAST"),
        supplier_id=mint.uuid(now_us),
        actor=ACTOR,
        now_us=now_us,
    )
    return assess_supplier(supplier_id=str(made.uuid), trust_bps=TRUST_BPS, reason="the demo's own supplier", actor=ACTOR, now_us=now_us)


def reach(*, base_url: str, token: str, mint: Mint, now_us: int) -> list[str]:
    """Call the supplier's capabilities at this address from now on; the workloads that can be redeemed."""
    served = []
    for capability in Capability.objects.filter(supplier__slug=SLUG, retired_at=None, workload__in=SERVED).order_by("pk"):
        said = Setup("openai", base_url, SERVED[capability.workload], token, 120_000, 3, inside=True)
        found = Endpoint.objects.filter(capability=capability).order_by("-pk").first()
        if found is None:
            register_endpoint(
                capability_id=str(capability.uuid), said=said, endpoint_id=mint.uuid(now_us), is_operator=True, actor=ACTOR, now_us=now_us
            )
        else:
            change_endpoint(endpoint_id=str(found.uuid), said=said, status="active", is_operator=True, actor=ACTOR, now_us=now_us)
        served.append(capability.workload)
    return served


def back(ware: Ware, window: Window, units: int, *, mint: Mint, now_us: int) -> Source:
    """`units` of posted capacity for the ware in the window; a quarter more is posted, for assurances that people post themselves."""
    capability = _capability(ware, mint, now_us)
    span = {"window_start": to_datetime(window.start_us), "window_end": to_datetime(window.end_us)}
    if not PostedCapacity.objects.filter(capability=capability, **span).exists():
        posting = Posting(window.start_us, window.end_us, units * 5 // 4, (ISSUER,))
        post_capacity(capability_id=str(capability.uuid), posting=posting, actor=ACTOR, now_us=now_us)
    return Source(str(capability.uuid), units)


def _capability(ware: Ware, mint: Mint, now_us: int) -> Capability:
    supplier = seed_supplier(mint=mint, now_us=now_us)
    found = Capability.objects.filter(supplier=supplier, workload=ware.capability["workload"], retired_at=None).first()
    if found is not None:
        return found
    service = ware.service
    new = NewCapability(
        **ware.capability,
        quality_band=service["quality_band"],
        latency_band=service["latency_class"],
        availability="reserved",
        unit=ware.resource["unit"],
        constraints=("no-training-retention",),
        tariff_minor=ware.worth_minor // 2,
        tariff_units=ware.lot_units,
    )
    return post_capability(supplier=supplier, new=new, capability_id=mint.uuid(now_us), actor=ACTOR, now_us=now_us)
