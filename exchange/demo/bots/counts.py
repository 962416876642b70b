"""What the bots have done since the last line in the log."""

from collections import Counter
from collections.abc import Mapping
from typing import Any


class Counts:
    """Operations by what became of them."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def add(self, result: Mapping[str, Any]) -> None:
        """One result of a batch call."""
        self._seen["operations"] += 1
        if "error" in result:
            self._seen[f"refused_{result['error']['code']}"] += 1
            return
        order = result["order"]
        self._seen[order["status"]] += 1
        self._seen["lots"] += sum(int(fill["quantity"]) for fill in order.get("fills") or ())

    def take(self) -> dict[str, int]:
        """The counts so far; counting starts anew."""
        seen, self._seen = dict(sorted(self._seen.items())), Counter()
        return seen
