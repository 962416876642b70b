"""D1: a trade is delivery versus payment: its units, its cash and its fees, one ledger entry, one event."""

from exchange.audit.check import Check

# OFFSET 0 keeps the unnesting of a trade's slices by itself: joined before it meets the trades, other tables would be read once for each.
CHECKS = (
    Check(
        "D1",
        "trade_entry",
        "Each trade has exactly one ledger entry: unit legs by slice, the cash leg, the fees; and such postings belong to a trade.",
        """
        WITH units AS (
            SELECT t.id, s.ord, cardinality(t.slice_units) AS size, s.root, s.units FROM exchange_trade t
            CROSS JOIN LATERAL unnest(t.slice_roots, t.slice_units) WITH ORDINALITY AS s(root, units, ord)),
        expected AS (
            SELECT t.id AS entry_id, u.ord - 1 AS leg, 'units' AS kind, a.id AS asset_id, t.seller_id AS debit_id, t.buyer_id AS credit_id,
                   u.units AS amount, t.at FROM exchange_trade t JOIN units u ON u.id = t.id LEFT JOIN settlement_asset a ON a.root_right = u.root
            UNION ALL SELECT t.id, cardinality(t.slice_units) + f.leg, f.kind, i.currency_id, f.debit_id, f.credit_id, f.amount, t.at
            FROM exchange_trade t JOIN exchange_instrument i ON i.id = t.book_id JOIN exchange_book b ON b.instrument_id = i.id
            CROSS JOIN LATERAL (VALUES
                (0, 'cash', t.buyer_id, coalesce(b.proceeds_account_id, t.seller_id), t.notional_minor), (1, 'fee', t.buyer_id, b.fee_account_id, t.buy_fee_minor),
                (2, 'fee', coalesce(b.proceeds_account_id, t.seller_id), b.fee_account_id, t.sell_fee_minor)) AS f(leg, kind, debit_id, credit_id, amount)
            WHERE f.amount <> 0),
        posted AS (
            SELECT entry_id, leg, kind, asset_id, debit_id, credit_id, amount, at FROM settlement_posting
            WHERE kind IN ('units', 'cash', 'fee') OR entry_id IN (SELECT id FROM exchange_trade))
        SELECT coalesce(e.entry_id, p.entry_id) AS trade, coalesce(e.leg, p.leg) AS leg, e.kind AS expected, e.amount AS expected_amount,
               p.kind AS posted, p.amount AS posted_amount
        FROM expected e FULL JOIN posted p ON p.entry_id = e.entry_id AND p.leg = e.leg
        WHERE (e.kind, e.asset_id, e.debit_id, e.credit_id, e.amount, e.at) IS DISTINCT FROM
              (p.kind, p.asset_id, p.debit_id, p.credit_id, p.amount, p.at)
        """,
    ),
    Check(
        "D1",
        "trade_slices",
        "A trade's slices are rights of a series its book delivered by then, of the root they name, and make up its units.",
        """
        SELECT t.id AS trade, t.units, t.slice_units FROM exchange_trade t
        WHERE t.units <> (SELECT coalesce(sum(u), 0) FROM unnest(t.slice_units) u) OR 0 >= ANY(t.slice_units)
           OR cardinality(t.slice_units) <> ALL(ARRAY[cardinality(t.slice_children), cardinality(t.slice_parents), cardinality(t.slice_roots)])
        UNION ALL
        SELECT s.id, s.units, s.slice_units FROM (
            SELECT t.id, t.units, t.slice_units, t.book_id, t.at, u.child, u.parent, u.root FROM exchange_trade t
            CROSS JOIN LATERAL unnest(t.slice_children, t.slice_parents, t.slice_roots) AS u(child, parent, root) OFFSET 0) s
        JOIN exchange_instrument i ON i.id = s.book_id
        LEFT JOIN rights_right c ON c.id = s.child LEFT JOIN rights_right p ON p.id = s.parent
        WHERE c.root_id IS DISTINCT FROM s.root OR p.root_id IS DISTINCT FROM s.root OR c.series_id IS DISTINCT FROM p.series_id
           OR (c.series_id <> i.series_id AND NOT EXISTS (
                SELECT 1 FROM exchange_deliverable d WHERE d.instrument_id = i.id AND d.series_id = c.series_id AND d.since <= s.at))
        """,
    ),
    Check(
        "D1",
        "trade_moves",
        "What a trade's slices say went from which right into which is what the events of those rights say of that moment.",
        """
        WITH sliced AS (
            SELECT t.at, s.parent, s.child, s.units FROM exchange_trade t
            CROSS JOIN LATERAL unnest(t.slice_parents, t.slice_children, t.slice_units) AS s(parent, child, units) OFFSET 0),
        said AS (
            SELECT r.stream_id, s.at, 'rgt_' || s.parent AS parent, 'rgt_' || s.child AS child, sum(s.units) AS units FROM sliced s
            JOIN rights_right c ON c.id = s.child JOIN rights_series r ON r.id = c.series_id GROUP BY 1, 2, 3, 4),
        moves AS (
            SELECT stream_id, at, type, body::jsonb -> 'payload' AS payload FROM rights_event
            WHERE type IN ('right.split', 'right.merged', 'right.transferred')),
        told AS (
            SELECT stream_id, at, payload ->> CASE type WHEN 'right.split' THEN 'parent' WHEN 'right.merged' THEN 'source' ELSE 'right' END
                AS parent, payload ->> CASE type WHEN 'right.split' THEN 'child' WHEN 'right.merged' THEN 'target' ELSE 'right' END AS child,
                sum((payload ->> 'units')::numeric) AS units FROM moves GROUP BY 1, 2, 3, 4)
        SELECT parent, child, at, s.units AS sold, t.units::text AS told FROM said s LEFT JOIN told t USING (stream_id, at, parent, child)
        WHERE s.units IS DISTINCT FROM t.units
        """,
    ),
    Check(
        "D1",
        "trade_event",
        "Each trade has exactly one trade.executed event in its series' stream, and each such event its trade.",
        """
        WITH told AS (SELECT stream_id, seq, object_id, at FROM rights_event WHERE type = 'trade.executed')
        SELECT t.id AS trade, coalesce(t.event_seq, e.seq) AS seq, e.object_id FROM (
            SELECT t.id, t.event_seq, t.at, s.stream_id FROM exchange_trade t JOIN exchange_instrument i ON i.id = t.book_id
            JOIN rights_series s ON s.id = i.series_id) t
        FULL JOIN told e ON e.stream_id = t.stream_id AND e.seq = t.event_seq
        WHERE e.object_id IS DISTINCT FROM 'trd_' || t.id OR e.at IS DISTINCT FROM t.at
        """,
    ),
    Check(
        "D1",
        "trade_told",
        "A trade.executed event tells its trade as it is stored: parties, orders, price, amounts, fees and deliveries.",
        """
        WITH told AS (
            SELECT e.stream_id, e.seq, e.body::jsonb -> 'payload' AS payload FROM rights_event e WHERE e.type = 'trade.executed')
        SELECT t.id AS trade, t.trade_no, e.payload::text FROM exchange_trade t JOIN exchange_instrument i ON i.id = t.book_id
        JOIN rights_series s ON s.id = i.series_id JOIN told e ON e.stream_id = s.stream_id AND e.seq = t.event_seq
        JOIN rights_account b ON b.id = t.buyer_id JOIN rights_account o ON o.id = t.seller_id
        WHERE e.payload <> jsonb_build_object(
            'aggressor', (ARRAY['buy', 'sell', 'auction'])[t.aggressor + 1], 'buy_fee', t.buy_fee_minor::text,
            'buy_order', 'ord_' || t.buy_order_id, 'buyer', 'acc_' || b.uuid, 'instrument', i.symbol, 'notional', t.notional_minor::text,
            'price', t.price_ticks::text, 'quantity', t.quantity_lots::text, 'sell_fee', t.sell_fee_minor::text,
            'sell_order', 'ord_' || t.sell_order_id, 'seller', 'acc_' || o.uuid, 'trade_no', t.trade_no::text,
            'deliveries', (
                SELECT jsonb_agg(jsonb_build_object('parent', 'rgt_' || parent, 'right', 'rgt_' || child, 'units', units::text) ORDER BY ord)
                FROM unnest(t.slice_parents, t.slice_children, t.slice_units) WITH ORDINALITY AS d(parent, child, units, ord)))
        """,
    ),
    Check(
        "D1",
        "same_transaction",
        "A trade, its postings, its event and its batch were written by one database transaction. (Rows of a restored backup, whose batches "
        "all came in one transaction, say nothing about that.)",
        """
        WITH told AS (SELECT stream_id, seq, xmin FROM rights_event WHERE type = 'trade.executed'),
        once AS (SELECT min(book_id) AS book_id, min(seq) AS seq FROM exchange_batch GROUP BY xmin::text HAVING count(*) = 1),
        batch AS (SELECT b.book_id, b.seq, b.xmin FROM exchange_batch b JOIN once USING (book_id, seq))
        SELECT t.id AS trade, t.batch_seq, b.xmin::text AS batch, t.xmin::text AS stored, e.xmin::text AS told FROM exchange_trade t
        JOIN batch b ON b.book_id = t.book_id AND b.seq = t.batch_seq JOIN exchange_instrument i ON i.id = t.book_id
        JOIN rights_series s ON s.id = i.series_id JOIN told e ON e.stream_id = s.stream_id AND e.seq = t.event_seq
        WHERE t.xmin <> b.xmin OR e.xmin <> b.xmin
        UNION ALL
        SELECT t.id, t.batch_seq, b.xmin::text, t.xmin::text, p.xmin::text FROM exchange_trade t
        JOIN batch b ON b.book_id = t.book_id AND b.seq = t.batch_seq JOIN settlement_posting p ON p.entry_id = t.id WHERE p.xmin <> b.xmin
        """,
    ),
    Check(
        "D1",
        "trade_numbers",
        "A book's trades are numbered without gaps up to its count, and belong to batches at their very moment.",
        """
        SELECT t.id AS trade, t.book_id, t.trade_no, t.batch_seq FROM (
            SELECT id, book_id, trade_no, batch_seq, at, lag(trade_no, 1, 0::bigint) OVER w AS number_before,
                   lag(batch_seq, 1, 0::bigint) OVER w AS batch_before
            FROM exchange_trade WINDOW w AS (PARTITION BY book_id ORDER BY trade_no)) t
        LEFT JOIN exchange_batch b ON b.book_id = t.book_id AND b.seq = t.batch_seq
        WHERE t.trade_no <> t.number_before + 1 OR t.batch_seq < t.batch_before OR b.at IS DISTINCT FROM t.at
        UNION ALL
        SELECT NULL, b.instrument_id, b.trade_count, b.seq FROM exchange_book b
        WHERE b.trade_count <> (SELECT count(*) FROM exchange_trade t WHERE t.book_id = b.instrument_id)
        """,
    ),
)
