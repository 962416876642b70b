"""Whose rights a request uses, and under which bounds: its own account's, or those of a delegation (SPEC §6, §8)."""

import msgspec

from rights.domain.effective_policy import Policy
from rights.kernel import rows
from rights.kernel.clock import to_us
from rights.models import Account, Delegation
from rights.services.delegations import Use, admit_use, covers, owner_of
from settlement.domain.envelope import Envelope
from settlement.selectors.candidates import Wanted
from settlement.services.request_refusal import refused_as

# What routes of the delegation may still come to, but for this request's own locks, which new ones take the place of.
_PENDING = """
SELECT coalesce(sum(t.units), 0)::bigint FROM settlement_request q JOIN settlement_route t ON t.request_id = q.id
WHERE q.delegation_id = %s AND (t.state = 'executing' OR t.state = 'locked' AND q.id IS DISTINCT FROM %s::uuid)
"""


class Source(msgspec.Struct, frozen=True):
    """`words`: the policies beside the rights' own, in the order in which they narrow."""

    holder_id: int
    delegation_id: int | None
    wanted: tuple[Wanted, ...]
    words: tuple[tuple[str, Policy], ...]


def source_of(*, envelope: Envelope, account_id: int, request_id: str, now_us: int) -> Source:
    """The source, with the delegation under lock. Raises RequestRefused, LifecycleRefusedError with the bound that stands in the way."""
    if envelope.package_id is not None:
        raise refused_as("package_not_taken", "a package's rights are named one by one, or used through a delegation of it")
    own = ("request", _word(envelope))
    named = tuple(Wanted(found.right_id, found.max_spend_units) for found in envelope.candidates)
    if envelope.delegation_id is None:
        return Source(account_id, None, named, (own,))
    row = _admitted(envelope, account_id, request_id, now_us)
    if not named and row.right_id is not None:
        named = (Wanted(str(row.right_id)),)
    foreign = [found.right_id for found in named if not covers(row, found.right_id)]
    if foreign:
        raise refused_as("delegation_right", f"the delegation is of other rights than rgt_{foreign[0]}")
    bounds = Policy(latest_us=to_us(row.valid_until), fallbacks=None if row.fallback_allowed else frozenset())
    return Source(owner_of(row), row.pk, named, (("delegation", bounds), own))


def _admitted(envelope: Envelope, account_id: int, request_id: str, now_us: int) -> Delegation:
    row = Delegation.objects.filter(uuid=str(envelope.delegation_id), delegate_id=account_id).first()
    if row is None:
        raise refused_as("delegation_ended", "there is no such delegation to this account")
    use = Use(str(row.uuid), account_id, envelope.workload)
    # Under its lock what is pending no longer grows.
    admit_use(use=use, units=envelope.expected_units, now_us=now_us)
    return admit_use(use=use, units=envelope.expected_units, now_us=now_us, pending_units=pending_units(row.pk, request_id))


def pending_units(delegation_id: int, request_id: str | None = None) -> int:
    """What is under way of the delegation, whose row is locked, beside what `request_id` has locked and has not begun."""
    found = rows.fetch_one(_PENDING, [delegation_id, request_id])
    return found[0] if found else 0


def _word(envelope: Envelope) -> Policy:
    """The request's own policy."""
    said = [moment for moment in (envelope.constraints.latest_us, envelope.latest_us) if moment is not None]
    return msgspec.structs.replace(envelope.constraints, latest_us=min(said, default=None), fallbacks=envelope.fallbacks)


def account_of(account_id: int) -> Account:
    """The account, for whoever has only its number."""
    return Account.objects.get(pk=account_id)
