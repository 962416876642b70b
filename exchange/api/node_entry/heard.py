"""Calls that this process has heard in the time in which they may be taken: the same one again draws from nobody's rate and locks nobody's node.

The transaction that acts finds out for certain (settlement/services/node_calls.py), also what another process has heard.
"""

MOST_IN_A_SECOND = 10_000


class Heard:
    """By the second in which they say they were signed; what is too old to be taken is forgotten."""

    def __init__(self, keep_s: int) -> None:
        self._keep_s = keep_s
        self._calls: dict[int, set[tuple[str, str]]] = {}

    def is_new(self, node_id: str, nonce: str, *, signed_s: int, now_s: int) -> bool:
        """Whether it has not been heard before; it has from now on."""
        if signed_s not in self._calls:
            self._calls = {second: calls for second, calls in self._calls.items() if second >= now_s - self._keep_s}
        calls = self._calls.setdefault(signed_s, set())
        if (node_id, nonce) in calls:
            return False
        if len(calls) < MOST_IN_A_SECOND:
            calls.add((node_id, nonce))
        return True
