"""Calls become requests: which right each uses, its envelope, its route, and the work. All of it beside the event loop, in one transaction
for those that come at the same time.
"""

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from exchange.api import fields
from exchange.api.gateway.asked import Asked
from exchange.api.problems import Problem
from exchange.selectors.usable_rights import UsableRight, ask_named, ask_usable, delegated_right, read_rights
from exchange.services.identity import Principal
from exchange.services.key_standing import KeyEnded, Standing, ask_standing
from exchange.services.request_bounds import RequestBounded, usable_classes, within_bounds
from rights.domain.capability import RESOURCE_OF
from rights.kernel import rows
from rights.kernel.ids import Mint
from rights.kernel.retry import begun_again, in_one
from rights.kernel.trip import Trip
from settlement.domain.envelope import Candidate, Envelope
from settlement.domain.metering import OPERATIONS, ceiling_of
from settlement.domain.work import Work
from settlement.services.cancel import cancel_request
from settlement.services.enter import Entered, enter_requests
from settlement.services.gathered import Apart
from settlement.services.route import with_cash
from settlement.services.submit import Ask

MINT = Mint()
_CLASSES = "SELECT key FROM rights_computeclass WHERE key = ANY(%s::text[])"
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


class Coming(msgspec.Struct, frozen=True):
    """A call that becomes a request under this id."""

    asked: Asked
    named: Named
    who: Principal
    request_id: str

    @property
    def workload(self) -> str:
        return OPERATIONS[self.asked.operation]

    @property
    def resource(self) -> str:
        return RESOURCE_OF[self.workload]


def enter(calls: Sequence[Coming], *, now_us: int) -> list[Work | Exception]:
    """Of each the work of a new request that is executing from now on, or why there is none: Problem `right_missing`, `right_busy`,
    RequestRefused, KeyEnded; Apart where it is to be done by itself. None of them is of a delegation. Raises what came of a COMMIT that may
    be in.
    """
    entered = in_one(lambda: _enter(calls, now_us), of=len(calls))
    if entered is None:
        return [Apart() for _ in calls]
    return [_work(call, one, now_us) for call, one in zip(calls, entered, strict=True)]


def enter_alone(call: Coming, *, now_us: int) -> Work:
    """As `enter`, of any call. Raises as that, LifecycleRefusedError, and what the database raises."""
    (entered,) = begun_again(lambda: with_cash(lambda: _enter([call], now_us)))
    found = _work(call, entered, now_us)
    if isinstance(found, Exception):
        raise found
    return found


def _work(call: Coming, entered: Entered | Exception, now_us: int) -> Work | Exception:
    """What was put off, or whose endpoint was taken away this very moment, is called off: its caller does not wait that long."""
    if entered is not None:
        return entered
    try:
        cancel_request(request_id=call.request_id, reason="its caller does not wait", mint=MINT, actor=call.who.actor, now_us=now_us)
    except Exception as error:  # noqa: BLE001 - as above
        return error
    return Problem("right_busy")


def _enter(calls: Sequence[Coming], now_us: int) -> list[Entered | Exception]:
    facts = _look(calls, now_us)
    entered: dict[int, Entered | Exception] = {}
    asks: dict[int, Ask] = {}
    for place, call in enumerate(calls):
        try:
            asks[place] = _ask(call, facts, now_us)
        except (Problem, KeyEnded, RequestBounded) as refused:
            entered[place] = refused
    if asks:
        payloads = {call.request_id: call.asked.payload.decode() for call in calls}
        entered.update(zip(asks, enter_requests(asks=list(asks.values()), payloads=payloads, mint=MINT, now_us=now_us), strict=True))
    return [entered[place] for place in range(len(calls))]


class _Facts(msgspec.Struct):
    """What calls are understood by: their keys' standing, the rights that they name, or may use, by account and resource, and classes."""

    standings: Mapping[int, Standing]
    named: Mapping[str, UsableRight]
    usable: Mapping[tuple[int, str], list[UsableRight]]
    classes: frozenset[str]


def _look(calls: Sequence[Coming], now_us: int) -> _Facts:
    trip = Trip()
    standing = ask_standing(trip, [call.who.key_id for call in calls if call.who.key_id is not None], now_us=now_us)
    named = ask_named(trip, right_ids=sorted({right for call in calls for right in call.named.rights}))
    own = {(call.who.account_id, call.resource) for call in calls if not call.named.rights and call.named.delegation is None}
    usable = {
        (account_id, resource): ask_usable(trip, account_id=account_id, resources=[resource], now_us=now_us)
        for account_id, resource in sorted(own)
    }
    models = {call.asked.model for call in calls if fields.SYMBOL.fullmatch(call.asked.model)}
    classes = trip.ask(_CLASSES, [rows.text_array(sorted(models))])
    trip.go()
    return _Facts(
        standing.read(),
        {right.right_id: right for right in read_rights(named)},
        {key: read_rights(answer) for key, answer in usable.items()},
        frozenset(row[0] for row in classes.rows()),
    )


def _ask(call: Coming, facts: _Facts, now_us: int) -> Ask:
    """The request as the caller's key may send it. Raises Problem `right_missing`, KeyEnded, RequestBounded."""
    asked, named, who = call.asked, call.named, call.who
    standing = None if who.key_id is None else facts.standings[who.key_id]
    if standing is not None:
        standing.check()
    is_bounded = standing is not None and standing.is_bounded
    rights = _rights(call, facts, now_us, is_bounded=is_bounded)
    unit = rights[0].unit if rights else "tokens"
    envelope = Envelope(
        workload=call.workload,
        operation=asked.operation,
        expected_units=ceiling_of(asked.operation, asked.body).units(unit),
        candidates=_candidates(rights, named, unit),
        payload_hash=hashlib.sha256(asked.payload).hexdigest(),
        delegation_id=named.delegation,
    )
    if is_bounded:
        envelope = within_bounds(key_id=who.key_id, envelope=envelope, now_us=now_us)
    return Ask(envelope, who.account_id, who.account_uuid, None, call.request_id, who.actor)


def _rights(call: Coming, facts: _Facts, now_us: int, *, is_bounded: bool) -> list[UsableRight]:
    """The rights that are meant: those named, the delegation's, or whatever fits; of a class when the model is named as one."""
    named, who, resource = call.named, call.who, call.resource
    if named.rights:
        return [facts.named[right_id] for right_id in named.rights if right_id in facts.named]
    if named.delegation is not None:
        found = delegated_right(delegation_id=named.delegation, account_id=who.account_id)
        return [] if found is None else [found]
    usable = facts.usable[who.account_id, resource]
    if not usable:
        raise Problem("right_missing", f"you hold no active right to {resource} whose window is open and that has units left")
    if is_bounded:
        allowed = usable_classes(key_id=who.key_id, class_keys={right.class_key for right in usable}, now_us=now_us)
        usable = [right for right in usable if right.class_key in allowed] or usable  # where none may be used, the refusal says why
    of_class = [right for right in usable if right.class_key == call.asked.model]
    if not of_class and call.asked.model in facts.classes:
        raise Problem(
            "right_missing", f"you hold no active right of {call.asked.model} to {resource} whose window is open and that has units left"
        )
    return of_class or usable


def _candidates(rights: Sequence[UsableRight], named: Named, unit: str) -> tuple[Candidate, ...]:
    """As the router takes them: what counts in another unit than the first is left out; of a delegation the router knows itself."""
    if named.delegation is not None and not named.rights:
        return ()
    if named.rights:
        return tuple(Candidate(right_id) for right_id in named.rights)
    return tuple(Candidate(right.right_id) for right in rights if right.unit == unit)
