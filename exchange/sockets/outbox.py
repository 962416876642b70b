"""What one socket is still to be sent: bounded, in order, never holding up anybody else.

A `Line` is one subscription of the socket. Lines that conflate (book, ticker) may fall behind and catch up with one
message; what may not be left out (private channels, answers) closes the socket once too much of it waits.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

BEHIND_FRAMES = 128
BEHIND_CHARS = 256 * 1024
MOST_FRAMES = 20_000
MOST_CHARS = 8 * 1024 * 1024


class Source(Protocol):
    """Where a line that fell behind gets its one message from."""

    def catch_up(self, sent: int) -> tuple[str, int]:
        """(frame, its number) that leads a client which has `sent` to the present."""


class Line:
    """One subscription. `queued` is the number of the last message put in line, `sent` of the last handed to the network."""

    __slots__ = ("channel", "instrument", "is_open", "queued", "sent", "source")

    def __init__(self, channel: str, instrument: str | None, source: Source | None = None) -> None:
        self.channel = channel
        self.instrument = instrument
        self.source = source  # None: nothing may be left out
        self.queued = self.sent = 0
        self.is_open = True


class Outbox:
    def __init__(self, send: Callable[[str], Awaitable[None]], overflow: Callable[[], None]) -> None:
        self._send = send
        self._overflow = overflow
        self._queue: deque[tuple[str, Line | None, int]] = deque()
        self._chars = 0
        self._lagging: dict[Line, None] = {}
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._closed = self._finishing = False

    @property
    def is_behind(self) -> bool:
        return len(self._queue) >= BEHIND_FRAMES or self._chars >= BEHIND_CHARS

    def put(self, frame: str, line: Line | None = None, seq: int = 0) -> None:
        """Queue a frame that has to be sent. Too many of them end the socket."""
        if self._closed or self._finishing:
            return
        if len(self._queue) >= MOST_FRAMES or self._chars >= MOST_CHARS:
            self.close()
            self._overflow()
            return
        if line is not None:
            line.queued = seq
        self._queue.append((frame, line, seq))
        self._chars += len(frame)
        self._wake.set()
        if self.is_behind:
            self._room.clear()

    def offer(self, frame: str, line: Line, seq: int) -> None:
        """Queue a frame of a line that conflates, unless the client is behind: then the line catches up later."""
        if line in self._lagging:
            return
        if self.is_behind:
            self._lagging[line] = None
        else:
            self.put(frame, line, seq)

    def sign(self, frame: str, line: Line | None) -> None:
        """Queue a heartbeat, which a client that is behind does not need."""
        if not self.is_behind and line not in self._lagging:
            self.put(frame)

    async def room(self) -> None:
        """Wait until the client has caught up: for replays, which are as long as they are."""
        await self._room.wait()

    def close(self) -> None:
        """Drop everything; `run` ends after the frame it is sending."""
        self._closed = True
        self._queue.clear()
        self._lagging.clear()
        self._chars = 0
        self._wake.set()
        self._room.set()

    def finish(self) -> None:
        """Take nothing more; `run` ends when what is queued has been sent."""
        self._finishing = True
        self._wake.set()

    async def run(self) -> None:
        """Send until closed."""
        while not self._closed and (self._queue or not self._finishing):
            if self._queue:
                frame, line, seq = self._queue.popleft()
                self._chars -= len(frame)
                if line is None:
                    await self._send(frame)
                elif line.is_open:
                    line.sent = seq  # a frame that is on its way arrives before any closing does
                    await self._send(frame)
            elif self._lagging:
                self._catch_up()
            else:
                self._room.set()
                self._wake.clear()
                await self._wake.wait()

    def _catch_up(self) -> None:
        """The queue is empty, so what was queued last has been sent: one message leads from there to the present."""
        line = next(iter(self._lagging))
        del self._lagging[line]
        if line.is_open and line.source is not None:
            frame, seq = line.source.catch_up(line.queued)
            if seq != line.queued:
                self.put(frame, line, seq)
