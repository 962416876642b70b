"""A database and a bell of the day's own, thrown away afterwards. Nothing else runs: time passes when the day says so."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from exchange.embedded.alone import alone

# Nothing of this database outlives the day, so no commit waits for the disk.
_DO_NOT_WAIT = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$"


@contextmanager
def servers() -> Iterator[dict[str, str]]:
    """The environment that names them, with the tables made. Whoever asks this process to end has them stopped and removed too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with alone("day", is_silent=True) as own:
        with psycopg.connect(own.env["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(_DO_NOT_WAIT)
        yield own.env
