"""Delegations given above the registry (SPEC §6, §8): what is passed on leaves what is under way.

The registry knows no routes; under the parent's lock what routes of it may still come to no longer grows, and is counted here.
"""

from django.db import transaction

from rights.models import Account, Delegation, Package, Right
from rights.services import delegations
from rights.services.delegations import Bounds, lock_delegation
from settlement.services.request_source import pending_units


@transaction.atomic
def delegate(
    *,
    right: Right | None,
    package: Package | None,
    parent: Delegation | None,
    delegator: Account,
    to: Account,
    bounds: Bounds,
    delegation_id: str,
    actor: str,
    now_us: int,
) -> Delegation:
    """As the registry does it, beside what is under way. Raises LifecycleRefusedError as `rights.services.delegations.delegate` does."""
    pending = 0 if parent is None else pending_units(lock_delegation(str(parent.uuid)).pk)
    return delegations.delegate(
        right=right,
        package=package,
        parent=parent,
        delegator=delegator,
        to=to,
        bounds=bounds,
        delegation_id=delegation_id,
        actor=actor,
        now_us=now_us,
        pending_units=pending,
    )
