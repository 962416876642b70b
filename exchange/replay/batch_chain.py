"""The batches of one book as a chain: numbered, hashed, each naming exactly the commands it applied (TRUST C1)."""

from exchange.models.book import CommandKind
from exchange.replay.book_source import BatchRow, BookRow, CommandRow
from exchange.replay.finding import Findings
from exchange.services.batch_record import Step, chain, command_of
from exchange.services.payload import PlacePayload, decode
from rights.kernel.clock import rfc3339

CHECK, AS_ASKED = "batch_chain", "applied_as_asked"


class BatchChain:
    """Reads a book's batches in order."""

    def __init__(self, book: BookRow, findings: Findings) -> None:
        self._book, self._findings = book, findings
        self._seq, self._next_command, self._hash = 0, 1, "0" * 64

    def batch(self, batch: BatchRow) -> None:
        """Check the next batch against those before it."""
        if batch.seq != self._seq + 1:
            self._broken(batch.seq, f"batch {batch.seq} follows {self._seq}")
        if batch.first_command_seq != self._next_command:
            self._broken(batch.seq, f"its first command is numbered {batch.first_command_seq} instead of {self._next_command}")
        link = chain(
            self._hash,
            book_id=self._book.book_id,
            seq=batch.seq,
            at=rfc3339(batch.at_us),
            inputs=batch.raw_inputs,
            public=batch.raw_public,
            checksum=batch.checksum,
        )
        if link != batch.hash:
            self._broken(batch.seq, "its hash is not that of what it holds and of the batch before")
        if batch.inputs is None:
            self._broken(batch.seq, "its inputs can't be read")
        elif [step.n for step in batch.inputs.steps] != batch.command_ns:
            self._broken(batch.seq, "its inputs are not its commands, one by one")
        else:
            self._compare_steps(batch, batch.inputs.steps)
        self._seq, self._hash = batch.seq, batch.hash
        self._next_command = batch.first_command_seq + len(batch.command_ns)

    def _compare_steps(self, batch: BatchRow, steps: list[Step]) -> None:
        for step in steps:
            command = batch.commands.get(step.n)
            if command is None or command.book_id != self._book.book_id:
                self._broken(batch.seq, f"command {step.n} is not one of this book's")
            elif not _is_as_asked(step, command):
                self._findings.add(AS_ASKED, book=self._book.symbol, batch=batch.seq, command=step.n, kind=CommandKind(command.kind).name)

    def end(self) -> None:
        """Check the book's own row."""
        book = self._book
        if (book.seq, book.last_command_seq, book.last_hash) != (self._seq, self._next_command - 1, self._hash):
            self._broken(book.seq, f"the book's row is at batch {book.seq}, command {book.last_command_seq}; its batches end elsewhere")

    def _broken(self, seq: int, fault: str) -> None:
        self._findings.add(CHECK, book=self._book.symbol, batch=seq, fault=fault)


# What must be the same in a command's payload and in the step the core was fed, by kind. Left out is what admission
# decides: a market order's bound, a cut-off before the member's own expiry, quantities counted without decremented lots.
_SAME = {
    CommandKind.PLACE: ("side", "type", "quantity_lots", "tif", "post_only", "stp", "group"),
    CommandKind.AMEND: ("price_ticks",),
    CommandKind.CANCEL: ("reason",),
    CommandKind.CANCEL_MANY: ("side", "group", "reason"),
    CommandKind.SET_PHASE: ("phase",),
    CommandKind.SET_POST_ONLY: ("on",),
}


def _is_as_asked(step: Step, command: CommandRow) -> bool:
    """Whether what the core was fed is what was asked for, for the order and the account that were meant."""
    if step.kind != command.kind or step.refused:
        return step.kind == command.kind
    try:
        told, asked = command_of(step), decode(command.kind, command.payload)
    except (TypeError, ValueError, IndexError):
        return False
    if getattr(told, "order_id", command.order_id) != command.order_id:
        return False
    if getattr(told, "account", command.account_id or 0) != (command.account_id or 0):
        return False
    if isinstance(asked, PlacePayload) and asked.price_ticks not in (None, getattr(told, "price_ticks", None)):
        return False
    return all(getattr(told, field) == getattr(asked, field) for field in _SAME[CommandKind(command.kind)])
