"""The venue's own rule of compensation (SPEC §9, `custom`): a function that the settings name."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from settlement.domain.receipt_body import LegTold
from settlement.services.case import Case, LockedRoute

Rule = Callable[..., int | None]


def custom_minor(*, case: Case, route: LockedRoute, leg: LegTold | None) -> int | None:
    """What the rule says the holder gets of this route's payout, minor units. None (no rule, or it has no word): as pro-rata.

    `SETTLEMENT_COMPENSATION` is the dotted path of a function of keyword arguments `request`, `right`, `supplier`, `units`,
    `delivered_units`, `escrow_minor`, `quality_loss_bps`, `fallbacks`. The same facts must give the same answer.
    """
    path: str = getattr(settings, "SETTLEMENT_COMPENSATION", "")
    if not path or leg is None:
        return None
    rule: Rule = import_string(path)
    facts: dict[str, Any] = {
        "request": case.public_id,
        "right": f"rgt_{route.right_id}",
        "supplier": route.supplier,
        "units": route.units,
        "delivered_units": leg.delivered_units,
        "escrow_minor": route.escrow_minor,
        "quality_loss_bps": leg.quality_loss_bps,
        "fallbacks": leg.fallbacks,
    }
    return rule(**facts)
