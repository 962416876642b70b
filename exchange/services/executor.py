"""Many executions at once in one process: an event loop in a thread of its own, whose lines to suppliers stay open between them.

A task only says that something waits and is done: the loop begins all of it, page by page, one commit each. What is under way when the
process dies is found silent and ended (settlement/services/pulse.py).
"""

import asyncio
import logging
import threading
from contextlib import suppress

from exchange.services import redeem_bell
from exchange.services.offer_jobs import offered
from rights.kernel.clock import now_us
from settlement.adapters.lines import close_lines
from settlement.domain.work import Work
from settlement.services.begin import FIRST, begin_waiting
from settlement.services.execute import ACTOR, run_work
from settlement.services.off_loop import give_threads, in_thread

MOST_AT_ONCE = 200
PAGE = 32  # so many begin with one commit
LAST_S = 8  # so long a process that is told to stop lets executions end
_LOG = logging.getLogger(__name__)


class Executor:
    """The loop of one process, started with its first ring."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        # The loop's own: nobody else touches them.
        self._running: set[asyncio.Task[None]] = set()
        self._looking: asyncio.Task[None] | None = None
        self._is_rung = False
        self._is_stopping = False

    def look(self) -> None:
        """Begin what waits, beside what runs. Where there is no room it goes on waiting until something ends."""
        with self._lock:
            self._started().call_soon_threadsafe(self._rung)

    def stop(self) -> None:
        """Let what runs end, for a while, and close the lines."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._ended(), loop).result(2 * LAST_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(LAST_S)
        loop.close()

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            give_threads(self._loop)
            self._thread = threading.Thread(target=self._loop.run_forever, name="executor", daemon=True)
            self._thread.start()
        return self._loop

    def _rung(self) -> None:
        self._is_rung = True
        if self._looking is None and not self._is_stopping and len(self._running) < MOST_AT_ONCE:
            self._looking = asyncio.create_task(self._look())
            self._looking.add_done_callback(self._looked)

    def _looked(self, task: "asyncio.Task[None]") -> None:
        self._looking = None
        if not task.cancelled() and task.exception() is not None:
            _LOG.error("what waits could not be begun; it is rung for again", exc_info=task.exception())
        elif self._is_rung:
            self._rung()

    async def _look(self) -> None:
        """Once through all that waits, as far as there is room."""
        self._is_rung = False
        await asyncio.to_thread(redeem_bell.answered)
        after = FIRST
        while (room := MOST_AT_ONCE - len(self._running)) > 0 and not self._is_stopping:
            works, last = await in_thread(begin_waiting, most=min(PAGE, room), after=after, actor=ACTOR, now_us=now_us())
            for work in await offered(works):
                task = asyncio.create_task(_executed(work))
                self._running.add(task)
                task.add_done_callback(self._done)
            if last is None:
                return
            after = last
        self._is_rung = True  # there may be more: whoever ends makes room for it

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        if self._is_rung:
            self._rung()

    async def _ended(self) -> None:
        self._is_stopping = True
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_S):
                if self._looking is not None:
                    await asyncio.wait({self._looking})
                if self._running:
                    await asyncio.wait(self._running)
        await close_lines()


async def _executed(work: Work) -> None:
    try:
        await run_work(work)
    except Exception:  # noqa: BLE001 - whatever it is, it is told; the request is found silent and ended
        _LOG.exception("the execution of req_%s broke off", work.request_id)


executor = Executor()
