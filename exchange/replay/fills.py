"""Fills from the journal alone: a book's recorded inputs through an engine, against the trades and orders it stored."""

from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Any, Protocol

import msgspec

from exchange.domain.command import Command, Place, Side
from exchange.domain.outcome import Outcome, Refused
from exchange.feed.record import PublicRecord
from exchange.models.book import CommandKind
from exchange.replay.book_source import BatchRow, BookRow, TradeRow, trades_of
from exchange.replay.finding import Findings
from exchange.replay.order_rows import OrderChecks, compare_resting
from exchange.replay.order_story import Fees, Fill, Stories
from exchange.services.batch_record import Step, command_of
from exchange.services.payload import PlacePayload, decode
from exchange.services.rules import rules_of
from rights.kernel.ids import numbered


class Engine(Protocol):
    """Anything that matches as docs/matching.md says."""

    blocked: AbstractSet[tuple[int, int]]
    phase: int
    post_only: int

    def apply(self, command: Command, now: int) -> list[Outcome]: ...

    def expire(self, now: int) -> list[Outcome]: ...

    def orders(self, side: int) -> list[Any]: ...


class FillReplay:
    """Feeds one book's batches to an engine. The first difference ends it: what follows would only repeat it."""

    def __init__(self, book: BookRow, engine: Engine, check: str, findings: Findings, *, orders: bool) -> None:
        rules = rules_of(book.book_id)
        self._book, self._engine, self._check, self._findings = book, engine, check, findings
        self._stories = Stories(Fees(rules.tick_minor, rules.maker_bps, rules.taker_bps))
        self._trades = trades_of(book)
        self._orders = OrderChecks(book, findings, check) if orders else None
        self.trade_count = 0
        self.commands = 0
        self.over = False

    def batch(self, batch: BatchRow, public: PublicRecord | None) -> None:
        """Replay the next batch."""
        if self.over or batch.inputs is None:
            return
        try:
            fills = self._run(batch)
        except (KeyError, TypeError, ValueError, IndexError, AssertionError, msgspec.MsgspecError) as fault:
            self._differs(batch.seq, f"its inputs can't be replayed: {fault!r}")
            return
        for fill in fills:
            self._compare(batch, fill)
        if public is not None and self._orders is not None and not self.over:
            self._compare_public(batch, public, len(fills))
        ended = self._stories.take_ended()
        if self._orders is not None and not self.over:
            self._orders.ended(ended)

    def _run(self, batch: BatchRow) -> list[Fill]:
        assert batch.inputs is not None
        engine, stories = self._engine, self._stories
        engine.blocked = frozenset((pair[0], pair[1]) for pair in batch.inputs.blocked)
        fills = stories.apply(engine.expire(batch.at_us))
        for step in batch.inputs.steps:
            self.commands += 1
            if step.refused:
                self._refused(batch, step)
                continue
            command = command_of(step)
            if isinstance(command, Place):
                stories.placed(command)
            outcomes = engine.apply(command, batch.at_us)
            fills += stories.apply(outcomes)
            if isinstance(command, Place) and outcomes and isinstance(outcomes[-1], Refused):
                story = stories.open[command.order_id]
                stories.refused(command.order_id, command.side, story.price_ticks, command.quantity_lots, outcomes[-1].reason)
        return fills

    def _refused(self, batch: BatchRow, step: Step) -> None:
        command = batch.commands.get(step.n)
        if step.kind != CommandKind.PLACE or command is None or command.order_id is None:
            return
        asked = decode(command.kind, command.payload)
        if isinstance(asked, PlacePayload):
            self._stories.refused(command.order_id, asked.side, asked.price_ticks, asked.quantity_lots, step.refused)

    def _compare(self, batch: BatchRow, fill: Fill) -> None:
        if self.over:
            return
        self.trade_count += 1
        number = self.trade_count
        trade_id = numbered(batch.at_us, self._book.book_id, number)
        rebuilt = TradeRow(trade_id, number, batch.seq, batch.at_us, *msgspec.structs.astuple(fill))
        stored = next(self._trades, None)
        if stored is None:
            self._differs(batch.seq, f"the journal makes trade {number}, none is stored")
        elif stored != rebuilt:
            self._differs(batch.seq, {"trade_no": number, **_difference(rebuilt, stored)})

    def _compare_public(self, batch: BatchRow, public: PublicRecord, count: int) -> None:
        told = [trade.trade_no for trade in public.trades]
        if told != list(range(self.trade_count - count + 1, self.trade_count + 1)):
            self._differs(batch.seq, f"published trades {told[:3]}…, made {count} up to {self.trade_count}")
        elif (public.phase, public.post_only) != (self._engine.phase, self._engine.post_only):
            made = f"phase {self._engine.phase}, post-only {self._engine.post_only}"
            self._differs(batch.seq, f"published phase {public.phase}, post-only {public.post_only}; the engine is in {made}")

    def end(self) -> None:
        """What is stored beyond what the journal makes, and the book that is left."""
        if self.over:
            return
        extra = list(islice(self._trades, 3))
        if extra:
            self._differs(self._book.seq, f"trades that the journal does not make: {[trade.trade_no for trade in extra]}…")
            return
        if self._orders is not None:
            for fault in self._orders.end(self._stories.open.values()):
                self._differs(self._book.seq, fault)
            made, stored = (self.trade_count, self._engine.phase, self._engine.post_only), self._book
            if made != (stored.trade_count, stored.phase, stored.post_only):
                self._differs(self._book.seq, f"the journal makes {made[0]} trades, phase {made[1]} and post-only {made[2]}")
        for side in (Side.BUY, Side.SELL):
            for fault in compare_resting(self._book.book_id, int(side), self._engine.orders(side)):
                self._differs(self._book.seq, fault)

    def _differs(self, seq: int, fault: object) -> None:
        self.over = True
        self._findings.add(self._check, book=self._book.symbol, batch=seq, fault=fault)


def _difference(rebuilt: TradeRow, stored: TradeRow) -> dict[str, Any]:
    pairs = zip(msgspec.structs.asdict(rebuilt).items(), msgspec.structs.astuple(stored), strict=True)
    return {field: {"journal": says, "stored": has} for (field, says), has in pairs if says != has}
