"""What every adapter answers with."""

from collections.abc import AsyncGenerator, Awaitable, Mapping
from typing import Any, Protocol

import msgspec

from settlement.domain.metering import Usage
from settlement.domain.work import Leg

Body = Mapping[str, Any]


class Report(msgspec.Struct, frozen=True):
    """What became of one call. `fault` is empty when it is done; `pieces` of an answer that was cut had arrived.

    `is_callers`: the supplier refuses the request itself, so another supplier would too. Microseconds; `output` is the answer's JSON.
    """

    usage: Usage
    took_us: int
    first_us: int
    attempts: int
    output: bytes = b""
    output_hash: str = ""
    pieces: int = 0
    fault: str = ""
    detail: str = ""
    is_callers: bool = False

    @property
    def is_done(self) -> bool:
        return not self.fault


class Adapter(Protocol):
    """A module of this room."""

    def call(self, leg: Leg, body: Body, deadline_us: int) -> Awaitable[Report]:
        """Do the leg's work; never raises for what the supplier does."""
        ...


class StreamingAdapter(Adapter, Protocol):
    def stream(self, leg: Leg, body: Body, deadline_us: int) -> AsyncGenerator[bytes | Report, None]:
        """The answer's events as they come (each a JSON text), and the report last."""
        ...


NOTHING = Usage(None, None, 0)


def failed(fault: str, detail: str = "", *, took_us: int = 0, attempts: int = 0, is_callers: bool = False) -> Report:
    """A report of a call that came to nothing."""
    return Report(NOTHING, took_us, took_us, attempts, fault=fault, detail=detail[:300], is_callers=is_callers)
