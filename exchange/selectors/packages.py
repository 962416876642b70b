"""Packages, delegations and block offers as a caller may see them."""

from collections.abc import Sequence
from typing import Any

import orjson
from django.db.models import Prefetch, Q, QuerySet

from exchange.domain.amounts import decimal_text
from exchange.models import BlockOffer
from exchange.selectors.registry import EVERYTHING
from exchange.services.identity import Principal
from rights.kernel.clock import rfc3339, to_us
from rights.kernel.ids import public
from rights.models import Delegation, Package, PackagePart
from rights.selectors.delegations import lost


def _at(moment: Any) -> str | None:
    return None if moment is None else rfc3339(to_us(moment))


def visible_packages(principal: Principal) -> QuerySet[Package]:
    """The caller's own; everybody's for operators and auditors."""
    parts = Prefetch("parts", PackagePart.objects.filter(removed_at=None).order_by("position"), to_attr="now")
    every = Package.objects.select_related("holder", "controller", "parent").prefetch_related(parts)
    return every if principal.scopes & EVERYTHING else every.filter(holder_id=principal.account_id)


def package_document(row: Package) -> dict[str, Any]:
    """Which rights, who controls them, what remains, which policy applies (SPEC §6)."""
    parts: list[PackagePart] = row.now  # type: ignore[attr-defined]
    return {
        "id": public("pkg", str(row.uuid)),
        "type": row.type,
        "label": row.label,
        "holder": public("acc", str(row.holder.uuid)),
        "controller": public("acc", str(row.controller.uuid)),
        "state": row.state,
        "revision": row.revision,
        "parent_package_id": None if row.parent is None else public("pkg", str(row.parent.uuid)),
        "policy": row.policy,
        "rules": row.rules,
        "units": str(sum(part.units for part in parts)),
        "parts": [
            {"right_id": public("rgt", str(p.right_id)), "units": str(p.units), "tier": p.tier or None, "branch": p.branch or None}
            for p in parts
        ],
        "created_at": _at(row.created_at),
        "updated_at": _at(row.updated_at),
    }


def visible_delegations(principal: Principal) -> QuerySet[Delegation]:
    """What the caller gave and took; everything for operators and auditors."""
    every = Delegation.objects.select_related("package", "delegator", "delegate", "parent")
    if principal.scopes & EVERYTHING:
        return every
    return every.filter(Q(delegator_id=principal.account_id) | Q(delegate_id=principal.account_id))


def delegation_documents(rows: Sequence[Delegation]) -> list[dict[str, Any]]:
    """Each with what may still be used of it. One whose giver has sold what it is of is as good as revoked, also before its row says so."""
    gone = lost(row.pk for row in rows if row.state == "active")
    return [_delegation_document(row, "revoked" if row.pk in gone else row.state) for row in rows]


def _delegation_document(row: Delegation, state: str) -> dict[str, Any]:
    left = row.max_units - row.used_units - row.passed_units
    return {
        "id": public("dlg", str(row.uuid)),
        "right_id": None if row.right_id is None else public("rgt", str(row.right_id)),
        "package_id": None if row.package is None else public("pkg", str(row.package.uuid)),
        "delegator": public("acc", str(row.delegator.uuid)),
        "delegate": public("acc", str(row.delegate.uuid)),
        "parent_delegation_id": None if row.parent is None else public("dlg", str(row.parent.uuid)),
        "max_units": str(row.max_units),
        "used_units": str(row.used_units),
        "passed_units": str(row.passed_units),
        "left_units": str(left if state == "active" else 0),
        "workload_classes": row.workload_classes,
        "valid_from": _at(row.valid_from),
        "valid_until": _at(row.valid_until),
        "fallback_allowed": row.fallback_allowed,
        "subdelegation_allowed": row.subdelegation_allowed,
        "state": state,
        "created_at": _at(row.created_at),
        "ended_at": _at(row.ended_at),
    }


def visible_offers(principal: Principal) -> QuerySet[BlockOffer]:
    """Open offers to anybody and the caller's own; all for operators and auditors."""
    every = BlockOffer.objects.select_related("package", "seller", "buyer", "currency", "accepted_by")
    if principal.scopes & EVERYTHING:
        return every
    me = principal.account_id
    return every.filter(Q(state="open", buyer=None) | Q(seller_id=me) | Q(buyer_id=me) | Q(accepted_by_id=me))


def offer_document(row: BlockOffer) -> dict[str, Any]:
    """An offer with what is in the package."""
    return {
        "id": public("ofr", str(row.uuid)),
        "package_id": public("pkg", str(row.package.uuid)),
        "seller": public("acc", str(row.seller.uuid)),
        "buyer": None if row.buyer is None else public("acc", str(row.buyer.uuid)),
        "price": decimal_text(row.price_minor, row.currency.scale),
        "currency": row.currency.code,
        "fee_bps": row.fee_bps,
        "state": row.state,
        "disclosure": orjson.loads(row.disclosure),
        "created_at": _at(row.created_at),
        "expires_at": _at(row.expires_at),
        "ended_at": _at(row.ended_at),
        "accepted_by": None if row.accepted_by is None else public("acc", str(row.accepted_by.uuid)),
    }
