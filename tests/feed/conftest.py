"""A committed market for the tests of the feed. Its rows are append-only, so nothing is wiped: each test lists its own instrument."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
from asgiref.sync import sync_to_async
from django.core.management import call_command
from django.db import connection, connections

from exchange.feed import hub as feed
from exchange.models import Instrument
from tests.feed.market import Lane, Owner, list_one, open_account, open_owner
from tests.feed.serving import serving


@pytest.fixture(scope="session")
def django_db_modify_db_settings(embedded_servers) -> None:
    """The test database is made on the session's own servers."""


@pytest.fixture(scope="package", autouse=True)
def leave_nothing(django_db_setup, django_db_blocker) -> Iterator[None]:
    """What these tests committed is gone before others begin."""
    yield
    if not connection.settings_dict["NAME"].startswith("test_"):
        return  # of these tests none that commits was asked for, so no test database was made
    with django_db_blocker.unblock():
        call_command("flush", verbosity=0, interactive=False, reset_sequences=False)
        connections.close_all()


@pytest.fixture
async def in_thread(db) -> AsyncIterator[Callable]:
    """Run blocking work with the ORM. Another thread's connection is outside the test's transaction: what it does is committed."""
    yield sync_to_async
    await sync_to_async(connections.close_all)()


@pytest.fixture
async def hub(in_thread) -> AsyncIterator[feed.Hub]:
    yield await feed.started()
    await feed.stop()


@pytest.fixture
async def lane(in_thread) -> Lane:
    """A new instrument whose lane the test plays."""
    return await in_thread(Lane)((await in_thread(list_one)()).pk)


@pytest.fixture
async def account(in_thread) -> int:
    return await in_thread(open_account)()


@pytest.fixture
async def url(in_thread) -> AsyncIterator[str]:
    """The socket of a web process that serves this test."""
    async with serving() as address:
        yield address


@pytest.fixture
async def owner(in_thread) -> Owner:
    """A new participant's account with a key."""
    return await in_thread(open_owner)()


@pytest.fixture
async def http(url, owner) -> AsyncIterator[httpx.AsyncClient]:
    """The owner's calls to the same web process; it waits for no outcome."""
    base = url.replace("ws://", "http://").removesuffix("/ws/v1") + "/api/v1"
    async with httpx.AsyncClient(
        base_url=base, headers={"Authorization": f"Bearer {owner.token}", "Prefer": "respond-async"}, timeout=30
    ) as client:
        yield client


@pytest.fixture
async def order(lane, in_thread) -> dict[str, Any]:
    """A small bid in the lane's book."""
    instrument = await in_thread(Instrument.objects.get)(pk=lane.book_id)
    return {"instrument": instrument.symbol, "side": "buy", "quantity": "1", "price": "0.010"}
