"""A loop has threads for all its connections at once."""

import asyncio
import threading

from django.conf import settings

from settlement.services.off_loop import give_threads


async def test_every_connection_may_be_used_at_once_and_something_else_beside():
    connections = settings.DATABASES["default"]["OPTIONS"]["pool"]["max_size"]
    give_threads(asyncio.get_running_loop())
    all_there = threading.Barrier(connections + 1)
    places = await asyncio.gather(*(asyncio.to_thread(all_there.wait, 30) for _ in range(connections + 1)))
    assert sorted(places) == list(range(connections + 1))
