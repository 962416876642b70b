"""A line between an exchange and a server that can be meddled with: cut, muted, or, on the doorbell's, made to ring ten times for once."""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset
_PIECE = 65536
Rewrite = Callable[[bytearray], bytes]  # takes what may go on out of the bytes a client sent


class Wire:
    """Listens on `port` of this machine and passes on to `target`, host and port or a Unix socket's path; `rewrite` makes a new Rewrite
    for each connection.
    """

    def __init__(self, target: tuple[str, int] | str, rewrite: Callable[[], Rewrite] | None = None) -> None:
        self._target, self._rewrite = target, rewrite
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lines: set[asyncio.StreamWriter] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        self._ready.wait()

    def cut(self) -> int:
        """Reset every connection; how many ends there were."""
        return asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result()

    def mute(self) -> None:
        """Nothing passes any more: connections stay, new ones are taken, and nobody hears anything."""
        self._loop.call_soon_threadsafe(self._passes.clear)

    def unmute(self) -> None:
        self._loop.call_soon_threadsafe(self._passes.set)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._closed.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._passes, self._closed = asyncio.Event(), asyncio.Event()
        self._passes.set()
        async with await asyncio.start_server(self._take, sock=self._listener):
            self._ready.set()
            await self._closed.wait()
            await self._cut()

    async def _cut(self) -> int:
        lines = list(self._lines)
        for line in lines:
            line.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            line.transport.abort()
        return len(lines)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        at = self._target
        there, back = await (asyncio.open_unix_connection(at) if isinstance(at, str) else asyncio.open_connection(*at))
        ends = {writer, back}
        self._lines |= ends
        pumps = [
            asyncio.create_task(self._pump(reader, back, self._rewrite() if self._rewrite else None)),
            asyncio.create_task(self._pump(there, writer, None)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._lines -= ends
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for end in ends:
                end.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rewrite: Rewrite | None) -> None:
        kept = bytearray()
        while piece := await reader.read(_PIECE):
            await self._passes.wait()
            if rewrite is not None:
                kept += piece
                piece = rewrite(kept)
            writer.write(piece)
            await writer.drain()


class Tenfold:
    """A Rewrite for Redis clients: what is pushed to a queue of tasks is pushed `times` over. `rings` counts what clients pushed to books' lanes."""

    def __init__(self, times: int = 10) -> None:
        self.times = times
        self.rings = 0

    def __call__(self) -> Rewrite:
        return self._rewrite

    def _rewrite(self, sent: bytearray) -> bytes:
        out = bytearray()
        while (size := _command_size(sent)) > 0:
            words = _words(sent[:size])
            if words[0].upper() == b"LPUSH" and words[1].startswith((b"match.", b"sweep")):
                self.rings += words[1].startswith(b"match.")
                words[2:] *= self.times
                out += b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
            else:
                out += sent[:size]
            del sent[:size]
        return bytes(out)


def _command_size(sent: bytearray) -> int:
    """How many bytes the first whole command takes (an array of bulk strings, as all clients send); 0 if it is not all there."""
    end = sent.find(b"\r\n")
    if end < 0:
        return 0
    position = end + 2
    for _ in range(int(sent[1:end])):
        end = sent.find(b"\r\n", position)
        if end < 0:
            return 0
        position = end + 2 + int(sent[position + 1 : end]) + 2
    return position if position <= len(sent) else 0


def _words(command: bytearray) -> list[bytes]:
    words, position = [], command.find(b"\r\n") + 2
    while position < len(command):
        end = command.find(b"\r\n", position)
        size = int(command[position + 1 : end])
        words.append(bytes(command[end + 2 : end + 2 + size]))
        position = end + 2 + size + 2
    return words
