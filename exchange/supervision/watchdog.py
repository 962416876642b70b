"""Ends workers that live but no longer listen, so that their keeper starts them anew.

After a reset connection a Celery worker can stop consuming without a word (TRUST.md, known traps), and a stopped or stuck one looks
just as alive. The sign is the same: the oldest ring in a queue stays where it is. Work goes on meanwhile, since the sweeper
drains what waits too long; but slowly, and for as long as nobody ends the deaf one.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import redis.asyncio
from redis.exceptions import RedisError

from exchange.supervision.supervisor import Supervisor

_INTERVAL_S = 1.0
# A lane's task takes a quarter of a second; the longest of the others is stopped after 30.
LANE_PATIENCE_S = 6.0
TASK_PATIENCE_S = 60.0
# A worker that was just started first has to connect and to work through what waits.
_START_S = 15.0


@dataclass(slots=True)
class Ear:
    """What is known of one worker: the oldest ring in each of its queues, and since when that has been the oldest."""

    queues: tuple[str, ...]
    patience_s: float
    _oldest: dict[str, tuple[bytes, float]] = field(default_factory=dict)
    _excused_until: float = 0.0

    def is_deaf(self, heads: Mapping[str, bytes | None], now: float) -> bool:
        """Whether a ring has waited too long; `heads` are the oldest rings at `now`, by queue."""
        for queue in self.queues:
            head = heads.get(queue)
            if head is None:
                self._oldest.pop(queue, None)
            elif self._oldest.get(queue, (None, 0.0))[0] != head:
                self._oldest[queue] = (head, now)
        if now < self._excused_until:
            return False
        return any(now - since > self.patience_s for _, since in self._oldest.values())

    def excuse(self, now: float) -> None:
        """It was started anew: count from zero, after it had time to begin."""
        self._oldest.clear()
        self._excused_until = now + _START_S


def ears(queues: Mapping[str, tuple[str, ...]]) -> dict[str, Ear]:
    """One for each worker of `queues`; those with a lane are held to a lane's pace."""
    paces = {
        name: LANE_PATIENCE_S if any(queue.startswith("match.") for queue in share) else TASK_PATIENCE_S for name, share in queues.items()
    }
    return {name: Ear(share, paces[name]) for name, share in queues.items()}


async def watch(supervisor: Supervisor, redis_url: str, listeners: Mapping[str, Ear]) -> None:
    """Look at the queues of each named worker once a second, for ever."""
    queues = sorted({queue for ear in listeners.values() for queue in ear.queues})
    client = redis.asyncio.Redis.from_url(redis_url, socket_timeout=5, socket_connect_timeout=5)
    while True:
        await asyncio.sleep(_INTERVAL_S)
        with contextlib.suppress(RedisError, OSError):  # no bell, no deafness; it comes back
            async with client.pipeline(transaction=False) as pipeline:
                for queue in queues:
                    pipeline.lindex(queue, -1)
                heads = dict(zip(queues, await pipeline.execute(), strict=True))
            now = time.monotonic()
            for name, ear in listeners.items():
                if ear.is_deaf(heads, now):
                    supervisor.restart(name, f"it has not taken the oldest ring for {ear.patience_s:g} s")
                    ear.excuse(now)
