"""The doorbell's other end: what was published on Redis since. Every notice may be lost; readers look by themselves as well."""

import asyncio
import contextlib
import logging
from collections.abc import Callable

import redis.asyncio as redis
from django.conf import settings
from redis.exceptions import RedisError

LOG = logging.getLogger(__name__)
CHANNELS = ("notices", "keys")
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0
LISTEN_S = 5.0


class Notices:
    """Calls back in the event loop: a batch, a private message, a revoked key, jobs for nodes."""

    def __init__(
        self,
        *,
        on_batch: Callable[[int, int], None],
        on_account: Callable[[int, int], None],
        on_revoked: Callable[[str], None],
        on_jobs: Callable[[str, int], None],
    ) -> None:
        self._on_batch, self._on_account, self._on_revoked, self._on_jobs = on_batch, on_account, on_revoked, on_jobs
        self.connected = False

    async def run(self) -> None:
        """Listen for ever; reconnect with growing pauses."""
        pause = FIRST_PAUSE_S
        while True:
            try:
                async with contextlib.aclosing(self._client()) as client, client.pubsub() as subscription:
                    await subscription.subscribe(*CHANNELS)
                    self.connected, pause = True, FIRST_PAUSE_S
                    while True:
                        message = await subscription.get_message(ignore_subscribe_messages=True, timeout=LISTEN_S)
                        if message is not None:
                            self._hear(message["channel"], message["data"])
            except (RedisError, OSError) as error:
                if self.connected:
                    LOG.warning("doorbell lost, reading by the clock: %s", error)
                self.connected = False
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    @staticmethod
    def _client() -> redis.Redis:
        return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, health_check_interval=5, decode_responses=True)

    def _hear(self, channel: str, text: str) -> None:
        """`book:seq`, `account:id:seq` of one or several (`account:id:seq:id:seq`), `jobs:supplier:count`, `revoked:uuid`; anything else is not ours."""
        parts = text.split(":")
        if channel == "keys":
            if len(parts) == 2 and parts[0] == "revoked":
                self._on_revoked(parts[1])
        elif len(parts) == 2 and parts[0].isdecimal() and parts[1].isdecimal():
            self._on_batch(int(parts[0]), int(parts[1]))
        elif parts[0] == "account" and len(parts) % 2 and all(map(str.isdecimal, parts[1:])):
            numbers = list(map(int, parts[1:]))
            for account_id, seq in zip(numbers[::2], numbers[1::2], strict=True):
                self._on_account(account_id, seq)
        elif len(parts) == 3 and parts[0] == "jobs" and parts[2].isdecimal():
            self._on_jobs(parts[1], int(parts[2]))
