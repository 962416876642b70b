"""The sweeper: behind every bell. Re-rings books whose commands wait, drains them itself when nobody comes, runs the timetable.

Needs no Redis. One per machine is plenty; several do no harm.
"""

import logging
import signal
import threading
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand
from django.db import Error, close_old_connections, connection

from exchange.services.lane import LaneMemory
from exchange.services.sweeping import sweep_once
from exchange.services.timetable import run_due
from rights.kernel.clock import now_us

INTERVAL_S = 0.5
_LOG = logging.getLogger("sweeper")


class Command(BaseCommand):
    help = "Watch over pending commands for ever (a part of `up`)."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002
        stop = threading.Event()

        def leave(_signal: int, _frame: FrameType | None) -> None:
            stop.set()

        signal.signal(signal.SIGTERM, leave)
        signal.signal(signal.SIGINT, leave)
        lane = LaneMemory()
        while not stop.wait(INTERVAL_S):
            # One after the other: the timetable is not kept waiting by a book that can't be drained.
            for work in (lambda: sweep_once(lane, now_us=now_us()), lambda: run_due(now_us=now_us())):
                try:
                    work()
                except Error as error:
                    _LOG.warning("the sweeper can't reach the database: %s", error)
                    connection.close()
                finally:
                    close_old_connections()
