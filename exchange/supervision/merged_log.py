"""One log of many parts: each line with its time and the name of the part that said it."""

import asyncio
import contextlib
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, TextIO

_LONGEST_LINE = 16 * 1024
_ROTATE_BYTES = 32 * 1024 * 1024
_COLOURS = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)


class MergedLog:
    """Writes to `stream` and to a file. A log that cannot be written never stops the exchange."""

    def __init__(self, path: Path, stream: TextIO | None = None) -> None:
        self._path = path
        self._stream: TextIO | None = stream or sys.stdout
        self._colours: dict[str, int] = {}
        self._use_colours = self._stream is not None and self._stream.isatty()
        self._width = 10
        if path.exists() and path.stat().st_size > _ROTATE_BYTES:
            path.replace(path.with_name(f"{path.name}.1"))
        self._file: BinaryIO = path.open("ab", buffering=0)
        self._written = path.stat().st_size

    def say(self, name: str, text: str) -> None:
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        self._width = max(self._width, len(name))
        self._save(f"{moment} {name:<{self._width}} | {text}\n".encode(errors="replace"))
        if self._use_colours:
            colour = self._colours.setdefault(name, _COLOURS[len(self._colours) % len(_COLOURS)])
            name = f"\x1b[{colour}m{name:<{self._width}}\x1b[0m"
        self._show(f"{moment} {name:<{self._width}} | {text}\n")

    def plain(self, text: str) -> None:
        """A line for the person (or program) that started us, without time and name."""
        self._save(f"{text}\n".encode())
        self._show(f"{text}\n")

    async def pump(self, name: str, reader: asyncio.StreamReader) -> None:
        """Relay a part's output line by line until it ends."""
        while True:
            try:
                line = await reader.readuntil(b"\n")
            except asyncio.IncompleteReadError as ended:
                if ended.partial:
                    self.say(name, ended.partial.decode(errors="replace").rstrip())
                return
            except asyncio.LimitOverrunError:
                line = await reader.read(_LONGEST_LINE)
            self.say(name, line.decode(errors="replace").rstrip())

    def _save(self, line: bytes) -> None:
        with contextlib.suppress(OSError):  # a full disk is reported by the database, louder than we could
            self._file.write(line)
            self._written += len(line)
            if self._written > _ROTATE_BYTES:
                if self._path.exists():
                    self._path.replace(self._path.with_name(f"{self._path.name}.1"))
                former, self._file, self._written = self._file, self._path.open("ab", buffering=0), 0
                former.close()

    def _show(self, line: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(line)
            self._stream.flush()
        except (BrokenPipeError, ValueError):
            self._stream = None  # whoever read us has gone (`up | head`); the file goes on
        except OSError:
            pass  # a file without room: later lines may find some
