"""Starts parts, brings back those that die, and stops them in order."""

import asyncio
import contextlib
import json
import os
import signal
import time
from pathlib import Path

from exchange.embedded.process import die_with_parent
from exchange.embedded.record import write_private
from exchange.supervision.merged_log import MergedLog
from exchange.supervision.part import Part

_FIRST_DELAY_S = 0.1
_LONGEST_DELAY_S = 5.0
_STEADY_S = 10.0
_TELL_AGAIN_S = 1.0
_OUR_NAME = "up"


class Supervisor:
    """Use inside one event loop on the main thread (see `die_with_parent`)."""

    def __init__(self, log: MergedLog, parts_file: Path, environment: dict[str, str], root: Path) -> None:
        self.log = log
        self._root = root
        self._parts_file = parts_file
        self._environment = environment
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._parts: dict[str, Part] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._stopping = False
        self._hurry = asyncio.Event()
        self._write_parts()

    def start(self, part: Part) -> None:
        """Run `part` from now on, again and again if it ends."""
        self._parts[part.name] = part
        self._keepers[part.name] = asyncio.create_task(self._keep(part), name=part.name)

    async def run_once(self, name: str, argv: tuple[str, ...], echo: list[str] | None = None) -> int:
        """Run a command to its end, its output in the log (and its standard output in `echo`); answer its exit code."""
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self._environment,
            cwd=self._root,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGKILL),
        )
        assert process.stdout is not None
        try:
            async for line in process.stdout:
                text = line.decode(errors="replace").rstrip()
                self.log.say(name, text)
                if echo is not None:
                    echo.append(text)
            return await process.wait()
        finally:
            _signal_group(process, signal.SIGKILL)

    def restart(self, name: str, reason: str) -> None:
        """End a part that lives without working; its keeper brings it back."""
        process = self._running.get(name)
        if process is not None:
            self.log.say(_OUR_NAME, f"restarting {name}: {reason}")
            _signal_group(process, signal.SIGKILL)

    def hurry(self) -> None:
        """A second Ctrl-C: no more patience."""
        self._hurry.set()

    async def stop(self) -> None:
        """Stop all parts, the highest stage first, each with its own signal and patience."""
        self._stopping = True
        for stage in sorted({part.stage for part in self._parts.values()}, reverse=True):
            names = [name for name, part in self._parts.items() if part.stage == stage]
            self.log.say(_OUR_NAME, f"stopping {', '.join(names)}")
            await asyncio.gather(*(self._stop_part(self._parts[name]) for name in names))
        self._running.clear()
        self._write_parts()

    async def _stop_part(self, part: Part) -> None:
        keeper = self._keepers[part.name]
        process = self._running.get(part.name)
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(part.process.stop_signal)
            ended, hurried = asyncio.ensure_future(process.wait()), asyncio.ensure_future(self._hurry.wait())
            await asyncio.wait({ended, hurried}, timeout=part.stop_patience_s, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                self.log.say(_OUR_NAME, f"{part.name} does not stop: killed")
                _signal_group(process, signal.SIGKILL)
                await ended
            hurried.cancel()
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)

    async def _keep(self, part: Part) -> None:
        delay_s = _FIRST_DELAY_S
        while not self._stopping:
            started = time.monotonic()
            try:
                outcome = await self._run(part)
            except (OSError, RuntimeError) as problem:
                outcome = f"could not be started: {problem}"
            if self._stopping:
                return
            if time.monotonic() - started > _STEADY_S:
                delay_s = _FIRST_DELAY_S
            self.log.say(_OUR_NAME, f"{part.name} {outcome}; again in {delay_s:g} s")
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, _LONGEST_DELAY_S)

    async def _run(self, part: Part) -> str:
        if part.before_start is not None:
            part.before_start()
        process = await asyncio.create_subprocess_exec(
            *part.process.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self._environment | part.process.environment,
            cwd=self._root if part.process.account.is_own else "/",
            pass_fds=part.inherited,
            start_new_session=True,  # the terminal's Ctrl-C is for us; and what a part leaves behind is found by its group
            preexec_fn=die_with_parent(part.process.orphan_signal),
            **part.process.account.popen_arguments(),
        )
        assert process.stdout is not None
        self._running[part.name] = process
        pump = asyncio.create_task(self.log.pump(part.name, process.stdout))
        self._write_parts()
        try:
            code = await process.wait()
        finally:
            _signal_group(process, signal.SIGKILL)
            await asyncio.wait({pump}, timeout=1.0)
            pump.cancel()
        if self._running.get(part.name) is process:
            del self._running[part.name]
            self._write_parts()
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"

    def _write_parts(self) -> None:
        """Tell others what runs. Where there is no room for that the parts run all the same, and it is told later."""
        pids = {"up": os.getpid()} | {name: process.pid for name, process in self._running.items()}
        try:
            write_private(self._parts_file, json.dumps(pids, indent=1) + "\n")
        except OSError:
            asyncio.get_running_loop().call_later(_TELL_AGAIN_S, self._write_parts)


def _signal_group(process: asyncio.subprocess.Process, order: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, order)
