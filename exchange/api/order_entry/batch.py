"""POST /orders/batch: up to 500 operations, applied in order, one result each, never all or nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from channels.db import database_sync_to_async

from exchange.api import fields
from exchange.api.fields import BadFields, FieldError, unknown
from exchange.api.order_entry.operations import (
    CANCEL,
    Ready,
    aim_of,
    books_of,
    change_answer,
    orders_of_client_ids,
    place_answer,
    read_place,
    run,
)
from exchange.api.order_entry.parse import amend_payload
from exchange.api.order_entry.told import Outcomes
from exchange.api.problems import Problem, problem_body, problem_of
from exchange.models.book import CommandKind
from exchange.services.identity import Principal
from exchange.services.intake import NewCommand
from exchange.services.payload import encode
from exchange.services.rate_limit import RateLimited
from exchange.services.rules import known_book, rules_of

MOST = 500
SCOPES = {"place": "trade", "amend": "trade", "cancel": "cancel"}
REFUSED = (FieldError, BadFields, Problem, RateLimited)


class Slot(msgspec.Struct, gc=False):
    """One operation: ready to be stored, or already refused. `late` refuses a place unless the same is there already."""

    op: str
    ready: Ready | None = None
    problem: Problem | None = None
    late: BadFields | None = None


class Aimed(msgspec.Struct, gc=False):
    """An amend or a cancel whose order is still to be looked up, by id or by client_order_id.

    `fresh` would place the order of that client_order_id earlier in this call.
    """

    slot: Slot
    order_id: str | None
    cid: str | None
    rest: Mapping[str, Any]
    fresh: Slot | None


def operations_of(body: Any) -> list[Any]:
    """The list in `{"operations": [...]}`. Raises FieldError."""
    listed = fields.members(body, "", ("operations",), ("operations",))["operations"]
    return fields.several(listed, "operations", 1, MOST)


async def run_batch(
    body: Any, who: Principal, wait_s: float, now_us: int, request_id: str, limited: RateLimited | None = None
) -> tuple[list[dict[str, Any]], int]:
    """One result per operation, and the newest book sequence among them. Cancels are done also when the rate is `limited`."""
    slots = await _prepare(operations_of(body), who, now_us, limited)
    listed = [s.ready for s in slots if s.ready is not None]
    promises, outcomes = await run(listed, who, wait_s) if listed else ([], Outcomes({}))
    answers = iter(promises)
    results = []
    for slot in slots:
        if slot.ready is None:
            results.append(_refused(slot, request_id))
            continue
        promise = next(answers)
        try:
            answer = place_answer if slot.op == "place" else change_answer
            status, order = await answer(slot.ready, promise, outcomes, who)
            results.append({"op": slot.op, "status": status, "order": order})
        except Problem as problem:
            slot.problem = problem
            results.append(_refused(slot, request_id))
    return results, max((o.batch_seq for o in outcomes.values()), default=0)


def _refused(slot: Slot, request_id: str) -> dict[str, Any]:
    problem = slot.problem or Problem("internal_error")
    return {"op": slot.op, "status": problem.status, "error": problem_body(problem, request_id)}


def _op_of(source: Any, who: Principal) -> str:
    """What the operation is, when the caller may do it."""
    op = fields.mapping(source, "operation").get("op")
    scope = fields.choice(op, "op", SCOPES)
    if scope not in who.scopes:
        raise Problem("scope_missing", f"the scope {scope} is needed")
    return str(op)


async def _prepare(listed: list[Any], who: Principal, now_us: int, limited: RateLimited | None) -> list[Slot]:
    """Everything read and its orders looked up. `limited` refuses all but the cancels."""
    slots: list[Slot] = []
    fresh: dict[str, Slot] = {}  # places of this very call, by client_order_id
    later: list[Aimed] = []
    for source in listed:
        slot = Slot("unknown")
        slots.append(slot)
        try:
            slot.op = _op_of(source, who)
            if limited is not None and slot.op != "cancel":
                raise limited
            rest = {k: v for k, v in source.items() if k != "op"}
            if slot.op == "place":
                slot.ready, slot.late = await read_place(rest, who, now_us)
                if slot.ready.command.client_order_id:
                    fresh.setdefault(slot.ready.command.client_order_id, slot)
            else:
                later.append(_aimed(slot, rest, fresh))
        except REFUSED as error:
            slot.problem = problem_of(error)
    late = [slot for slot in slots if slot.late is not None]
    if later or late:
        await _resolve(later, late, who, now_us)
    return slots


def _aimed(slot: Slot, source: dict[str, Any], fresh: Mapping[str, Slot]) -> Aimed:
    """Which order an amend or a cancel means: by `id` or `client_order_id`, also one placed earlier in this call."""
    order_id, cid, rest = aim_of(source)
    if slot.op == "cancel" and rest:
        raise BadFields([unknown(name) for name in rest])
    return Aimed(slot, order_id, cid, rest, fresh.get(cid or ""))


async def _resolve(later: Sequence[Aimed], late: Sequence[Slot], who: Principal, now_us: int) -> None:
    """Look up all orders that were named, at once. What bears a client_order_id already is meant by it, whatever this call would place."""
    late_cids = [slot.ready.command.client_order_id or "" for slot in late if slot.ready is not None]
    by_cid = await orders_of_client_ids([*late_cids, *(a.cid for a in later if a.cid is not None)], who)
    for slot, cid in zip(late, late_cids, strict=True):
        if cid not in by_cid and slot.late is not None:
            slot.ready, slot.problem = None, problem_of(slot.late)
    ids = [a.order_id for a in later if a.order_id is not None]
    books = await books_of(ids, who) if ids else {}
    books.update(by_cid.values())
    for book_id in set(books.values()):
        if not known_book(book_id):
            await database_sync_to_async(rules_of, thread_sensitive=False)(book_id)
    for aimed in later:
        order_id = aimed.order_id or by_cid.get(aimed.cid or "", ("", 0))[0]
        if not order_id and aimed.fresh is not None and aimed.fresh.ready is not None:
            command = aimed.fresh.ready.command
            order_id = command.order_id or ""
            books[order_id] = command.book_id
        if order_id not in books:
            aimed.slot.problem = Problem("not_found")
            continue
        try:
            _aim(aimed, order_id, books[order_id], who, now_us)
        except REFUSED as error:
            aimed.slot.problem = problem_of(error)


def _aim(aimed: Aimed, order_id: str, book_id: int, who: Principal, now_us: int) -> None:
    rules = rules_of(book_id)
    cancel = aimed.slot.op == "cancel"
    payload = CANCEL if cancel else encode(amend_payload(aimed.rest, rules, now_us))
    command = NewCommand(
        book_id=book_id,
        account_id=who.account_id,
        kind=int(CommandKind.CANCEL if cancel else CommandKind.AMEND),
        payload=payload,
        actor=who.actor,
        order_id=order_id,
        key_id=who.key_id,
    )
    aimed.slot.ready = Ready(command, rules, aimed.cid)
