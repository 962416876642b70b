"""The circuit breaker of an endpoint: after failures in a row it is left alone for a while, each time longer (SPEC §8)."""

FAILURES = 5
FIRST_US = 10_000_000
LONGEST_US = 300_000_000
WEIGHT = 8  # of the moving average: the newest counts an eighth


def open_us(failures_in_a_row: int) -> int:
    """For how long to leave it alone after so many failures; 0 while it may be tried."""
    if failures_in_a_row < FAILURES:
        return 0
    return min(LONGEST_US, FIRST_US << min(failures_in_a_row - FAILURES, 16))


def average_us(before_us: int | None, latency_us: int) -> int:
    """The moving average of latencies with one more."""
    return latency_us if before_us is None else before_us + (latency_us - before_us) // WEIGHT
