"""Channels of the whole venue: which instruments there are, and how its parts are. Their numbers count within one process."""

from typing import Any

from channels.db import database_sync_to_async

from exchange.api import render
from exchange.api.views.system import status_body
from exchange.feed.hub import Hub
from exchange.selectors import instruments
from exchange.sockets import frames
from exchange.sockets.topic import Topic
from rights.kernel.clock import now_us

MOST = 1000
_PHASES = """
SELECT i.symbol, b.phase, b.post_only, i.reference_price_ticks FROM exchange_instrument i JOIN exchange_book b ON b.instrument_id = i.id ORDER BY i.symbol
"""


class _Venue(Topic):
    """A topic whose state is looked at by the clock while somebody reads it."""

    async def prepare(self) -> None:
        """Make the present known before the first reader joins."""
        if not self.lines:
            await self.look()

    async def survey(self) -> None:
        if self.lines:
            await self.look()

    async def look(self) -> None:
        """Read the present; tell what differs."""
        raise NotImplementedError

    def event(self, instrument: str | None, data: Any) -> None:
        seq = self.seq + 1
        self.send(frames.message(self.channel, instrument, "event", seq=seq, prev_seq=self.seq, at_us=now_us(), data=data), seq)

    def present(self, data: Any) -> str:
        return frames.message(self.channel, None, "snapshot", seq=self.seq, prev_seq=None, at_us=now_us(), data=data)


class InstrumentsTopic(_Venue):
    """Every instrument; told when one is listed and when its phase, its reference price or who may enter changes."""

    channel = "instruments"

    def __init__(self, hub: Hub) -> None:
        super().__init__(None)
        self._hub = hub
        self._seen: dict[str, tuple[int, bool, int | None]] = {}
        self._shown: dict[str, dict[str, Any]] = {}

    async def look(self) -> None:
        async with self._hub.pool.connection() as connection:
            rows = await (await connection.execute(_PHASES)).fetchall()
        seen: dict[str, tuple[int, bool, int | None]] = {symbol: tuple(state) for symbol, *state in rows}
        changed = [symbol for symbol, state in seen.items() if self._seen.get(symbol) != state]
        if len(changed) > 1:
            shown = await self._all()
        else:
            shown = {symbol: await self._one(symbol) for symbol in changed}
        self._seen = seen
        for symbol in changed:
            if symbol in shown:
                self._shown[symbol] = shown[symbol]
                self.event(symbol, shown[symbol])

    def snapshot(self) -> str:
        return self.present([self._shown[symbol] for symbol in sorted(self._shown)])

    @staticmethod
    async def _all() -> dict[str, dict[str, Any]]:
        found: list[instruments.InstrumentRow] = []
        while True:
            after = found[-1].symbol if found else ""
            rows = await database_sync_to_async(instruments.instruments, thread_sensitive=False)(now_us=now_us(), limit=MOST, after=after)
            found += rows[:MOST]
            if len(rows) <= MOST:
                return {row.symbol: render.instrument(row) for row in found}

    @staticmethod
    async def _one(symbol: str) -> dict[str, Any]:
        row = await database_sync_to_async(instruments.instrument, thread_sensitive=False)(symbol=symbol, now_us=now_us())
        if row is None:
            raise LookupError(symbol)
        return render.instrument(row)


class StatusTopic(_Venue):
    """The state of the venue's parts; told when one changes."""

    channel = "status"

    def __init__(self) -> None:
        super().__init__(None)
        self._state: dict[str, Any] = {}

    async def look(self) -> None:
        body = await database_sync_to_async(status_body, thread_sensitive=False)(now_us())
        # Latencies and counts change all the time; what is told is what they amount to.
        body["components"] = {name: {"state": part["state"]} for name, part in body["components"].items()}
        if {**body, "time": ""} != {**self._state, "time": ""}:
            self._state = body
            self.event(None, body)

    def snapshot(self) -> str:
        return self.present(self._state)
