"""Sellers' proceeds of units that are not final wait in escrow, where the instrument says so (SPEC §9; docs/adr/0021).

A fill pays them into the book's own account and writes nothing more: the trade says what waits for whom. From the book's close on they are
released trade by trade, page by page, when nothing of the lineages it delivered is left in anybody's hands and no settlement about them is open: under
`until_final` to the seller; under `until_delivered` the buyer has back what he paid for units that failed him and then perished. What failed
for what he asked is no failure of anybody's, unless a reviewer said so.

Locks: the book's row (what a batch of it holds too), balances, the stream of its series, account feeds.
"""

from collections.abc import Mapping, Sequence

import msgspec
from django.db import transaction

from exchange.domain.command import Phase
from exchange.domain.proceeds import RELEASED, UNTIL_DELIVERED, Sold, divided
from exchange.feed.record import BalanceRecord
from exchange.services import bell
from exchange.services.messages import tell_balances
from exchange.services.rules import Rules, rules_of
from rights.kernel import rows
from rights.kernel.clock import rfc3339
from rights.kernel.ids import Mint
from rights.services.journal import NewEvent, append
from settlement.domain.settlement_states import JUDGED
from settlement.services.ledger import Move, post

KIND = "proceeds"
MOST_TRADES = 200  # of one book looked at in one transaction
MOST_PAGES = 20  # of one book in one look; the next one goes on behind them, and begins anew at the end
MOST_RELEASED = 4_000  # in one look; what is left is found by the next
_reached: dict[int, int] = {}  # by book: the trade behind which to go on. Whoever forgets it begins anew.
_BOOKS = """
SELECT b.instrument_id FROM exchange_book b JOIN settlement_balance x ON x.account_id = b.proceeds_account_id
WHERE b.proceeds_account_id IS NOT NULL AND b.phase = %s AND x.amount > 0 AND b.instrument_id > %s
ORDER BY b.instrument_id LIMIT %s
"""
_LOCK = """
SELECT i.proceeds_escrow FROM exchange_book b JOIN exchange_instrument i ON i.id = b.instrument_id
WHERE b.instrument_id = %s FOR NO KEY UPDATE OF b SKIP LOCKED
"""
# The last of a page of trades that wait: as long as many do, only so many are looked at under the book's lock.
_PAGE = """
SELECT max(trade_no), count(*) FROM (
    SELECT t.trade_no FROM exchange_trade t WHERE t.book_id = %(book)s AND t.trade_no > %(after)s
        AND NOT EXISTS (SELECT 1 FROM exchange_proceeds p WHERE p.trade_id = t.id) ORDER BY t.trade_no LIMIT %(most)s) page
"""
_DUE = """
WITH waiting AS MATERIALIZED (
    SELECT t.id, t.trade_no, t.notional_minor - t.sell_fee_minor AS net, t.buyer_id, t.seller_id, t.slice_roots, t.slice_units
    FROM exchange_trade t WHERE t.book_id = %(book)s AND t.trade_no > %(after)s AND t.trade_no <= %(last)s
        AND NOT EXISTS (SELECT 1 FROM exchange_proceeds p WHERE p.trade_id = t.id)),
undecided AS (
    SELECT u.root FROM (SELECT DISTINCT unnest(slice_roots) AS root FROM waiting) u WHERE EXISTS (
        SELECT 1 FROM rights_right r WHERE r.root_id = u.root AND (r.remaining_units > 0 OR EXISTS (
            SELECT 1 FROM settlement_route t LEFT JOIN settlement_settlement s ON s.request_id = t.request_id
            WHERE t.right_id = r.id AND t.locked_at IS NOT NULL AND (t.state IN ('locked', 'executing') OR (t.state = 'completed' AND s.state <> 'finalized'))))))
SELECT w.id::text, w.net, w.buyer_id, 'acc_' || b.uuid, w.seller_id, 'acc_' || s.uuid, w.slice_roots::text[], w.slice_units
FROM waiting w JOIN rights_account b ON b.id = w.buyer_id JOIN rights_account s ON s.id = w.seller_id
WHERE NOT w.slice_roots && (SELECT coalesce(array_agg(root), '{}') FROM undecided) ORDER BY w.trade_no
"""
# By lineage and holder: what he bought of it in books under this rule, and how much of that failed when he used it and then perished. Where
# any leg failed for what was asked, so did the request: otherwise a part of it that can't be done would give back what all the others cost.
_FAILED = """
WITH bought AS (
    SELECT s.root, t.buyer_id AS holder_id, sum(s.units) AS units FROM exchange_trade t
    CROSS JOIN LATERAL unnest(t.slice_roots, t.slice_units) AS s(root, units)
    WHERE t.book_id IN (SELECT i.id FROM exchange_instrument i WHERE i.proceeds_escrow = %(rule)s) AND s.root = ANY(%(roots)s::uuid[])
    GROUP BY 1, 2),
used AS (
    SELECT DISTINCT r.root_id AS root, q.holder_id, s.id, t.id AS route_id, t.units FROM rights_right r
    JOIN settlement_route t ON t.right_id = r.id AND t.locked_at IS NOT NULL AND t.state = 'completed' JOIN settlement_request q ON q.id = t.request_id
    JOIN settlement_settlement s ON s.request_id = t.request_id AND s.outcome = 'failed' JOIN settlement_receipt c ON c.id = s.receipt_id
    WHERE r.root_id = ANY(%(roots)s::uuid[])
      AND (s.rule = ANY(%(judged)s) OR NOT c.body::jsonb @> '{"legs": [{"is_callers": true}]}')),
failed AS (SELECT root, holder_id, sum(units) AS units FROM used GROUP BY 1, 2),
lost AS (
    SELECT root, holder_id, sum(units) AS units FROM (
        SELECT r.root_id AS root, r.holder_id, (e.body::jsonb #>> '{payload,units}')::numeric
               - coalesce((e.body::jsonb #>> '{payload,carried_units}')::numeric, 0) AS units
        FROM rights_right r JOIN rights_event e ON e.object_id = 'rgt_' || r.id AND e.type = 'right.expired' WHERE r.root_id = ANY(%(roots)s::uuid[])
        UNION ALL
        SELECT u.root, u.holder_id, p.amount FROM (SELECT DISTINCT root, holder_id, id FROM used) u
        JOIN settlement_posting p ON p.entry_id = u.id AND p.kind = 'reversed' JOIN settlement_asset a ON a.id = p.asset_id AND a.root_right = u.root
        JOIN rights_account x ON x.id = p.credit_id AND x.code = 'units:expired') ended GROUP BY 1, 2)
SELECT root::text, holder_id, b.units::bigint, least(b.units, f.units, l.units)::bigint
FROM bought b JOIN failed f USING (root, holder_id) JOIN lost l USING (root, holder_id)
"""
_KEEP = "trade_id, entry_id, seller_minor, buyer_minor, released_at"


