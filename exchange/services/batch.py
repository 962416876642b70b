"""The batch: the only writer of a book (ARCHITECTURE.md, life of an order).

Lock the book's row, number its pending commands, admit each, match in the pure core, deliver, journal, advance the fence,
one commit. If under the locks something turns out to have changed, everything is rolled back and done again with
the orders concerned pulled first, as recorded commands.
"""

import enum
from collections.abc import Sequence

import msgspec
from django.db import transaction

from exchange.domain.command import Side
from exchange.services import bell
from exchange.services.apply import apply_command, expire
from exchange.services.batch_write import write
from exchange.services.facts import Parcel, Party, ask_parcels, ask_parties, load_holdings, read_parcels, read_parties
from exchange.services.header import Header
from exchange.services.intake import INSERT, NewCommand, parameters
from exchange.services.lane import BookMemory, LaneMemory
from exchange.services.lessons import Lessons, Pair
from exchange.services.messages import Suspended
from exchange.services.pairs import block_resting, pairs_behind
from exchange.services.payload import AmendPayload, Payload, PlacePayload, decode
from exchange.services.pending import Pending, ask_pending, read_pending
from exchange.services.rules import rules_of
from exchange.services.stale import pulls_for
from exchange.services.working import Working
from rights.kernel import rows
from rights.kernel.retry import CONFLICTS, is_transient
from rights.kernel.trip import Trip
from rights.services.deliveries import StaleRights, UnitsGone
from rights.services.reception import ShutPairs
from settlement.services.ledger import LedgerRefusal

LIMIT = 1000
ATTEMPTS = 8
# How long a batch may hold its book, whatever its worker does; usually it takes some milliseconds. Reading the book anew may take longer,
# and so may a batch after one that failed: it may have been cut off because it is a slow machine.
HOLD_MS = 3000
HOLD_LONGER_MS = 30_000


class Outcome(enum.Enum):
    """What a call found: matched something, had nothing to do, or another worker holds the book."""

    MATCHED = "matched"
    IDLE = "idle"
    BUSY = "busy"


class Shut(Exception):
    """Pairs that the gate refused under the locks: they are blocked and the batch runs again."""

    def __init__(self, pairs: set[Pair]) -> None:
        super().__init__(f"{len(pairs)} pairs are refused")
        self.pairs = pairs


class Matched(msgspec.Struct, frozen=True):
    outcome: Outcome
    commands: int = 0
    trades: int = 0
    seq: int = 0
    more: bool = False


# With the lock goes its end: a worker that was stopped does not keep it. (Before PostgreSQL 17 only one that was stopped between two
# statements; the others end with their connection.)
_END = "CASE WHEN current_setting('server_version_num')::int >= 170000 THEN 'transaction_timeout' ELSE 'idle_in_transaction_session_timeout' END"
_BOOK = f"""
SELECT phase, seq, last_command_seq, trade_count, last_hash,
       coalesce((extract(epoch from next_expiry) * 1000000)::bigint, 0), last_price_ticks, post_only::int,
       set_config({_END}, CASE WHEN seq = %s THEN %s ELSE %s END, true)
FROM exchange_book WHERE instrument_id = %s FOR NO KEY UPDATE SKIP LOCKED
"""
# A limit that runs is not changed but by ending it.
_HURRY = f"SELECT set_config({_END}, '0', true), set_config({_END}, %s, true)"


def match_once(lane: LaneMemory, *, book_id: int, now_us: int) -> Matched:
    """One batch of at most LIMIT commands. Publishes a notice after commit."""
    pulls: list[NewCommand] = []
    lessons = Lessons()
    for attempt in range(ATTEMPTS):
        try:
            with transaction.atomic(durable=True):
                matched = _batch(lane, book_id, now_us, pulls, lessons)
                if matched.outcome is not Outcome.MATCHED:
                    transaction.set_rollback(True)  # a lock alone needs no commit, and no wait for the disk
        except (StaleRights, UnitsGone, Suspended, Shut, LedgerRefusal) as changed:
            _learn(lane, book_id, changed, pulls, lessons, attempt + 1)
        except CONFLICTS as error:
            if not is_transient(error) or attempt == ATTEMPTS - 1:
                lane.fail(book_id)
                raise
        except BaseException:
            lane.fail(book_id)
            raise
        else:
            if matched.outcome is Outcome.MATCHED:
                lane.failed.discard(book_id)
                bell.notify(book_id, matched.seq)
            return matched
        lane.drop(book_id)
    raise RuntimeError(f"book {book_id}: nothing settled after {ATTEMPTS} attempts")


