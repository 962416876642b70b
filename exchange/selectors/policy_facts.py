"""What a rebalancer looks at: the windows of its classes, what its holder has and already does there, and the prices of others."""

from collections import defaultdict
from typing import Any

from exchange.domain.command import Phase, Side
from exchange.domain.rebalancing import BPS, BookFacts, Level, Owed, OwnOrder
from exchange.domain.standing_policy import Rebalancing
from exchange.models import Policy
from exchange.selectors import named
from exchange.selectors.sellable import stocks
from exchange.services.pending import UNREAD_SINCE
from exchange.services.rules import Rules, rules_of
from rights.kernel import rows
from rights.kernel.clock import rfc3339

MOST_BOOKS = 400
MOST_LOOKS = 3
DAY_US = 86_400_000_000

_BOOKS = """
SELECT i.id, b.phase, b.post_only, coalesce(b.last_price_ticks, i.reference_price_ticks)
FROM exchange_instrument i JOIN exchange_book b ON b.instrument_id = i.id JOIN rights_series s ON s.id = i.series_id
JOIN rights_computeclass c ON c.id = s.compute_class_id
WHERE c.key = ANY(%s::varchar[]) AND b.phase <> 3 AND i.gate_closes_at > %s ORDER BY s.window_start, s.window_end, i.id LIMIT %s
"""
_HELD = """
SELECT r.series_id, sum(r.remaining_units - coalesce(l.units, 0))::bigint FROM rights_right r
LEFT JOIN LATERAL (SELECT sum(u.units) AS units FROM rights_unitlock u WHERE u.right_id = r.id AND u.released_at IS NULL) l ON true
WHERE r.holder_id = %s AND r.series_id = ANY(%s::bigint[]) AND r.status = 'active' AND r.remaining_units > 0 GROUP BY r.series_id
"""
# Orders that rest, and those that no batch has applied yet.
_OWN = f"""
SELECT o.book_id, o.id::text, o.side, o.price_ticks, o.remaining_lots, o."group" FROM exchange_order o
WHERE o.account_id = %(account)s AND o.book_id = ANY(%(books)s::bigint[]) AND o.is_open AND o.price_ticks IS NOT NULL
UNION ALL
SELECT c.book_id, c.order_id::text, (c.payload::jsonb ->> 'side')::int, (c.payload::jsonb ->> 'price_ticks')::bigint,
       (c.payload::jsonb ->> 'quantity_lots')::bigint, coalesce(c.payload::jsonb ->> 'group', '')
FROM exchange_book b JOIN exchange_command c ON c.book_id = b.instrument_id AND c.xid >= {UNREAD_SINCE}
WHERE b.instrument_id = ANY(%(books)s::bigint[]) AND c.account_id = %(account)s AND c.kind = 0
  AND c.payload::jsonb ->> 'price_ticks' IS NOT NULL AND NOT EXISTS (SELECT 1 FROM exchange_order o WHERE o.id = c.order_id)
ORDER BY 2
"""
_OTHERS = """
SELECT book_id, side, price_ticks, sum(remaining_lots)::bigint FROM exchange_order
WHERE book_id = ANY(%s::bigint[]) AND is_open AND price_ticks IS NOT NULL AND participant_id <> %s GROUP BY book_id, side, price_ticks
"""
_SOLD = """
SELECT a.pair_book_id, a.rule, sum(o.filled_lots * i.lot_size)::bigint, sum(o.notional_minor - o.fee_minor)::bigint
FROM exchange_policyaction a JOIN exchange_order o ON o.id = a.order_id JOIN exchange_instrument i ON i.id = a.book_id
WHERE a.policy_id = %s AND a.pair_book_id = ANY(%s::bigint[]) AND a.outcome = 'placed' GROUP BY a.pair_book_id, a.rule
"""
# What a buy has cost and may still cost; one that no batch has applied yet counts whole.
_COST = "coalesce(o.notional_minor + o.remaining_lots * o.price_ticks * i.tick_minor, a.quantity_lots * a.price_ticks * i.tick_minor)"
_BOUGHT = f"""
SELECT a.book_id, a.rule, sum(coalesce(o.filled_lots + o.remaining_lots, a.quantity_lots) * i.lot_size)::bigint, sum({_COST})::bigint
FROM exchange_policyaction a JOIN exchange_instrument i ON i.id = a.book_id LEFT JOIN exchange_order o ON o.id = a.order_id
WHERE a.policy_id = %s AND a.book_id = ANY(%s::bigint[]) AND a.side = 0 AND a.outcome = 'placed' AND a.rule IN ('roll', 'swap')
GROUP BY a.book_id, a.rule
"""
_SPENT = f"""
SELECT coalesce(sum({_COST}), 0)::bigint FROM exchange_policyaction a JOIN exchange_instrument i ON i.id = a.book_id
LEFT JOIN exchange_order o ON o.id = a.order_id WHERE a.policy_id = %s AND a.at >= %s AND a.side = 0 AND a.outcome = 'placed'
"""


