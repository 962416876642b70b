"""Services beside an event loop: each in a thread, on a connection that goes back when it is done."""

import asyncio
import functools
from asyncio import AbstractEventLoop
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.conf import settings
from django.db import close_old_connections

from rights.kernel.retry import begun_again

T = TypeVar("T")
_BESIDE = 4  # threads for what needs no connection: bells, keys


def give_threads(loop: AbstractEventLoop) -> None:
    """Let the loop have as many as there are connections for them, whatever the number of processors."""
    connections: int = settings.DATABASES["default"]["OPTIONS"]["pool"]["max_size"]
    loop.set_default_executor(ThreadPoolExecutor(connections + _BESIDE, thread_name_prefix="beside"))


async def in_thread(act: Callable[..., T], **arguments: Any) -> T:
    """What `act` answers."""
    return await asyncio.to_thread(_with_connection, functools.partial(act, **arguments))


async def again_in_thread(act: Callable[..., T], **arguments: Any) -> T:
    """What `act`, one transaction, answers; begun again where it lost against another, for what was done outside would be lost with it."""
    return await asyncio.to_thread(_with_connection, lambda: begun_again(functools.partial(act, **arguments), is_patient=True))


def _with_connection(act: Callable[[], T]) -> T:
    close_old_connections()
    try:
        return act()
    finally:
        close_old_connections()
