"""From requests to units of each ware, a tenant's share of the trace at a time. Pure; an hour of trace passes in a minute."""

from collections.abc import Sequence

from exchange.demo.bots.trace import Call

COMPRESSION = 60  # seconds of trace in a second of the demo
FLEET = 10  # each traced request stands for so many of the tenant's
_CONTEXT_PER_LOOKUP = 1024  # a conversation looks its context up in an index, piece by piece
_GENERATED_PER_MINUTE = 200  # generated code is tested: so many tokens keep a GPU busy for a minute


def units_of(call: Call) -> dict[str, int]:
    """What one request uses: chat tokens, embedding requests, GPU minutes in 1/200ths (they add up to whole ones)."""
    used = {"chat": (call.context + call.generated) * FLEET}
    if call.service == "conv":
        used["embeddings"] = (1 + call.context // _CONTEXT_PER_LOOKUP) * FLEET
    else:
        used["gpu"] = call.generated * FLEET
    return used


class Demand:
    """One tenant's requests: every `of`-th of the trace, over and over."""

    def __init__(self, calls: Sequence[Call], *, tenant: int, of: int) -> None:
        self._calls = [call for number, call in enumerate(calls) if number % of == tenant]
        self._span_us = max(call.at_us for call in calls) + 1
        self._next = 0
        self._round_us = 0
        self._started_us: int | None = None
        self._parts = 0

    def until(self, now_us: int) -> dict[str, int]:
        """Units needed since the last question; the first one starts the trace."""
        if self._started_us is None:
            self._started_us = now_us
        trace_us = (now_us - self._started_us) * COMPRESSION
        needed: dict[str, int] = {}
        while self._calls and self._round_us + self._calls[self._next].at_us <= trace_us:
            for ware, units in units_of(self._calls[self._next]).items():
                needed[ware] = needed.get(ware, 0) + units
            self._next += 1
            if self._next == len(self._calls):
                self._next, self._round_us = 0, self._round_us + self._span_us
        if "gpu" in needed:
            minutes, self._parts = divmod(self._parts + needed["gpu"], _GENERATED_PER_MINUTE)
            needed["gpu"] = minutes
        return needed