class _Due(msgspec.Struct, frozen=True):
    """A trade whose units are final: what its seller was to get, who the parties are, and what it delivered."""

    trade_id: str
    net_minor: int
    buyer_id: int
    buyer: str
    seller_id: int
    seller: str
    roots: list[str]
    units: list[int]


_Back = Mapping[tuple[str, int], tuple[int, int]]  # (root, buyer) → units bought, and of those the ones that failed him


def release_due(*, mint: Mint, actor: str, now_us: int, most: int = 20) -> int:
    """Release what is final, book by book and page by page, each in its own transaction; how many trades.

    `most` books are listed at once; what waits in one keeps no other waiting. A locked book waits for the next look. Of a book in which very
    many wait each look sees a part, one after another.
    """
    released, last, is_more = 0, 0, True
    while is_more and released < MOST_RELEASED:
        with transaction.atomic():
            books = [row[0] for row in rows.fetch_all(_BOOKS, [int(Phase.CLOSED), last, most])]
        for book_id in books:
            after: int | None = _reached.pop(book_id, 0)
            pages = 0
            while after is not None and released < MOST_RELEASED and pages < MOST_PAGES:
                count, after = _release(book_id, after, mint, actor, now_us)
                released, pages = released + count, pages + 1
            if after:
                _reached[book_id] = after
        is_more, last = len(books) == most, max(books, default=last)
    return released


