"""Many executions at once in one process: an event loop in a thread of its own, whose lines to suppliers stay open between them.

A task only hands over an id and is done: what is under way when the process dies is found silent and ended (settlement/services/pulse.py).
"""

import asyncio
import logging
import threading
from concurrent.futures import Future, wait
from typing import Any

from settlement.adapters.lines import close_lines
from settlement.services.execute import run_request

MOST_AT_ONCE = 200
LAST_S = 8  # so long a process that is told to stop lets executions end
_LOG = logging.getLogger(__name__)


class Executor:
    """The loop of one process, started with its first request."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._running: set[Future[Any]] = set()
        self._lock = threading.Lock()

    def begin(self, request_id: str) -> bool:
        """Execute it beside others. False when there is no room: it goes on waiting, and is rung again."""
        with self._lock:
            if len(self._running) >= MOST_AT_ONCE:
                return False
            future = asyncio.run_coroutine_threadsafe(_executed(request_id), self._started())
            self._running.add(future)
        future.add_done_callback(self._done)
        return True

    def stop(self) -> None:
        """Let what runs end, for a while, and close the lines."""
        with self._lock:
            running, loop, thread = set(self._running), self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        wait(running, LAST_S)
        asyncio.run_coroutine_threadsafe(close_lines(), loop).result(LAST_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(LAST_S)
        loop.close()

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="executor", daemon=True)
            self._thread.start()
        return self._loop

    def _done(self, future: Future[Any]) -> None:
        with self._lock:
            self._running.discard(future)


async def _executed(request_id: str) -> None:
    try:
        await run_request(request_id)
    except Exception:  # noqa: BLE001 - whatever it is, it is told; the request is found silent and ended
        _LOG.exception("the execution of req_%s broke off", request_id)


executor = Executor()
