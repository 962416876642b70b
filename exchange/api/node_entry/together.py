"""What nodes ask for at once goes together, one transaction after another; what only one asks for now and then, by itself."""

import logging
from collections.abc import Sequence
from typing import TypeVar

from django.db import DatabaseError

from exchange.services import job_bell
from exchange.services.signed_requests import KnownNode
from rights.kernel.clock import now_us
from rights.kernel.ids import Mint
from rights.kernel.retry import begun_again, in_one
from settlement.services.complete import Answered, GivenBack, Handed, complete_together, fail_jobs
from settlement.services.gather import gather
from settlement.services.gathered import Apart, Gathered
from settlement.services.lease import MOST_AT_ONCE, Keep, Lease, Wish, keep_leases, lease_together
from settlement.services.off_loop import in_thread

MOST_JOBS = 2 * MOST_AT_ONCE  # in one transaction, with the payload of each
_LOG = logging.getLogger(__name__)
_MINT = Mint()
Answer = TypeVar("Answer")


def _lease(wishes: Sequence[Wish]) -> Sequence[list[Lease] | Exception]:
    return in_one(lambda: lease_together(wishes=wishes, now_us=now_us()), of=len(wishes)) or [Apart() for _ in wishes]


def _lease_alone(wish: Wish) -> list[Lease]:
    return _told(*begun_again(lambda: lease_together(wishes=[wish], now_us=now_us())))


def _complete(calls: Sequence[Handed]) -> Sequence[list[Answered] | Exception]:
    return in_one(lambda: complete_together(calls=calls, now_us=now_us()), of=len(calls)) or [Apart() for _ in calls]


def _complete_alone(call: Handed) -> list[Answered]:
    return _told(*begun_again(lambda: complete_together(calls=[call], now_us=now_us())))


def _told(answer: Answer | Exception) -> Answer:
    if isinstance(answer, Exception):
        raise answer
    return answer


def _receive(over: Sequence[frozenset[str]]) -> list[None]:
    """Nothing that goes wrong here takes answers back."""
    try:
        begun_again(lambda: gather(request_ids=frozenset().union(*over), mint=_MINT, now_us=now_us()))
    except DatabaseError:
        _LOG.exception("receipts are left to the timetable")
    return [None] * len(over)


def _fail(*, call: GivenBack, node: KnownNode) -> list[Answered]:
    told = begun_again(lambda: fail_jobs(call=call, now_us=now_us()))
    job_bell.ring(node.supplier, len(told))
    return told


LEASES: Gathered[Wish, list[Lease]] = Gathered(_lease, _lease_alone, weight=lambda wish: wish.most, heaviest=MOST_JOBS)
_RESULTS: Gathered[Handed, list[Answered]] = Gathered(_complete, _complete_alone, weight=lambda call: len(call.results), heaviest=MOST_JOBS)
_RECEIPTS: Gathered[frozenset[str], None] = Gathered(_receive)


async def complete(call: Handed) -> list[Answered]:
    """One answer for each result, once the receipts of what is over with them are there. Raises NonceUsed, NodeBarred."""
    return await _received(await _RESULTS(call))


async def fail(call: GivenBack, node: KnownNode) -> list[Answered]:
    """One answer for each job; others are told that they may have it now. Raises as `fail_jobs`."""
    return await _received(await in_thread(_fail, call=call, node=node))


async def _received(answers: list[Answered]) -> list[Answered]:
    """Whoever ended the last job of a request records its receipt: while that is under way, other results are taken."""
    over = frozenset(answered.request_id for answered in answers if answered.request_id)
    if over:
        await _RECEIPTS(over)
    return answers


async def keep(call: Keep) -> dict[str, int]:
    """As `keep_leases`."""
    return await in_thread(_kept, call=call)


def _kept(*, call: Keep) -> dict[str, int]:
    return begun_again(lambda: keep_leases(call=call, now_us=now_us()))
