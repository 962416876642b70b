"""What one process has drawn ahead of the rate limits' buckets, so that not every request asks Redis.

As long as a bucket stays half full a little more is drawn than is needed, and spent here within KEEP_S. It has left the bucket, whatever
other processes do: nobody gets more than its rule allows, but that a SHARE of the burst may be spent up to KEEP_S after it was drawn. What is
left of it goes back with the next draw.
"""

import threading
import time
from collections.abc import Sequence

import msgspec

KEEP_S = 1.0
SHARE = 64  # of its burst one part is drawn ahead
MOST = 10_000  # buckets
Bucket = tuple[int, str]  # account, action


class _Held(msgspec.Struct):
    """`left` of what was drawn at `at_s` (monotonic); `level` was in the bucket then."""

    left: int
    level: float
    at_s: float


class Ahead:
    """For all threads and loops of a process."""

    def __init__(self) -> None:
        self._held: dict[Bucket, _Held] = {}
        self._lock = threading.Lock()

    def spend(self, wanted: Sequence[tuple[Bucket, int]]) -> list[tuple[float, float]] | None:
        """Take these costs from what is held, all or none: for each bucket (what is left of it here and there, seconds since it was asked)."""
        now = time.monotonic()
        with self._lock:
            held = [self._held.get(bucket) for bucket, _ in wanted]
            found = [one for one, (_, cost) in zip(held, wanted, strict=True) if one and cost <= one.left and now < one.at_s + KEEP_S]
            if len(found) < len(wanted):
                return None
            for one, (_, cost) in zip(found, wanted, strict=True):
                one.left -= cost
            return [(one.level + one.left, now - one.at_s) for one in found]

    def give_back(self, buckets: Sequence[Bucket]) -> list[int]:
        """What is held of each, which is nobody's from now on: it goes back with the next draw."""
        with self._lock:
            return [0 if (one := self._held.pop(bucket, None)) is None else one.left for bucket in buckets]

    def keep(self, bucket: Bucket, drawn: int, level: float) -> None:
        """So much was drawn ahead, and so much left in the bucket."""
        if not drawn:
            return
        with self._lock:
            if len(self._held) >= MOST:
                self._held.clear()
            before = self._held.get(bucket)
            self._held[bucket] = _Held(drawn + (before.left if before else 0), level, time.monotonic())
