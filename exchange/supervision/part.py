"""One supervised process, as it is to be run."""

import enum
from collections.abc import Callable
from dataclasses import dataclass

from exchange.embedded.process import ServerProcess


class Stage(enum.IntEnum):
    """The order of stopping: the highest first, so that nobody loses what it still speaks to."""

    SERVER = 0
    WORKER = 1
    WEB = 2
    BOT = 3


@dataclass(frozen=True, slots=True)
class Part:
    """`before_start` runs ahead of every start, restarts too; `inherited` are file descriptors the process is given."""

    name: str
    stage: Stage
    process: ServerProcess
    before_start: Callable[[], None] | None = None
    inherited: tuple[int, ...] = ()
    stop_patience_s: float = 10.0
