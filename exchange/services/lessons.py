"""What a batch learns from its failed attempts, so that it ends."""

from collections.abc import Set as AbstractSet

import msgspec

Pair = tuple[int, int]  # (policy key of an ask, account of a bidder)
# Failed attempts after which a batch is judged more strictly, so that it ends however many asks turn takers away one after the other.
AT_WORST, WEARY, CLOSED = 4, 5, 6


class Lessons(msgspec.Struct):
    """What the failed attempts at a batch have taught. Who is turned away too strictly finds his orders as they were: it is for one batch."""

    shut: set[Pair] = msgspec.field(default_factory=set)  # refused under the locks
    weary: set[int] = msgspec.field(default_factory=set)  # accounts that take nothing under rules that are looked up
    at_worst: bool = False  # judge counts as if no giver gave his last
    closed: bool = False  # nobody takes anything under rules that are looked up

    def learn(self, pairs: AbstractSet[Pair], attempt: int) -> None:
        """Pairs were refused at `attempt`, counted from 1."""
        self.shut |= pairs
        self.at_worst |= attempt >= AT_WORST
        self.closed |= attempt >= CLOSED
        if attempt >= WEARY:
            self.weary |= {account for _, account in pairs}