@transaction.atomic
def _release(book_id: int, after: int, mint: Mint, actor: str, now_us: int) -> tuple[int, int | None]:
    """How many trades of the page behind number `after` were released, and the number that the next page is behind; None when there is none."""
    rule = rows.fetch_one(_LOCK, [book_id])
    if rule is None:
        return 0, None
    ((last, waiting),) = rows.fetch_all(_PAGE, {"book": book_id, "after": after, "most": MOST_TRADES})
    if not waiting:
        return 0, None
    due = [_Due(*row) for row in rows.fetch_all(_DUE, {"book": book_id, "after": after, "last": last})]
    if due:
        _pay(book_id, rule[0], due, mint, actor, now_us)
    return len(due), last if waiting == MOST_TRADES else None


def _pay(book_id: int, rule: str, due: Sequence[_Due], mint: Mint, actor: str, now_us: int) -> None:
    rules, entry_id = rules_of(book_id), mint.uuid(now_us)
    back = _failed(due) if rule == UNTIL_DELIVERED else {}
    shares = [divided(each.net_minor, _sold(each, back)) for each in due]
    changed = post(moves=_moves(rules, entry_id, due, shares), now_us=now_us)
    at = rfc3339(now_us)
    lines = [f"{each.trade_id}\t{entry_id}\t{to_seller}\t{to_buyer}\t{at}" for each, (to_seller, to_buyer) in zip(due, shares, strict=True)]
    rows.copy_rows("exchange_proceeds", _KEEP, lines)
    events = [_event(rules, entry_id, each, share) for each, share in zip(due, shares, strict=True)]
    append(stream_id=rules.stream_id, events=events, actor=actor, now_us=now_us)
    told = {
        each.account_id: BalanceRecord(rules.currency, rules.scale, each.amount, each.held)
        for each in changed
        if each.account_id not in rules.venue_accounts
    }
    heard = tell_balances(balances=told, now_us=now_us)
    transaction.on_commit(lambda: bell.notify_accounts(heard.items()))


def _failed(due: Sequence[_Due]) -> _Back:
    roots = sorted({root for each in due for root in each.roots})
    found = rows.fetch_all(_FAILED, {"rule": UNTIL_DELIVERED, "roots": rows.array(roots), "judged": list(JUDGED)})
    return {(root, holder): (bought, back) for root, holder, bought, back in found}


def _sold(due: _Due, back: _Back) -> list[Sold]:
    return [Sold(units, *back.get((root, due.buyer_id), (1, 0))) for root, units in zip(due.roots, due.units, strict=True)]


def _moves(rules: Rules, entry_id: str, due: Sequence[_Due], shares: Sequence[tuple[int, int]]) -> list[Move]:
    """One leg to each account that gets something, of all its trades together."""
    sums: dict[int, int] = {}
    for each, (to_seller, to_buyer) in zip(due, shares, strict=True):
        sums[each.seller_id] = sums.get(each.seller_id, 0) + to_seller
        sums[each.buyer_id] = sums.get(each.buyer_id, 0) + to_buyer
    held = rules.proceeds_account_id or 0
    given = sorted((account, minor) for account, minor in sums.items() if minor)
    return [Move(entry_id, leg, KIND, rules.currency_id, held, account, minor) for leg, (account, minor) in enumerate(given)]


def _event(rules: Rules, entry_id: str, due: _Due, share: tuple[int, int]) -> NewEvent:
    payload = {
        "buyer": due.buyer,
        "buyer_minor": str(share[1]),
        "entry_id": entry_id,
        "instrument": rules.symbol,
        "seller": due.seller,
        "seller_minor": str(share[0]),
    }
    return NewEvent(RELEASED, "trade", f"trd_{due.trade_id}", payload)
