"""The doorbell of nodes: how many jobs a supplier has to give since, and none of them is named. A lost ring costs a second: waiting nodes are looked after."""

import contextlib

import redis

from exchange.services import bell


def ring(supplier: str, count: int) -> None:
    """So many jobs of the supplier (its slug) may be leased now. After the commit."""
    with contextlib.suppress(redis.RedisError, OSError):
        bell.client().publish("notices", f"jobs:{supplier}:{count}")
