"""What has to be there before a day begins: an issuer with cash, a supplier that can be called, tenants with purses, keys and policies."""

from collections.abc import Sequence

import msgspec

from exchange.demo.catalog import ASSURANCE_MODE, WARES, manifest
from exchange.demo.day.demand import RESALE_PERCENT, SECOND_US, Setting
from exchange.domain.standing_policy import REBALANCER, Coverage, Limits, Rebalancing, SellUnused
from exchange.models import Instrument, Policy
from exchange.services import keys
from exchange.services.funding import fund
from exchange.services.identity import Principal, principal_by_bearer
from exchange.services.listing import TradingRules, list_instrument
from exchange.services.participants import NewAccount, appoint_issuer, open_participant
from exchange.services.policies import NewPolicy, create_policy
from rights.domain.manifest import read_manifest
from rights.kernel.clock import rfc3339
from rights.kernel.ids import Mint
from rights.models import Account, Capability, ComputeClass, Issuer
from rights.services.capabilities import NewCapability, post_capability
from rights.services.capacity import Posting, post_capacity
from rights.services.pledges import Source
from rights.services.post_assurance import Capacity, post_assurance
from rights.services.register import class_for
from rights.services.suppliers import Description, assess_supplier, register_supplier
from settlement.services.endpoints import Setup, register_endpoint
from settlement.services.issuance import issue_right

ACTOR = "command:simulate"
WARE = WARES[0]
BEGIN_US = 1_796_083_200_000_000  # 2026-12-01T00:00:00Z, when the first window of every day starts
HOUR_US = 3600 * SECOND_US
TAKER_BPS, MAKER_BPS = 8, 2
# Per lot: what a right costs, and the least a tenant sells at before it perishes.
WORTH_MINOR, FLOOR_MINOR = WARE.worth_minor, WARE.worth_minor * RESALE_PERCENT // 100
HOUSE = "issuer"


class Tenant(msgspec.Struct):
    """One tenant: its account, who acts for it, and its standing policy."""

    account: Account
    principal: Principal
    policy: Policy


class Stage(msgspec.Struct):
    """Everything that lasts the whole day."""

    mint: Mint
    issuer: Issuer
    capability: Capability
    compute_class: ComputeClass
    tenants: list[Tenant]


def cap_minor(setting: Setting) -> int:
    """The most a tenant pays for a lot before it goes without."""
    return WORTH_MINOR * setting.value_percent // 100


def coverage_of(units: int, setting: Setting) -> Coverage:
    """Hold what is needed until the window ends; half a lot less is left alone."""
    return Coverage(
        max_price_minor=cap_minor(setting),
        units=units,
        tolerance_units=WARE.lot_units // 2,
        horizon_us=0,
        slippage_bps=10_000,
    )


def rules_for(class_key: str, units: int, setting: Setting) -> Rebalancing:
    """A tenant's policy: cover what is needed of the window that runs, sell the rest of it."""
    selling = SellUnused(min_price_minor=FLOOR_MINOR, before_end_us=setting.window_us, slippage_bps=10_000)
    return Rebalancing(class_key, coverage_of(units, setting), selling, limits=Limits(max_orders_per_run=10))


def set_up(setting: Setting) -> Stage:
    """Build the stage, an hour before the day."""
    mint, now_us = Mint(), BEGIN_US - HOUR_US
    house = _open("issuer", "Northgrid Compute", "vault", mint, now_us)
    issuer = appoint_issuer(
        participant=house.participant,
        slug=HOUSE,
        issuer_type="provider",
        tier=1,
        issuance_path="centralized-coordinator",
        actor=ACTOR,
        now_us=now_us,
    )
    _fund(house, 1_000_000, mint, now_us)
    capability = _supply(mint, now_us)
    sample = read_manifest(_manifest(WARE.lot_units, 0, "sample", setting))
    compute_class = class_for(manifest=sample, issuer_tier=issuer.tier)
    tenants = [_tenant(number, compute_class.key, setting, mint, now_us) for number in range(setting.tenants)]
    return Stage(mint, issuer, capability, compute_class, tenants)


