"""A book that is too far behind takes no more orders, takes every cancel, and forgets nothing it took."""

import asyncio
from collections import Counter

import pytest
from django.conf import settings
from django.db import connection

from exchange.api.order_entry.promise import door
from exchange.domain.command import Phase
from exchange.feed import backlog as backlogs
from exchange.feed import hub as feed
from exchange.models.book import CommandKind
from exchange.services.batch import Outcome, match_once
from exchange.services.intake import NewCommand, submit_one
from exchange.services.lane import LaneMemory
from exchange.services.payload import AmendPayload, CancelManyPayload, CancelPayload, Payload, PhasePayload, PlacePayload, encode
from exchange.services.rules import rules_of
from rights.kernel.clock import now_us
from rights.kernel.ids import Mint
from tests.feed.client import until
from tests.feed.market import list_one

MINT = Mint()
BOUND = 8
ORDER = PlacePayload(side=0, type=0, quantity_lots=1, price_ticks=10)


@pytest.fixture
async def hub(in_thread, monkeypatch):
    monkeypatch.setattr(settings, "PENDING_PER_BOOK", BOUND)
    yield await feed.started()
    await feed.stop()


@pytest.fixture
async def book(lane, in_thread) -> int:
    await in_thread(rules_of)(lane.book_id)
    return lane.book_id


def command(book_id: int, account_id: int, payload: Payload = ORDER, cid: str | None = None) -> NewCommand:
    kinds = {
        PlacePayload: CommandKind.PLACE,
        AmendPayload: CommandKind.AMEND,
        CancelPayload: CommandKind.CANCEL,
        CancelManyPayload: CommandKind.CANCEL_MANY,
    }
    order_id = None if isinstance(payload, CancelManyPayload) else MINT.uuid(now_us())
    return NewCommand(book_id, account_id, int(kinds[type(payload)]), encode(payload), "test", order_id, cid)


def stored(book_id: int) -> Counter[int]:
    """How many commands of each kind were written for the book."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT kind, count(*) FROM exchange_command WHERE book_id = %s GROUP BY kind", [book_id])
        return Counter(dict(cursor.fetchall()))


def match(book_id: int) -> None:
    lane = LaneMemory()
    while match_once(lane, book_id=book_id, now_us=now_us()).outcome is Outcome.MATCHED:
        pass


async def test_orders_are_refused_at_the_bound_and_cancels_never(hub, book, account, in_thread):
    first = await door().promise([command(book, account) for _ in range(BOUND - 2)])
    assert all(p.n for p in first)
    change = AmendPayload(quantity_lots=2)
    asked = [ORDER, CancelPayload(), ORDER, change, CancelManyPayload(), ORDER, CancelPayload()]
    promises = await door().promise([command(book, account, payload) for payload in asked])
    # The first cancel takes the last place; those after it go beyond the bound.
    assert [p.busy for p in promises] == [False, False, True, True, False, True, False]
    assert [p.n is None for p in promises] == [p.busy for p in promises]
    assert await in_thread(stored)(book) == {CommandKind.PLACE: BOUND - 1, CommandKind.CANCEL: 2, CommandKind.CANCEL_MANY: 1}
    assert hub.backlog.room(book) == -2


async def test_many_at_once_do_not_pass_the_bound(hub, book, account, in_thread):
    calls = [door().promise([command(book, account), command(book, account)]) for _ in range(BOUND)]
    promises = [p for call in await asyncio.gather(*calls) for p in call]
    assert [p.busy for p in promises] == [False] * BOUND + [True] * BOUND
    assert await in_thread(stored)(book) == {CommandKind.PLACE: BOUND}


async def test_one_book_behind_holds_up_no_other(hub, book, account, in_thread):
    other = (await in_thread(list_one)()).pk
    await in_thread(rules_of)(other)
    await door().promise([command(book, account) for _ in range(BOUND)])
    promises = await door().promise([command(b, account) for b in (book, other, book, other)])
    assert [p.busy for p in promises] == [True, False, True, False]


async def test_what_was_taken_before_is_told_again_though_there_is_no_room(hub, book, account):
    one = command(book, account, cid="mine")
    await door().promise([one, *(command(book, account) for _ in range(BOUND - 1))])
    again, fresh = await door().promise([command(book, account, cid="mine"), command(book, account, cid="other")])
    assert (again.busy, again.twin_order_id, again.twin_payload, again.twin_book) == (True, one.order_id, one.payload, book)
    assert (fresh.busy, fresh.twin_order_id) == (True, None)


async def test_room_returns_when_the_book_catches_up(hub, book, account, in_thread):
    await door().promise([command(book, account) for _ in range(BOUND)])
    assert (await door().promise([command(book, account)]))[0].busy
    await in_thread(match)(book)
    await until(lambda: hub.backlog.room(book) == BOUND)
    assert not (await door().promise([command(book, account)]))[0].busy


async def test_what_others_hand_in_counts_from_the_next_look_on(hub, book, account, in_thread):
    def others() -> None:
        for _ in range(BOUND + 3):
            submit_one(
                book_id=book, kind=CommandKind.SET_PHASE, payload=PhasePayload(phase=int(Phase.HALTED)), actor="test", now_us=now_us()
            )

    await in_thread(others)()
    assert hub.backlog.waiting(book) == 0
    assert not (await door().promise([command(book, account)]))[0].busy
    await until(lambda: hub.backlog.waiting(book) == BOUND + 4)
    assert (await door().promise([command(book, account)]))[0].busy


async def test_a_failed_commit_leaves_nothing_counted(hub, book, account):
    bad = command(book, account)
    bad.order_id = "no id"
    with pytest.raises(Exception, match="uuid"):
        await door().promise([bad, command(book, account)])
    assert hub.backlog.waiting(book) == 0


def test_it_looks_seldom_at_little_and_often_at_much(monkeypatch):
    now = 100.0
    monkeypatch.setattr(backlogs.time, "monotonic", lambda: now)
    lines = backlogs.Backlog(bound=100)
    pressed = []
    lines.on_pressure = lambda: pressed.append(lines.waiting(1))
    assert not lines.is_due
    lines.enter({1: 1})
    assert lines.is_due
    lines._looked_at = now
    assert not lines.is_due
    lines.leave({1: 1}, stored=True)
    now += backlogs.SELDOM_S
    assert lines.is_due
    lines._looked_at = now
    lines.enter({1: 24})
    assert lines.is_due
    assert not pressed
    lines.enter({1: 25})
    assert pressed == [50]
    lines.leave({1: 49}, stored=False)
    assert lines.waiting(1) == 1
