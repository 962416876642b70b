"""The checksum by which a reader of market data knows that its copy of the book is right."""

from collections.abc import Iterable
from itertools import islice
from zlib import crc32

CHECKSUM_DEPTH = 10


def checksum(bids: Iterable[tuple[str, str]], asks: Iterable[tuple[str, str]]) -> int:
    """Return the CRC32 of the best levels, given as (price text, quantity text), best first.

    Texts, not numbers, so that a client computes it from exactly what it was sent.
    """
    text = "".join(_digits(price) + _digits(quantity) for levels in (asks, bids) for price, quantity in islice(levels, CHECKSUM_DEPTH))
    return crc32(text.encode("ascii"))


def _digits(text: str) -> str:
    return text.replace(".", "").lstrip("0")
