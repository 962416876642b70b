"""What a process under the trap can be told to do, each act at its own given moment, and how its client asks again.

Whoever is told "accepted" does not repeat. Whoever hears nothing repeats: with the same client_order_id where there is one, and
otherwise after looking whether it was done, as API.md tells clients to.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from django.db import connection, transaction

from exchange.api.order_entry import promise
from exchange.domain.command import Phase
from exchange.feed import pool
from exchange.services import batch, freeze, funding, intake, participants, phases, timetable
from exchange.services.batch import Outcome, match_once
from exchange.services.lane import LaneMemory
from exchange.services.operator_refusal import OperatorRefusal
from rights.kernel import rows
from rights.kernel.ids import Mint, numbered
from rights.models import Account, Issuer, Participant
from settlement.services import issuance
from tests.faults import crowd
from tests.faults.trap import Trap

PATIENCE_S = 20.0
Report = Callable[..., None]
Act = dict[str, Any]


class SameMint(Mint):
    """Ids that a second attempt mints alike."""

    def __init__(self) -> None:
        super().__init__()
        self._minted = 0

    def uuid(self, now_us: int) -> str:
        self._minted += 1
        return numbered(now_us, 0xFFFFFF, self._minted)


def perform(job: dict[str, Any], report: Report) -> None:
    """Do the acts in order; `skip` names those that were told done before, `again` that this is the second attempt."""
    connection.ensure_connection()
    trap = Trap(*job.get("kill", ()))
    trap.set()
    for number, act in enumerate(job["acts"]):
        if number in job.get("skip", ()):
            continue
        answer = DO[act["do"]](act, bool(job.get("again")))
        report(act=number, answer=answer, steps=trap.steps)


def _commands(act: Act, *, again: bool) -> list[intake.NewCommand]:
    """A client that asks again mints a new order id: the one under its client_order_id counts."""
    commands = [intake.NewCommand(**c) for c in act["commands"]]
    for command, other in zip(commands, act.get("second_ids", ()), strict=False):
        if again and command.client_order_id is not None:
            command.order_id = other
    return commands


def _known(command: intake.NewCommand) -> int | None:
    """The number of this very command if it is stored."""
    found = rows.fetch_all(
        "SELECT n FROM exchange_command WHERE book_id = %s AND kind = %s AND account_id IS NOT DISTINCT FROM %s "
        "AND order_id IS NOT DISTINCT FROM %s AND payload = %s",
        [command.book_id, command.kind, command.account_id, command.order_id, command.payload],
    )
    return found[0][0] if found else None


def _door(act: Act, again: bool) -> Any:
    commands = _commands(act, again=again)
    if again:
        commands = [c for c in commands if c.client_order_id is not None or _known(c) is None]
    if not commands:
        return []
    promise.now_us = lambda: int(act["now_us"])

    async def knock() -> list[promise.Promise]:
        try:
            return await promise.door().promise(commands)
        finally:
            await pool.close()

    promises = asyncio.run(knock())
    return [[p.n or p.twin_n, p.n is None, p.twin_order_id or c.order_id] for c, p in zip(commands, promises, strict=True)]


def _submit(act: Act, again: bool) -> Any:
    commands = [c for c in _commands(act, again=again) if not again or _known(c) is None]
    with transaction.atomic():
        return intake.submit(commands=commands, now_us=act["now_us"])


_lane = LaneMemory()  # of this process: a second match finds the book remembered


def _match(act: Act, again: bool) -> Any:
    deadline = time.monotonic() + act.get("patience_s", PATIENCE_S)
    applied = 0
    while True:
        matched = match_once(_lane, book_id=act["book"], now_us=act["now_us"])
        if matched.outcome is Outcome.IDLE:
            return applied
        applied += matched.commands
        # Busy: the server has not yet noticed that whoever held the book is gone.
        if time.monotonic() > deadline:
            raise TimeoutError(f"book {act['book']} is still busy")


def _torn(act: Act, again: bool) -> Any:
    """A matcher as it must not be: every statement commits by itself. Only the second attempt is sound."""
    whole = batch.transaction
    if not again:
        batch.transaction = SimpleNamespace(atomic=lambda **_: contextlib.nullcontext())  # type: ignore[assignment]
    try:
        return _match(act, again)
    finally:
        batch.transaction = whole


def _freeze(act: Act, again: bool) -> Any:
    try:
        return freeze.freeze_right(
            right_id=act["right"], freeze_reason="dispute", reason="a complaint", actor="command:test", now_us=act["now_us"]
        )
    except OperatorRefusal as refusal:
        if again and refusal.code == "lifecycle_refused":
            return "done before"
        raise


def _suspend(act: Act, again: bool) -> Any:
    participant = Participant.objects.get(slug=act["slug"])
    try:
        return participants.suspend(participant=participant, reason="a complaint", actor="command:test", now_us=act["now_us"])
    except OperatorRefusal as refusal:
        if again and refusal.code == "status_unchanged":
            return "done before"
        raise


def _phase(act: Act, again: bool) -> Any:
    if again and rows.fetch_all(
        "SELECT 1 FROM exchange_command WHERE kind = 4 AND book_id = %s AND payload = %s", [act["book"], act["payload"]]
    ):
        return "done before"
    return phases.set_phase(book_id=act["book"], phase=Phase(act["phase"]), reason=act["reason"], actor=act["actor"], now_us=act["now_us"])


def _timetable(act: Act, again: bool) -> Any:
    return timetable.run_due(now_us=act["now_us"]).rights_expired


def _fund(act: Act, again: bool) -> Any:
    move = {"fund": funding.fund, "withdraw": funding.withdraw}[act["way"]]
    mint = SameMint()
    if again and rows.fetch_all("SELECT 1 FROM settlement_posting WHERE entry_id = %s", [SameMint().uuid(act["now_us"])]):
        return "done before"
    account = Account.objects.get(pk=act["account"])
    move(account=account, amount=act["amount"], currency="USD", reason="test", mint=mint, actor="command:test", now_us=act["now_us"])
    return None


def _issue(act: Act, again: bool) -> Any:
    if again and rows.fetch_all("SELECT 1 FROM rights_right WHERE id = %s", [SameMint().uuid(act["now_us"])]):
        return "done before"
    issuer, holder = Issuer.objects.get(slug="issuer"), Account.objects.get(pk=act["account"])
    issuance.issue_right(
        issuer=issuer, holder=holder, document=act["document"], mint=SameMint(), actor="command:test", now_us=act["now_us"]
    )
    return None


DO: dict[str, Callable[[Act, bool], Any]] = {
    "door": _door,
    "submit": _submit,
    "match": _match,
    "torn match": _torn,
    "freeze": _freeze,
    "suspend": _suspend,
    "phase": _phase,
    "timetable": _timetable,
    "fund": _fund,
    "issue": _issue,
    "drain": crowd.drain,
    "crowd": crowd.crowd,
    "meddle": crowd.meddle,
    "end": crowd.end,
}
