"""One reading of every book's journal, by several readers at once."""

from collections.abc import Callable

import msgspec

from exchange.domain.book import Book
from exchange.domain.command import Phase
from exchange.replay.batch_chain import BatchChain
from exchange.replay.book_source import BookRow, batches_of, books
from exchange.replay.fills import Engine, FillReplay
from exchange.replay.finding import Findings
from exchange.replay.public_book import PublicBook

FILLS, REFERENCE = "fills", "reference_engine"


class BookWalk(msgspec.Struct):
    """What the reading found."""

    findings: Findings
    books: int = 0
    batches: int = 0
    commands: int = 0
    trades: int = 0


def walk_books(reference: Callable[[], Engine] | None = None) -> BookWalk:
    """Read all books: chain, public book, fills by the core, and by a `reference` engine when one is given."""
    walk = BookWalk(Findings())
    for book in books():
        walk.books += 1
        _walk(book, walk, reference)
    return walk


def _walk(book: BookRow, walk: BookWalk, reference: Callable[[], Engine] | None) -> None:
    chain, public = BatchChain(book, walk.findings), PublicBook(book, walk.findings)
    core = FillReplay(book, Book(phase=Phase.PRE_OPEN), FILLS, walk.findings, orders=True)
    replays = [core]
    if reference is not None:
        replays.append(FillReplay(book, reference(), REFERENCE, walk.findings, orders=False))
    for batch in batches_of(book):
        walk.batches += 1
        chain.batch(batch)
        record = public.batch(batch)
        for replay in replays:
            replay.batch(batch, record)
    chain.end()
    public.end()
    for replay in replays:
        replay.end()
    walk.commands += core.commands
    walk.trades += core.trade_count
