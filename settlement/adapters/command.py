"""A local command or agent runtime: a program that the settings name reads the request as JSON on its input and answers on its output.

No shell, no environment but the path and the language, a process group of its own that ends with the call. The endpoint's `model` names
the program; nothing of a request reaches its command line.
"""

import asyncio
import hashlib
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec
from django.conf import settings

from rights.kernel.clock import now_us
from settlement.adapters.answers import Misfit, read_usage
from settlement.adapters.attempts import Watch
from settlement.adapters.base import Body, Report, failed
from settlement.domain.metering import Usage
from settlement.domain.work import Leg

MOST_OUTPUT = 8 * 1024 * 1024
_ENVIRONMENT = ("PATH", "LANG", "HOME", "TMPDIR")


async def call(leg: Leg, body: Body, deadline_us: int) -> Report:
    """Run it once: a program may have done anything before it failed, so nobody runs it again."""
    commands: Mapping[str, list[str]] = settings.COMMAND_RUNTIMES
    argv = commands.get(leg.endpoint.model)
    if not argv:
        return failed("command_unknown", f"the settings know no command {leg.endpoint.model}")
    watch = Watch()
    patience_ms = min(leg.endpoint.timeout_ms, (deadline_us - now_us()) // 1000)
    if patience_ms <= 0:
        return failed("deadline_passed", "there was no time left to run it")
    asked = {"operation": leg.operation, "workload": leg.workload, "units": str(leg.units), "body": dict(body)}
    try:
        async with asyncio.timeout(patience_ms / 1000):
            raw = await _run(argv, msgspec.json.encode(asked))
        usage = _read(raw)
    except (TimeoutError, OSError, _Ended, Misfit) as error:
        fault = next(name for kind, name in _FAULTS.items() if isinstance(error, kind))
        return failed(fault, str(error) or f"no answer within {patience_ms} ms", took_us=watch.us, attempts=1)
    return Report(usage, watch.us, watch.us, 1, output=raw, output_hash=hashlib.sha256(raw).hexdigest())


class _Ended(Exception):
    """The program ended otherwise than well."""


# The first kind that fits counts: a timeout is an OSError too.
_FAULTS: dict[type[Exception], str] = {
    TimeoutError: "supplier_timeout",
    OSError: "command_unknown",
    _Ended: "command_failed",
    Misfit: "answer_malformed",
}


async def _run(argv: Sequence[str], text: bytes) -> bytes:
    """What the program answers. Raises OSError when it can't be started, Misfit, _Ended; it ends with this call, however that ends."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        start_new_session=True,
    )
    try:
        raw = await _spoken(process, text)
        code = await process.wait()
    finally:
        await _end(process)
    if code != 0:
        raise _Ended(f"it ended with {code}")
    return raw


async def _spoken(process: asyncio.subprocess.Process, text: bytes) -> bytes:
    """What it says when it is told `text`. Raises Misfit when it does not stop speaking."""
    speaker, listener = process.stdin, process.stdout
    assert speaker is not None and listener is not None  # noqa: PT018 - both are pipes

    async def tell() -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # it need not listen to the end
            speaker.write(text)
            await speaker.drain()
        speaker.close()

    async def hear() -> bytes:
        parts, size = [], 0
        while part := await listener.read(65_536):
            size += len(part)
            if size > MOST_OUTPUT:
                raise Misfit(f"more than {MOST_OUTPUT} bytes of output")
            parts.append(part)
        return b"".join(parts)

    _, raw = await asyncio.gather(tell(), hear())
    return raw


async def _end(process: asyncio.subprocess.Process) -> None:
    """Whatever it started ends with it."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    while process.stdout is not None and await process.stdout.read(65_536):
        pass  # what it had said still stands in the pipe, and keeps `wait` waiting
    await process.wait()


def _read(raw: bytes) -> Usage:
    """Its answer is any JSON object; `usage` counts tokens where the right is of tokens, `items` what it did: one unless it says so."""
    try:
        found = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Misfit("the answer is not JSON") from None
    items = found.get("items", 1) if isinstance(found, dict) else None
    if type(items) is not int or not 0 <= items < 2**53:
        raise Misfit("the answer is no object that says what was done")
    return msgspec.structs.replace(read_usage(found.get("usage")), items=items)
