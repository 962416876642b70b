"""Jobs done by a command: the payload on its standard input, the job's facts in its environment, the result as JSON on its standard output.

`{"output": "…", "units": "12"}`, with `"partial": true` when less was done than asked for. An exit code other than 0 gives the job back.
"""

import asyncio
import json
import os
import signal
from collections.abc import Sequence
from typing import Any

from exchange.management.node.agent import JobFailed, Lease
from exchange.management.node.client import Done

_FACTS = ("job_id", "workload", "operation", "model", "unit", "units", "deadline")


class CommandWork:
    """Runs `argv` for each job, without a shell."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._argv = tuple(argv)

    async def __call__(self, lease: Lease) -> Done:
        environment = {**os.environ, **{f"JOB_{name.upper().removeprefix('JOB_')}": str(lease[name]) for name in _FACTS}}
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *self._argv, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, start_new_session=True
            )
        except OSError as error:
            raise JobFailed(f"the command can't be run: {error.strerror}") from error
        try:
            out, err = await process.communicate(lease["payload"].encode())
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            raise
        if process.returncode:
            last = err.decode(errors="replace").strip().rpartition("\n")[2]
            raise JobFailed(f"exit code {process.returncode}: {last}"[:200])
        return read_result(out)


def read_result(out: bytes) -> Done:
    """What a command wrote. Raises JobFailed when it is no result."""
    try:
        found: Any = json.loads(out)
        output, units, is_partial = found["output"], found["units"], found.get("partial", False)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise JobFailed("the command did not write a result") from error
    is_count = isinstance(units, int) and not isinstance(units, bool) and units >= 0
    if isinstance(units, str) and units.isascii() and units.isdecimal():
        units, is_count = int(units), True
    if not isinstance(output, str) or not is_count or not isinstance(is_partial, bool):
        raise JobFailed("the command did not write a result")
    return Done(output, units, is_partial)
