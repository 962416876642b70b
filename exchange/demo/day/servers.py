"""A database and a bell of the day's own, thrown away afterwards. Nothing else runs: time passes when the day says so."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from exchange.embedded.alone import alone


@contextmanager
def servers() -> Iterator[dict[str, str]]:
    """The environment that names them, with the tables made. Whoever asks this process to end has them stopped and removed too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with alone("day", is_silent=True) as own:
        yield own.env
