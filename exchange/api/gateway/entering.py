"""A call becomes a request: which right it uses, its envelope, its route, and the work. All of it beside the event loop, in two transactions."""

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from exchange.api import fields
from exchange.api.gateway.asked import Asked
from exchange.api.problems import Problem
from exchange.selectors.usable_rights import UsableRight, delegated_right, named_rights, usable_rights
from exchange.services.identity import Principal
from exchange.services.request_bounds import usable_classes, within_bounds
from rights.domain.capability import RESOURCE_OF
from rights.kernel import rows
from rights.kernel.ids import Mint
from rights.kernel.planned import load_one
from rights.models import Account
from settlement.domain.envelope import Candidate, Envelope
from settlement.domain.metering import OPERATIONS, ceiling_of
from settlement.domain.work import Work
from settlement.services.begin import begin_execution
from settlement.services.cancel import cancel_request
from settlement.services.submit import submit_request

MINT = Mint()
_IS_CLASS = "SELECT 1 FROM rights_computeclass WHERE key = %s"
MOST_NAMED = 8


class Named(msgspec.Struct, frozen=True):
    """What the caller's headers say of the rights that it means; bare UUIDs."""

    rights: tuple[str, ...] = ()
    delegation: str | None = None


def read_named(headers: Mapping[str, str], model: str) -> Named:
    """`X-Right`: one right or several, the first first; `X-Delegation`; or a right's id in the place of the model's name. Raises FieldError."""
    text = headers.get("x-right") or (model if model.startswith("rgt_") else "")
    names = [name.strip() for name in text.split(",")] if text else []
    if len(names) > MOST_NAMED or len(set(names)) < len(names):
        raise fields.FieldError("X-Right", f"names at most {MOST_NAMED} rights, each once")
    delegation = headers.get("x-delegation")
    return Named(
        tuple(fields.public_id(name, "X-Right", "rgt") for name in names),
        None if delegation is None else fields.public_id(delegation, "X-Delegation", "dlg"),
    )


def enter(*, asked: Asked, named: Named, who: Principal, request_id: str, now_us: int) -> Work:
    """The work of a new request that is executing from now on. Raises Problem `right_missing`, RequestRefused, LifecycleRefusedError."""
    workload = OPERATIONS[asked.operation]
    rights = _rights(asked, named, who, workload, now_us)
    unit = rights[0].unit if rights else "tokens"
    envelope = Envelope(
        workload=workload,
        operation=asked.operation,
        expected_units=ceiling_of(asked.operation, asked.body).units(unit),
        candidates=_candidates(rights, named, unit),
        payload_hash=hashlib.sha256(asked.payload).hexdigest(),
        delegation_id=named.delegation,
    )
    envelope = within_bounds(key_id=who.key_id, envelope=envelope, now_us=now_us)
    account = load_one(Account, "id = %s", [who.account_id])
    submit_request(
        envelope=envelope, account=account, payload=None, request_id=request_id, mint=MINT, actor=who.actor, now_us=now_us, choose=True
    )
    work = begin_execution(request_id=request_id, actor=who.actor, now_us=now_us, payload=asked.payload.decode())
    if work is None:
        # Put off, or its endpoint was taken away this very moment: the caller does not wait that long, so nothing is left behind.
        cancel_request(request_id=request_id, reason="its caller does not wait", mint=MINT, actor=who.actor, now_us=now_us)
        raise Problem("right_busy")
    return work


def _rights(asked: Asked, named: Named, who: Principal, workload: str, now_us: int) -> list[UsableRight]:
    """The rights that are meant: those named, the delegation's, or whatever fits; of a class when the model is named as one."""
    if named.rights:
        return named_rights(right_ids=named.rights)
    if named.delegation is not None:
        found = delegated_right(delegation_id=named.delegation, account_id=who.account_id)
        return [] if found is None else [found]
    resource = RESOURCE_OF[workload]
    usable = usable_rights(account_id=who.account_id, resources=[resource], now_us=now_us)
    if not usable:
        raise Problem("right_missing", f"you hold no active right to {resource} whose window is open and that has units left")
    allowed = usable_classes(key_id=who.key_id, class_keys={right.class_key for right in usable}, now_us=now_us)
    usable = [right for right in usable if right.class_key in allowed] or usable  # where none may be used, the refusal says why
    of_class = [right for right in usable if right.class_key == asked.model]
    if not of_class and fields.SYMBOL.fullmatch(asked.model) and rows.fetch_one(_IS_CLASS, [asked.model]):
        raise Problem(
            "right_missing", f"you hold no active right of {asked.model} to {resource} whose window is open and that has units left"
        )
    return of_class or usable


def _candidates(rights: Sequence[UsableRight], named: Named, unit: str) -> tuple[Candidate, ...]:
    """As the router takes them: what counts in another unit than the first is left out; of a delegation the router knows itself."""
    if named.delegation is not None and not named.rights:
        return ()
    if named.rights:
        return tuple(Candidate(right_id) for right_id in named.rights)
    return tuple(Candidate(right.right_id) for right in rights if right.unit == unit)