def _learn(lane: LaneMemory, book_id: int, changed: Exception, pulls: list[NewCommand], lessons: Lessons, attempt: int) -> None:
    """What the next attempt has to know. Cash or units that left through another book need no more than another look."""
    if isinstance(changed, StaleRights):
        pulls += pulls_for(lane, book_id, rights=changed.statuses)
    elif isinstance(changed, Suspended):
        pulls += pulls_for(lane, book_id, accounts=changed.accounts)
    elif isinstance(changed, Shut):
        lessons.learn(changed.pairs, attempt)


def _batch(lane: LaneMemory, book_id: int, now_us: int, pulls: Sequence[NewCommand], lessons: Lessons) -> Matched:
    trip = Trip()
    book = trip.ask(_BOOK, [lane.seq(book_id), str(HOLD_MS), str(HOLD_LONGER_MS), book_id])
    # Sent behind the lock and seen after it: nobody moves the book's mark between the two.
    look = ask_pending(trip, book_id=book_id, limit=LIMIT)
    trip.go()
    found = book.one()
    if found is None:
        return Matched(Outcome.BUSY)
    phase, seq, last_command_seq, trade_count, last_hash, next_expiry, last_price, post_only = found[:8]
    commands, mark = read_pending(look, LIMIT)
    if not commands and not pulls and not (next_expiry and next_expiry <= now_us):
        return Matched(Outcome.IDLE)
    full = len(commands) == LIMIT
    rules = rules_of(book_id)
    is_read = lane.seq(book_id) == seq
    memory = lane.book(rules, phase, seq, post_only)
    if not is_read and book_id not in lane.failed:
        rows.fetch_one(_HURRY, [str(HOLD_MS)])
    if pulls:
        commands = [*_record_pulls(pulls, now_us), *commands]
    asked = [decode(c.kind, c.payload) for c in commands]
    accounts = {c.account_id for c in commands if c.account_id is not None}
    sellers = {c.account_id for c, p in zip(commands, asked, strict=True) if c.account_id is not None and _may_offer(p)}
    parties, parcels = _load(memory, accounts, sellers, now_us)
    holdings = {} if rules.position_limit_lots is None else load_holdings(rules, {p.participant for p in parties.values()})
    work = Working(memory, parties, parcels, holdings, trade_count, now_us)
    header = Header(
        book_id=book_id,
        seq=seq + 1,
        last_command_seq=last_command_seq,
        scan_xid=mark,
        last_hash=last_hash,
        now_us=now_us,
        last_price=last_price,
    )
    expire(work, header)
    block_resting(work, lessons)
    for command, payload in zip(commands, asked, strict=True):
        apply_command(work, header, command, payload)
    try:
        write(work, header, commands)
    except ShutPairs as refused:
        raise Shut(pairs_behind(work, refused.verdicts)) from refused
    memory.seq = header.seq
    return Matched(Outcome.MATCHED, len(commands), len(work.trades), header.seq, full)


def _load(memory: BookMemory, accounts: set[int], sellers: set[int], now_us: int) -> tuple[dict[int, Party], dict[int, list[Parcel]]]:
    """Who the commands come from, and what the sellers among them may deliver."""
    if not accounts:
        return {}, {}
    rules, trip = memory.rules, Trip()
    parties = ask_parties(trip, rules, accounts)
    parcels = ask_parcels(trip, rules, sellers) if sellers else None
    trip.go()
    found = read_parties(parties)
    if parcels is None:
        return found, {}
    return found, read_parcels(parcels, rules, found, now_us, takers_out=bool(memory.core.post_only))


def _may_offer(payload: Payload) -> bool:
    return isinstance(payload, AmendPayload) or (isinstance(payload, PlacePayload) and payload.side == Side.SELL)


def _record_pulls(pulls: Sequence[NewCommand], now_us: int) -> list[Pending]:
    """Write the pulls as commands of this very batch, before those that are waiting."""
    numbers = rows.fetch_all(INSERT, parameters(pulls, now_us))
    own = rows.fetch_one("SELECT pg_current_xact_id()::text::bigint")
    xid = own[0] if own else 0
    return [
        Pending(number[0], xid, None, pull.kind, pull.order_id, None, pull.payload, pull.actor, now_us)
        for number, pull in zip(numbers, pulls, strict=True)
    ]
