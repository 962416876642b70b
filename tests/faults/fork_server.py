"""A process with everything imported and nothing connected, that forks a child for each job: `python -m tests.faults.fork_server`.

A line on standard input is a list of jobs to be done at once, a line on standard output the list of their answers, all JSON. Each
child connects for itself, as a worker that was just started does. What it reported before it died reached the pipe before it died.
"""

import gc
import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

import django

Perform = Callable[[dict[str, Any], Callable[..., None]], None]


def main() -> None:
    django.setup()
    from django.conf import settings

    from rights.services import journal
    from tests.faults.acts import perform

    journal.fresh_salts = lambda count: "00" * journal.SALT * count  # runs are compared to the byte
    settings.DATABASES["default"]["OPTIONS"].pop("pool")  # a pool is threads, and threads do not survive a fork
    gc.freeze()
    for line in sys.stdin:
        children = [_start(job, perform) for job in json.loads(line)]
        print(json.dumps([_end(pid, reading) for pid, reading in children]), flush=True)


def _start(job: dict[str, Any], perform: Perform) -> tuple[int, int]:
    """Begin the job in a child: its process id, and where it reports."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _child(job, writing, perform)
    os.close(writing)
    return pid, reading


def _end(pid: int, reading: int) -> dict[str, Any]:
    """How the child ended (a signal's number is negative), and what it reported."""
    with os.fdopen(reading, "rb") as pipe:
        reports = [json.loads(line) for line in pipe.read().splitlines()]
    return {"code": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), "reports": reports}


def _child(job: dict[str, Any], writing: int, perform: Perform) -> None:
    def report(**facts: Any) -> None:
        os.write(writing, json.dumps(facts).encode() + b"\n")

    code = 1
    try:
        perform(job, report)
        code = 0
    except BaseException:  # noqa: BLE001 - whatever it is, the parent shall read it
        report(error=traceback.format_exc())
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
