"""A lane's memory of its books: rebuilt from rows whenever the remembered sequence is not the row's."""

from exchange.domain.book import Book, RestingOrder
from exchange.domain.command import Place
from exchange.services.live import Live
from exchange.services.rules import Rules
from rights.domain.gates import Receiver
from rights.kernel import rows
from rights.services.reception import policies_of
from settlement.services.deliver import Memory

_OPEN_ORDERS = """
SELECT id::text, account_id, participant_id, side, quantity_lots, price_ticks, filled_lots, remaining_lots, cancelled_lots,
       client_order_id, "group", type, tif, post_only, stp, status, notional_minor, fee_minor, held_minor,
       slice_rights::text[], slice_units, coalesce((extract(epoch from expire_at) * 1000000)::bigint, 0),
       coalesce((extract(epoch from valid_until) * 1000000)::bigint, 0), valid_reason, policy, holder_profile, joined,
       (extract(epoch from created_at) * 1000000)::bigint, (extract(epoch from updated_at) * 1000000)::bigint,
       named_rights::text[], coalesce((extract(epoch from deadline) * 1000000)::bigint, 0)
FROM exchange_order WHERE book_id = %s AND is_open ORDER BY joined
"""


_uuids: dict[int, str] = {}  # by account id


class BookMemory:
    """One book as of batch `seq`: the core's book and the order facts beside it."""

    def __init__(self, rules: Rules, phase: int, seq: int, post_only: int = 0) -> None:
        self.rules = rules
        self.seq = seq
        self.core = Book(phase=phase, post_only=post_only)
        self.live: dict[str, Live] = {}
        self.bids_of: dict[int, dict[str, Live]] = {}  # the live buys by participant, where a position is limited
        self.policies: dict[int, list[Receiver]] = {}  # receiver rules behind the policy keys of resting asks
        self.delivered = Memory()

    def account_uuid(self, account_id: int) -> str:
        """The UUID of an account; it never changes."""
        uuid = _uuids.get(account_id)
        if uuid is None:
            uuid = _uuids[account_id] = rows.fetch_all("SELECT uuid::text FROM rights_account WHERE id = %s", [account_id])[0][0]
        return uuid

    def remember(self, order: Live) -> None:
        self.live[order.id] = order
        if order.is_buy and self.rules.position_limit_lots is not None:
            self.bids_of.setdefault(order.participant, {})[order.id] = order

    def forget(self, order: Live) -> None:
        self.live.pop(order.id, None)
        if order.participant in self.bids_of:
            self.bids_of[order.participant].pop(order.id, None)


class LaneMemory:
    """Every book this worker has met."""

    def __init__(self) -> None:
        self.books: dict[int, BookMemory] = {}
        self.failed: set[int] = set()  # books whose last batch ended in an error

    def seq(self, book_id: int) -> int:
        """The batch as of which a book is remembered; -1 when it is not."""
        memory = self.books.get(book_id)
        return -1 if memory is None else memory.seq

    def book(self, rules: Rules, phase: int, seq: int, post_only: int) -> BookMemory:
        """The book as of `seq`, from memory when that is what is remembered, else from rows."""
        memory = self.books.get(rules.book_id)
        if memory is None or memory.seq != seq:
            memory = rebuild(rules, phase, seq, post_only)
            self.books[rules.book_id] = memory
        return memory

    def drop(self, book_id: int) -> None:
        """Forget a book that a failed batch may have changed."""
        self.books.pop(book_id, None)

    def fail(self, book_id: int) -> None:
        """Forget it, and remember that its batch ended in an error."""
        self.drop(book_id)
        self.failed.add(book_id)


def rebuild(rules: Rules, phase: int, seq: int, post_only: int = 0) -> BookMemory:
    """Load the open orders of a book (the caller holds its row)."""
    memory = BookMemory(rules, phase, seq, post_only)
    for row in rows.fetch_all(_OPEN_ORDERS, [rules.book_id]):
        order = Live(row[0], row[1], row[2], row[3], row[4], row[5])
        order.filled, order.remaining, order.cancelled = row[6], row[7], row[8]
        order.client_order_id, order.group = row[9], row[10]
        order.type, order.tif, order.post_only, order.stp, order.status = row[11:16]
        order.notional, order.fee, order.held = row[16:19]
        order.slices = list(zip(row[19], row[20], strict=True))
        order.expire_us, order.valid_us, order.valid_reason = row[21:24]
        order.policy, order.holder, order.joined, order.created_us, order.updated_us = row[24:29]
        order.rights, order.deadline_us = row[29:31]
        order.is_new = False
        memory.remember(order)
        memory.core.load(resting(order))
    memory.core.take_touched()
    _load_policies(memory)
    return memory


def resting(order: Live) -> RestingOrder:
    """The core's view of an open order."""
    terms = Place(
        order_id=order.id,
        account=order.account,
        participant=order.participant,
        side=order.side,
        type=order.type,
        price_ticks=order.price or 0,
        quantity_lots=order.quantity - order.cancelled,
        tif=order.tif,
        post_only=order.post_only,
        stp=order.stp,
        expire_at=order.valid_us,
        expire_reason=order.valid_reason,
        policy=order.policy,
        holder=order.holder,
        group=order.group,
    )
    return RestingOrder(terms, terms.price_ticks, terms.quantity_lots, order.remaining, order.joined)


_TERMS_BEHIND = """
SELECT DISTINCT o.policy, r.terms_hash, r.root_id::text, i.slug FROM exchange_order o CROSS JOIN LATERAL unnest(o.slice_rights) AS s(right_id)
JOIN rights_right r ON r.id = s.right_id JOIN rights_issuer i ON i.id = r.issuer_id
WHERE o.book_id = %s AND o.is_open AND o.policy <> 0 ORDER BY 1, 2, 3
"""


def _load_policies(memory: BookMemory) -> None:
    """The receiver rules of resting asks whose rights do not go to everybody: of every right behind any ask of the same key."""
    if not any(order.policy for order in memory.live.values()):
        return
    found = rows.fetch_all(_TERMS_BEHIND, [memory.rules.book_id])
    policies = policies_of(sorted({row[1] for row in found}))
    for key, terms_hash, root, issuer in found:
        memory.policies.setdefault(key, []).append(Receiver(policies[terms_hash], issuer, root, terms_hash))
