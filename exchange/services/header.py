"""The facts of a batch as it runs: its number, its steps for the journal, its answers."""

from exchange.feed.record import ResultRecord
from exchange.services.batch_record import Step
from rights.services.journal import NewEvent


class Header:
    """Batch `seq` of a book at `now_us`; commands are numbered from `last_command_seq` + 1."""

    __slots__ = (
        "book_id",
        "events",
        "last_command_seq",
        "last_hash",
        "last_price",
        "now_us",
        "results",
        "scan_xid",
        "seq",
        "steps",
    )

    def __init__(
        self, *, book_id: int, seq: int, last_command_seq: int, scan_xid: int, last_hash: str, now_us: int, last_price: int | None
    ) -> None:
        self.book_id = book_id
        self.seq = seq
        self.last_command_seq = last_command_seq
        self.scan_xid = scan_xid
        self.last_hash = last_hash
        self.now_us = now_us
        self.last_price = last_price
        self.steps: list[Step] = []
        self.results: dict[int, list[ResultRecord]] = {}
        self.events: list[NewEvent] = []

    def answer(self, account: int | None, n: int, kind: int, reason: int, orders: list[str], *, kept: bool | None = None) -> None:
        """What to tell whoever waits for command `n`; the venue's own commands have nobody waiting."""
        if account is not None:
            self.results.setdefault(account, []).append(ResultRecord(n, kind, reason, orders, kept))
