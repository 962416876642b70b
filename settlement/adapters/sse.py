"""Server-sent events, as far as OpenAI-compatible streams use them: the `data` of each event, whole, however the bytes were cut."""

from collections.abc import Iterator

MOST_EVENT = 4 * 1024 * 1024
DONE = b"[DONE]"


class EventTooLong(Exception):
    """An event that does not end."""


class Events:
    """Feed bytes, take the events that are whole by now; one that is not whole at the end is none."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0  # of the event so far, its lines' ends included

    def feed(self, part: bytes) -> Iterator[bytes]:
        lines = (self._rest + part).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > MOST_EVENT:
            raise EventTooLong
        for raw in lines:
            line = raw.removesuffix(b"\r")
            if line.startswith(b"data:"):
                self._size += len(line)
                if self._size > MOST_EVENT:
                    raise EventTooLong
                self._data.append(line[5:].removeprefix(b" "))
            elif not line and self._data:
                yield b"\n".join(self._data)
                self._data, self._size = [], 0
