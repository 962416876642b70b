"""Services beside an event loop: each in a thread, on a connection that goes back when it is done."""

import asyncio
import functools
from collections.abc import Callable
from typing import Any, TypeVar

from django.db import close_old_connections

T = TypeVar("T")


async def in_thread(act: Callable[..., T], **arguments: Any) -> T:
    """What `act` answers."""
    return await asyncio.to_thread(_with_connection, functools.partial(act, **arguments))


def _with_connection(act: Callable[[], T]) -> T:
    close_old_connections()
    try:
        return act()
    finally:
        close_old_connections()
