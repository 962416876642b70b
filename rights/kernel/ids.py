"""Public ids: prefixed UUIDv7 (API.md, conventions). Minting takes the moment as an argument.

Two makers. `Mint` gives entry rooms fresh, strictly increasing ids. `numbered` builds an id
from facts (moment, owner number, counter), so a replay of the same journal mints the same ids.
"""

import os
import re
import threading

_PUBLIC = re.compile(r"([a-z]{3})_([0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})", re.ASCII)


def _text(millis: int, rand_a: int, rand_b: int) -> str:
    raw = f"{millis & 0xFFFFFFFFFFFF:012x}7{rand_a & 0xFFF:03x}{0x8000000000000000 | (rand_b & 0x3FFFFFFFFFFFFFFF):016x}"
    return f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:]}"


RANDOM_AT_ONCE = 8 * 64  # asking the kernel once per id would cost more than the id


class Mint:
    """Fresh UUIDv7 texts, increasing within one process; 62 random bits restart every millisecond."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._millis = 0
        self._count = 0
        self._random = b""

    def uuid(self, now_us: int) -> str:
        """A new id for the moment `now_us` (microseconds since the epoch)."""
        with self._lock:
            millis = now_us // 1000
            if millis > self._millis:
                self._millis, self._count = millis, 0
            else:
                self._count += 1
                if self._count > 0xFFF:
                    self._millis, self._count = self._millis + 1, 0
            if not self._random:
                self._random = os.urandom(RANDOM_AT_ONCE)
            taken, self._random = self._random[:8], self._random[8:]
            return _text(self._millis, self._count, int.from_bytes(taken, "big"))


def numbered(now_us: int, owner: int, number: int, bit: int = 0) -> str:
    """The id of thing `number` of `owner` at `now_us`: the same facts give the same id.

    `owner` < 2^24, `number` < 2^49; `bit` tells twins apart (the two fills of a trade).
    """
    packed = ((owner & 0xFFFFFF) << 50) | ((number & 0x1FFFFFFFFFFFF) << 1) | bit
    return _text(now_us // 1000, packed >> 62, packed)


def first_at(now_us: int) -> str:
    """The smallest id of its millisecond: whatever was numbered or minted earlier is less."""
    return _text(now_us // 1000, 0, 0)


def owner_and_number(uuid: str) -> tuple[int, int]:
    """What `numbered` was given; of any other id, numbers that mean nothing."""
    whole = int(uuid.replace("-", ""), 16)
    packed = (((whole >> 64) & 0xFFF) << 62) | (whole & 0x3FFFFFFFFFFFFFFF)
    return (packed >> 50) & 0xFFFFFF, (packed >> 1) & 0x1FFFFFFFFFFFF


_ODD = {"0": "1", "2": "3", "4": "5", "6": "7", "8": "9", "a": "b", "c": "d", "e": "f"}


def twin(uuid: str) -> str:
    """The id with bit 1 of one that was numbered with bit 0."""
    return uuid[:-1] + _ODD[uuid[-1]]


def public(prefix: str, uuid: str) -> str:
    return f"{prefix}_{uuid}"


def bare(prefix: str, text: str) -> str | None:
    """The UUID inside a public id, or None when `text` is not a well-formed id of that prefix."""
    match = _PUBLIC.fullmatch(text)
    return match[2] if match and match[1] == prefix else None
