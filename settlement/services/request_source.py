"""Whose rights a request uses, and under which bounds: its own account's, or those of a delegation (SPEC §6, §8)."""

from collections.abc import Sequence

import msgspec

from rights.domain.effective_policy import Policy
from rights.domain.package import branch_for, parts_in_order
from rights.kernel import rows
from rights.kernel.clock import to_us
from rights.models import Account, Delegation
from rights.services.delegations import Use, admit_use, covers, owner_of
from settlement.domain.envelope import Envelope
from settlement.selectors.candidates import Wanted
from settlement.services.package_use import OpenPackage, open_package
from settlement.services.request_refusal import RequestRefused, refused_as

# What routes of the delegation may still come to, but for this request's own locks, which new ones take the place of. Of those it was passed
# on to that have ended, too: their work goes on in the room they gave back.
_PENDING = """
WITH RECURSIVE own AS (SELECT %s::bigint AS id UNION ALL
    SELECT d.id FROM own JOIN rights_delegation d ON d.parent_id = own.id WHERE d.state <> 'active')
SELECT coalesce(sum(t.units), 0)::bigint FROM own JOIN settlement_request q ON q.delegation_id = own.id JOIN settlement_route t ON t.request_id = q.id
WHERE q.state <> 'settled' AND (t.state = 'executing' OR t.state = 'locked' AND q.id IS DISTINCT FROM %s::uuid)
"""


class Source(msgspec.Struct, frozen=True):
    """`words`: the policies beside the rights' own, in the order in which they narrow. `package`: where the units come out of one."""

    holder_id: int
    delegation_id: int | None
    wanted: tuple[Wanted, ...]
    words: tuple[tuple[str, Policy], ...]
    package: OpenPackage | None = None


def source_of(*, envelope: Envelope, account_id: int, request_id: str, now_us: int) -> Source:
    """The source, with the package and the delegation under lock. Raises RequestRefused, LifecycleRefusedError with the bound that stands in
    the way.
    """
    own = ("request", _word(envelope))
    named = tuple(Wanted(found.right_id, found.max_spend_units) for found in envelope.candidates)
    package = _package_of(envelope, account_id)
    if envelope.delegation_id is None:
        if package is None:
            return Source(account_id, None, named, (own,))
        _check_held(package, account_id)
        return Source(account_id, None, _parts_wanted(package, envelope, named), (own,), package)
    row = _admitted(envelope, account_id, request_id, now_us)
    bounds = Policy(latest_us=to_us(row.valid_until), fallbacks=None if row.fallback_allowed else frozenset())
    words = (("delegation", bounds), own)
    if package is not None:
        _check_held(package, owner_of(row))
        return Source(owner_of(row), row.pk, _parts_wanted(package, envelope, named), words, package)
    if not named and row.right_id is not None:
        named = (Wanted(str(row.right_id)),)
    foreign = [found.right_id for found in named if not covers(row, found.right_id)]
    if foreign:
        raise refused_as("delegation_right", f"the delegation is of other rights than rgt_{foreign[0]}")
    return Source(owner_of(row), row.pk, named, words)


_NAMED = "SELECT id FROM rights_package WHERE uuid = %s"
_DELEGATED = """
SELECT p.id, p.uuid::text FROM rights_delegation d JOIN rights_package p ON p.id = d.package_id WHERE d.uuid = %s AND d.delegate_id = %s
"""


def _package_of(envelope: Envelope, account_id: int) -> OpenPackage | None:
    """The package that the request names, or its delegation is of, under lock: it comes before the delegation."""
    if envelope.delegation_id is None:
        found = None if envelope.package_id is None else rows.fetch_one(_NAMED, [envelope.package_id])
        if found is None and envelope.package_id is not None:
            raise _not_held()
    else:
        found = rows.fetch_one(_DELEGATED, [envelope.delegation_id, account_id])
        if envelope.package_id is not None and (found is None or found[1] != envelope.package_id):
            raise refused_as("package_not_taken", "the delegation is not of that package")
    if found is None and envelope.branch:
        raise refused_as("branch_unknown", "only a strategy has branches")
    return None if found is None else open_package(found[0])


def _check_held(package: OpenPackage, holder_id: int) -> None:
    """In whose hands it is now, and not when whoever asks looked; what is not his looks like one that is not there."""
    if package.row.holder_id != holder_id:
        raise _not_held()
    if package.row.state != "active":
        raise refused_as("package_ended", "the package was taken apart")


def _not_held() -> RequestRefused:
    return refused_as("package_not_held", "no such package is in the holder's hands")


def _parts_wanted(package: OpenPackage, envelope: Envelope, named: Sequence[Wanted]) -> tuple[Wanted, ...]:
    """The package's parts in its own order, or those of them that are named; of each no more than the package has."""
    row, branch = package.row, envelope.branch
    if row.type == "strategy":
        branches = sorted({part.branch for part in package.parts})
        branch = branch or branch_for(parts=package.parts, rules=row.rules, workload=envelope.workload) or ""
        if branch not in branches:
            asked = f"it has no branch {branch}" if branch else f"no branch of it is for {envelope.workload}"
            raise refused_as("branch_unknown", f"{asked}: it has {', '.join(branches)}")
    elif branch:
        raise refused_as("branch_unknown", f"only a strategy has branches, not a {row.type}")
    parts = parts_in_order(row.type, package.parts, branch)
    most = {one.right_id: one.max_spend_units for one in named}
    foreign = sorted(most.keys() - {part.right_id for part in parts})
    if foreign:
        raise refused_as("package_right", f"the package{' has in that branch' if branch else ' has'} no rgt_{foreign[0]}")
    wanted = [part for part in parts if not most or part.right_id in most]
    return tuple(Wanted(part.right_id, most.get(part.right_id), part.units, part.tier, part.branch) for part in wanted)


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