Mine = tuple[dict[int, int], dict[int, list[OwnOrder]]]


class FactsMoved(Exception):
    """The account's units or orders changed at every look: what was read is of no one moment."""


def group_of(policy: Policy) -> str:
    """The group that a policy's orders bear."""
    return f"pol_{policy.uuid}"


def spent_today_minor(*, policy: Policy, now_us: int) -> int:
    """What the policy's buys of this UTC day have cost and may still cost."""
    row = rows.fetch_one(_SPENT, [policy.pk, rfc3339(now_us // DAY_US * DAY_US)])
    return int(row[0]) if row else 0


def books_for(*, policy: Policy, rules: Rebalancing, now_us: int) -> list[BookFacts]:
    """Every window of the policy's classes whose gate has not come, in order of time. Raises FactsMoved.

    What the account has and what it already does are of one moment: a batch between the two reads would hide what it traded from both.
    """
    found = rows.fetch_all(_BOOKS, [rows.text_array(rules.classes), rfc3339(now_us), MOST_BOOKS])
    ids = [row[0] for row in found]
    if not ids:
        return []
    books = {book_id: rules_of(book_id) for book_id in ids}
    account_id, participant_id = policy.account_id, policy.account.participant_id
    for _ in range(MOST_LOOKS):
        held, own = mine = _mine(policy, books)
        best = _others(ids, participant_id)
        stock = stocks(account_id=account_id, book_ids=ids, now_us=now_us)
        owed = _owed(policy, rules, ids)
        if _mine(policy, books) == mine:
            break
    else:
        raise FactsMoved
    return [
        _facts(
            books[book_id],
            is_open=phase == Phase.CONTINUOUS and not post_only,
            fair_ticks=fair,
            held_units=held.get(books[book_id].series_id, 0),
            free_lots=stock[book_id].free_lots,
            bid=best.get((book_id, int(Side.BUY))),
            ask=best.get((book_id, int(Side.SELL))),
            own=tuple(own.get(book_id, ())),
            owed=tuple(owed[book_id]),
        )
        for book_id, phase, post_only, fair in found
    ]


def _facts(book: Rules, **seen: Any) -> BookFacts:
    return BookFacts(
        book_id=book.book_id,
        symbol=book.symbol,
        class_key=book.class_key,
        lot_units=book.lot_size,
        tick_minor=book.tick_minor,
        min_lots=book.min_lots,
        max_lots=book.max_lots,
        low_ticks=book.collar_low,
        high_ticks=book.collar_high,
        start_us=book.window_start_us,
        end_us=book.window_end_us,
        gate_us=book.gate_us,
        **seen,
    )


def _mine(policy: Policy, books: dict[int, Rules]) -> Mine:
    """Units by series, and orders by book."""
    held = dict(rows.fetch_all(_HELD, [policy.account_id, rows.array(r.series_id for r in books.values())]))
    return held, _own(policy, list(books))


def _own(policy: Policy, ids: list[int]) -> dict[int, list[OwnOrder]]:
    own: dict[int, list[OwnOrder]] = defaultdict(list)
    group = group_of(policy)
    for book_id, order_id, side, price, lots, name in named.fetch_all(_OWN, {"account": policy.account_id, "books": rows.array(ids)}):
        own[book_id].append(OwnOrder(order_id, side, price, lots, name == group))
    return own


def _others(ids: list[int], participant_id: int) -> dict[tuple[int, int], Level]:
    """The best price on each side that is not the holder's own."""
    best: dict[tuple[int, int], Level] = {}
    for book_id, side, price, lots in rows.fetch_all(_OTHERS, [rows.array(ids), participant_id]):
        known = best.get((book_id, side))
        if known is None or (price > known.price_ticks) == (side == Side.BUY):
            best[(book_id, side)] = Level(price, lots)
    return best


def _owed(policy: Policy, rules: Rebalancing, ids: list[int]) -> dict[int, list[Owed]]:
    """By the book it is to be bought in: what rolls and swaps have sold and not bought yet, and what that brought."""
    owed: dict[int, list[Owed]] = defaultdict(list)
    sold = rows.fetch_all(_SOLD, [policy.pk, rows.array(ids)])
    if not sold:
        return owed
    bought = {(row[0], row[1]): (row[2], row[3]) for row in rows.fetch_all(_BOUGHT, [policy.pk, rows.array(ids)])}
    for book_id, name, units, brought in sold:
        rule = rules.roll if name == "roll" else rules.swap
        if rule is None:
            continue
        wanted = units if rules.swap is None or name == "roll" else units * rules.swap.units_bps // BPS
        have, cost = bought.get((book_id, name), (0, 0))
        if wanted > have:
            owed[book_id].append(Owed(name, wanted - have, max(0, brought * (BPS + rule.max_cost_bps) // BPS - cost)))
    return owed
