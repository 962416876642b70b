"""One open socket: who holds it, what it reads, what it still has to be sent. Knows nothing of the network."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from exchange.api.problems import Problem
from exchange.feed.accounts import Waiter
from exchange.feed.hub import Hub
from exchange.services.identity import Principal
from exchange.sockets import frames
from exchange.sockets.access import Session
from exchange.sockets.closing import Close
from exchange.sockets.outbox import Line, Outbox

MOST_LINES = 250
MOST_TASKS = 512
PER_S, BURST = 50.0, 300.0  # frames other than orders and cancels
MOST_REFUSALS = 100


class Readable(Protocol):
    """A topic that a line can leave."""

    def leave(self, line: Line) -> None: ...


class Connection:
    def __init__(self, hub: Hub, send: Callable[[str], Awaitable[None]], address: str = "") -> None:
        self.hub = hub
        self.address = address
        self.who: Principal | None = None
        self.session: Session | None = None
        self.outbox = Outbox(send, self._overflowed)
        self.subscribing = asyncio.Lock()
        self.closing: tuple[Close, str] | None = None
        self.ended = asyncio.Event()
        self.promised: set[asyncio.Task[Any]] = set()  # commands of this socket that are not durable yet
        self._lines: dict[tuple[str, str | None], tuple[Line, Readable]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiter: Waiter | None = None
        self._level, self._level_at = BURST, asyncio.get_running_loop().time()
        self._refusals = 0

    def need(self, scope: str | None = None) -> Principal:
        """Who asks. Raises Problem `unauthenticated` or `scope_missing`."""
        if self.who is None:
            raise Problem("unauthenticated")
        if scope is not None and scope not in self.who.scopes:
            raise Problem("scope_missing", f"needs the scope {scope}")
        return self.who

    async def waiter(self) -> Waiter:
        """This socket's ear for the results of its commands; open before the first of them is stored."""
        if self._waiter is None:
            opened = await self.hub.expect(self.need().account_id)
            if self._waiter is None:
                self._waiter = opened
            else:
                opened.close()
        return self._waiter

    def draw(self) -> None:
        """Count a frame. Raises Problem `rate_limited`; a socket that does not heed it is closed."""
        now = asyncio.get_running_loop().time()
        self._level = min(BURST, self._level + (now - self._level_at) * PER_S)
        self._level_at = now
        if self._level >= 1:
            self._level -= 1
            self._refusals = max(0, self._refusals - 1)
            return
        self._refusals += 1
        if self._refusals > MOST_REFUSALS:
            self.end(Close.TOO_MANY, "too many frames")
        raise Problem("rate_limited", f"at most {PER_S:.0f} frames a second", headers={"Retry-After": "1"})

    async def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Go on with `work` beside the socket; waits when too much goes on already."""
        if len(self._tasks) >= MOST_TASKS:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @property
    def reads_privately(self) -> bool:
        return any(line.instrument is None and line.channel in ("orders", "fills", "balances") for line, _ in self._lines.values())

    def subscribe(self, line: Line, topic: Readable) -> None:
        """Take the place of what this socket read under the same channel and instrument. Raises Problem `conflict`."""
        self.unsubscribe(line.channel, line.instrument)
        if len(self._lines) >= MOST_LINES:
            raise Problem("conflict", f"a socket carries at most {MOST_LINES} subscriptions")
        self._lines[line.channel, line.instrument] = (line, topic)

    def unsubscribe(self, channel: str, instrument: str | None) -> None:
        """Stop at once: what was queued and not sent is not sent any more."""
        found = self._lines.pop((channel, instrument), None)
        if found is not None:
            line, topic = found
            line.is_open = False
            topic.leave(line)

    def beat(self, at_us: int) -> None:
        """A sign of life for a socket that reads nothing."""
        if not self._lines:
            self.outbox.sign(frames.heartbeat(None, None, seq=None, at_us=at_us), None)

    def end(self, code: Close, reason: str, *, flush: bool = False) -> None:
        """Stop reading and sending; the socket closes with `code`, after what is queued if `flush`. Later calls change nothing."""
        if self.closing is not None:
            return
        self.closing = (code, reason[:120])
        for channel, instrument in tuple(self._lines):
            self.unsubscribe(channel, instrument)
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        if self._waiter is not None:
            self._waiter.close()
        if flush:
            self.outbox.finish()
        else:
            self.outbox.close()

    def _overflowed(self) -> None:
        """Too slow for what may not be left out: tell where to resume from."""
        private = {line.channel: line.sent for line, _ in self._lines.values() if line.channel in ("orders", "fills", "balances")}
        self.end(Close.SLOW_READER, json.dumps({"last_seq": private}, separators=(",", ":")))
