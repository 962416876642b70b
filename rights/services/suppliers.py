"""Suppliers: who executes work (SPEC §7). The owner registers and describes; how far the venue trusts it, and suspending it, is the venue's.

A supplier's row is locked first in everything that changes it or what it can do, then its capacity by id (rights/services/drift.py).
"""

import base64
import binascii

import msgspec
from django.db import transaction

from rights.domain import supply_events
from rights.domain.capability import REGION, SLUG
from rights.domain.issuance import Refusal
from rights.domain.reason import stated_reason
from rights.domain.units import WHOLE_BPS
from rights.kernel.clock import to_datetime
from rights.kernel.ids import public
from rights.models import Participant, PostedCapacity, Supplier
from rights.services.capacity import withdraw
from rights.services.journal import NewEvent
from rights.services.refusals import SupplyRefusedError, supply_refused
from rights.services.registry import remember_all

_KEY_BYTES = 32


class Description(msgspec.Struct, frozen=True):
    """What a supplier says of itself. `public_key`: base64 of an Ed25519 key that signs its results, or empty."""

    name: str
    region: str
    public_key: str = ""


def description_refusals(said: Description) -> list[Refusal]:
    """Everything wrong with a description; empty when it can be taken."""
    checks = [
        (0 < len(said.name) <= 200 and said.name.isprintable(), "name", "a name is 1 to 200 printable characters"),
        (REGION.fullmatch(said.region), "region", "a region is a code such as US or EU-WEST"),
        (_is_key(said.public_key), "public_key", "a public key is the base64 of the 32 bytes of an Ed25519 key"),
    ]
    return [Refusal("supplier_description", words, field) for holds, field, words in checks if not holds]


@transaction.atomic
def register_supplier(*, participant: Participant, slug: str, said: Description, supplier_id: str, actor: str, now_us: int) -> Supplier:
    """The participant's new supplier, active. Raises SupplyRefusedError `supplier_slug`, `supplier_description`, `supplier_exists`."""
    refusals = description_refusals(said)
    if not SLUG.fullmatch(slug):
        refusals.insert(0, Refusal("supplier_slug", "a slug is 1 to 64 of a-z 0-9 . _ - and begins with a letter or a digit", "slug"))
    if refusals:
        raise SupplyRefusedError(refusals)
    row, made = Supplier.objects.get_or_create(
        slug=slug,
        defaults={
            "uuid": supplier_id,
            "participant": participant,
            "name": said.name,
            "region": said.region,
            "public_key": said.public_key,
            "created_at": to_datetime(now_us),
        },
    )
    if not made:
        raise supply_refused("supplier_exists", f"there is a supplier {slug} already", "slug")
    payload = supply_events.registered(
        slug=slug,
        name=said.name,
        participant=participant.slug,
        region=said.region,
        trust_bps=row.trust_bps,
        public_key=said.public_key,
    )
    _remember(row, supply_events.REGISTERED, payload, actor, now_us)
    return row


@transaction.atomic
def change_supplier(*, supplier_id: str, said: Description, actor: str, now_us: int) -> Supplier:
    """Describe the supplier anew. Raises SupplyRefusedError `supplier_description`, `region_pledged`.

    The region stays as long as capacity is pledged for a window to come: classes may depend on it.
    """
    refusals = description_refusals(said)
    if refusals:
        raise SupplyRefusedError(refusals)
    row = locked_supplier(supplier_id)
    if said.region != row.region and _pledged(row, now_us):
        raise supply_refused("region_pledged", "capacity is pledged for windows to come; the region can't change under it", "region")
    row.name, row.region, row.public_key = said.name, said.region, said.public_key
    row.save(update_fields=["name", "region", "public_key"])
    _changed(row, None, actor, now_us)
    return row


@transaction.atomic
def assess_supplier(*, supplier_id: str, trust_bps: int, reason: str, actor: str, now_us: int) -> Supplier:
    """How far the venue trusts the supplier, 0 to 10000 bps. Raises SupplyRefusedError `supplier_trust`, ReasonMissing."""
    stated = stated_reason(reason)
    if not 0 <= trust_bps <= WHOLE_BPS:
        raise supply_refused("supplier_trust", f"trust is 0 to {WHOLE_BPS} bps", "trust_bps")
    row = locked_supplier(supplier_id)
    row.trust_bps = trust_bps
    row.save(update_fields=["trust_bps"])
    _changed(row, stated, actor, now_us)
    return row


@transaction.atomic
def suspend_supplier(*, supplier_id: str, reason: str, actor: str, now_us: int) -> Supplier:
    """Nobody may lean on the supplier: what it posted for windows to come is withdrawn, and what that backed drifts.

    Raises SupplyRefusedError `status_unchanged`, ReasonMissing.
    """
    stated = stated_reason(reason)
    row = locked_supplier(supplier_id)
    if row.status == "suspended":
        raise supply_refused("status_unchanged", f"supplier {row.slug} is suspended already")
    row.status = "suspended"
    row.save(update_fields=["status"])
    fact = NewEvent(supply_events.SUSPENDED, "supplier", public("sup", str(row.uuid)), supply_events.suspended(reason=stated))
    remember_all([fact, *withdraw(supplier=row, reason="supplier_suspended", now_us=now_us)], actor=actor, now_us=now_us)
    return row


@transaction.atomic
def reinstate_supplier(*, supplier_id: str, reason: str, actor: str, now_us: int) -> Supplier:
    """It may post capacity again; what was withdrawn stays so until it does. Raises SupplyRefusedError `status_unchanged`, ReasonMissing."""
    stated = stated_reason(reason)
    row = locked_supplier(supplier_id)
    if row.status == "active":
        raise supply_refused("status_unchanged", f"supplier {row.slug} is active already")
    row.status = "active"
    row.save(update_fields=["status"])
    _changed(row, stated, actor, now_us)
    return row


def locked_supplier(supplier_id: str) -> Supplier:
    """The supplier (by UUID), locked until the transaction ends. Raises Supplier.DoesNotExist."""
    return Supplier.objects.select_for_update(no_key=True).get(uuid=supplier_id)


def _is_key(text: str) -> bool:
    try:
        return not text or len(base64.b64decode(text, validate=True)) == _KEY_BYTES
    except (binascii.Error, ValueError):
        return False


def _pledged(row: Supplier, now_us: int) -> bool:
    to_come = PostedCapacity.objects.filter(capability__supplier=row, window_end__gt=to_datetime(now_us))
    return to_come.filter(pledged_units__gt=0).exists()


def _changed(row: Supplier, reason: str | None, actor: str, now_us: int) -> None:
    payload = supply_events.changed(
        name=row.name,
        region=row.region,
        trust_bps=row.trust_bps,
        public_key=row.public_key,
        status=row.status,
        reason=reason,
    )
    _remember(row, supply_events.CHANGED, payload, actor, now_us)


def _remember(row: Supplier, kind: str, payload: dict[str, object], actor: str, now_us: int) -> None:
    remember_all([NewEvent(kind, "supplier", public("sup", str(row.uuid)), payload)], actor=actor, now_us=now_us)