def open_window(stage: Stage, number: int, units: Sequence[int], setting: Setting, now_us: int) -> Instrument:
    """Assure, issue and list one window; tenants get their forecasts' units as a right each. The book still has to be opened."""
    start_us = BEGIN_US + number * setting.window_us
    reference, gross = f"day:{number}", max(sum(units), WARE.lot_units)
    span = (start_us, start_us + setting.window_us)
    post_capacity(capability_id=str(stage.capability.uuid), posting=Posting(*span, gross, (HOUSE,)), actor=ACTOR, now_us=now_us)
    capacity = Capacity(ASSURANCE_MODE, reference, *span, gross, sources=(Source(str(stage.capability.uuid), gross),))
    post_assurance(
        issuer=stage.issuer,
        compute_class=stage.compute_class,
        capacity=capacity,
        assurance_id=stage.mint.uuid(now_us),
        actor=ACTOR,
        now_us=now_us,
    )
    series = None
    for tenant, amount in zip(stage.tenants, units, strict=True):
        if amount:
            document = _manifest(amount, number, reference, setting)
            right = issue_right(issuer=stage.issuer, holder=tenant.account, document=document, mint=stage.mint, actor=ACTOR, now_us=now_us)
            series = right.series
    if series is None:
        raise ValueError("nobody expects anything of this window")
    low, high = WARE.collar
    rules = TradingRules(
        tick_minor=WARE.tick_minor,
        collar_low_ticks=low,
        collar_high_ticks=high,
        opens_us=start_us,
        gate_us=start_us + setting.window_us,
        maker_bps=MAKER_BPS,
        taker_bps=TAKER_BPS,
        reference_price_ticks=WORTH_MINOR // WARE.tick_minor,
    )
    return list_instrument(series=series, rules=rules, actor=ACTOR, now_us=now_us)


def _manifest(units: int, number: int, reference: str, setting: Setting) -> dict[str, object]:
    start_us = BEGIN_US + number * setting.window_us
    document = manifest(ware=WARE, units=units, start=rfc3339(start_us), end=rfc3339(start_us + setting.window_us), reference=reference)
    settled = {**document["settlement_policy"], "proof_profile": "basic", "dispute_window_seconds": 0}
    return {**document, "settlement_policy": settled, "transfer_policy": {"min_transfer_units": "1", "transfer_cutoff_seconds": 0}}


def _open(slug: str, name: str, holder_type: str, mint: Mint, now_us: int) -> Account:
    account = NewAccount("main", holder_type, "US")
    return open_participant(slug=slug, name=name, account=account, mint=mint, actor=ACTOR, now_us=now_us).accounts.get()


def _fund(account: Account, dollars: int, mint: Mint, now_us: int) -> None:
    fund(account=account, amount=f"{dollars}.00", currency="USD", reason="the day's opening balance", mint=mint, actor=ACTOR, now_us=now_us)


def _supply(mint: Mint, now_us: int) -> Capability:
    """The supplier's one capability, with an endpoint; it takes half of what a right is worth for what it delivers."""
    owner = _open("supplier", "Boreal Datacenters", "vault", mint, now_us).participant
    supplier = register_supplier(
        participant=owner,
        slug="supplier",
        said=Description("Boreal Datacenters", "US-EAST"),
        supplier_id=mint.uuid(now_us),
        actor=ACTOR,
        now_us=now_us,
    )
    assess_supplier(supplier_id=str(supplier.uuid), trust_bps=9_000, reason="the day's own supplier", actor=ACTOR, now_us=now_us)
    new = NewCapability(
        **WARE.capability,
        quality_band=WARE.service["quality_band"],
        latency_band=WARE.service["latency_class"],
        availability="reserved",
        unit=WARE.resource["unit"],
        tariff_minor=WORTH_MINOR // 2,
        tariff_units=WARE.lot_units,
    )
    capability = post_capability(supplier=supplier, new=new, capability_id=mint.uuid(now_us), actor=ACTOR, now_us=now_us)
    said = Setup(adapter="openai", base_url="http://127.0.0.1:9/v1", model="day", inside=True)
    register_endpoint(
        capability_id=str(capability.uuid),
        said=said,
        endpoint_id=mint.uuid(now_us),
        is_operator=True,
        actor=ACTOR,
        now_us=now_us,
    )
    return capability


def _tenant(number: int, class_key: str, setting: Setting, mint: Mint, now_us: int) -> Tenant:
    account = _open(f"tenant-{number + 1:02d}", f"Tenant {number + 1:02d}", "app", mint, now_us)
    _fund(account, 1_000_000, mint, now_us)
    new = keys.create(
        account_id=account.pk, scopes=("read", "trade", "cancel", "redeem"), label="its program", expires_us=None, now_us=now_us
    )
    principal = principal_by_bearer(new.token, now_us)
    if principal is None:
        raise LookupError("a key that was made a moment ago is not known")
    wanted = NewPolicy(REBALANCER, rules_for(class_key, 0, setting), label="cover and sell", every_s=5)
    policy = create_policy(new=wanted, who=principal, policy_id=mint.uuid(now_us), now_us=now_us)
    return Tenant(account, principal, policy)
