"""B1, B2, B4, B5, B6: what orders and trades say agrees with each other and with the rules of their book."""

from exchange.audit.check import Check

# Where every applied command stands: its batch, and its place in it.
# OFFSET 0 keeps the unnesting by itself: joined before it meets the batches, the commands would be read once for each of them.
APPLIED = "SELECT b.book_id, b.seq, u.n, u.ord FROM exchange_batch b, unnest(b.command_ns) WITH ORDINALITY AS u(n, ord) OFFSET 0"

CHECKS = (
    Check(
        "B1",
        "order_adds_up",
        "filled + remaining + cancelled = quantity, each ≥ 0, and the status says the same.",
        """
        SELECT id AS "order", status, reason, is_open, quantity_lots, filled_lots, remaining_lots, cancelled_lots FROM exchange_order
        WHERE quantity_lots <> filled_lots + remaining_lots + cancelled_lots OR least(filled_lots, remaining_lots, cancelled_lots) < 0
           OR is_open <> (remaining_lots > 0) OR is_open <> (status IN (1, 2))
           OR NOT CASE status WHEN 1 THEN is_open AND filled_lots = 0 WHEN 2 THEN is_open AND filled_lots > 0
                WHEN 3 THEN filled_lots > 0 AND NOT is_open AND reason = 0 WHEN 4 THEN cancelled_lots > 0 AND NOT is_open
                WHEN 5 THEN cancelled_lots > 0 AND NOT is_open WHEN 6 THEN cancelled_lots = quantity_lots ELSE false END
        """,
    ),
    Check(
        "B1",
        "order_fills",
        "An order's fills sum to its filled quantity, notional and fees, and belong to its book, account and side.",
        """
        WITH fills AS (
            SELECT id, side, book_id, account_id, sum(lots) AS lots, sum(notional) AS notional, sum(fee) AS fee FROM (
                SELECT buy_order_id AS id, 0 AS side, book_id, buyer_id AS account_id, quantity_lots AS lots, notional_minor AS notional,
                       buy_fee_minor AS fee FROM exchange_trade
                UNION ALL SELECT sell_order_id, 1, book_id, seller_id, quantity_lots, notional_minor, sell_fee_minor FROM exchange_trade) f
            GROUP BY 1, 2, 3, 4)
        SELECT coalesce(o.id, f.id) AS "order", o.filled_lots, f.lots::text AS traded, o.notional_minor, f.notional::text, o.fee_minor, f.fee::text
        FROM exchange_order o FULL JOIN fills f ON f.id = o.id AND f.side = o.side AND f.book_id = o.book_id AND f.account_id = o.account_id
        WHERE o.id IS NULL OR (o.filled_lots, o.notional_minor, o.fee_minor) IS DISTINCT FROM
              (coalesce(f.lots, 0), coalesce(f.notional, 0), coalesce(f.fee, 0))
        """,
    ),
    Check(
        "B1",
        "known_parties",
        "Orders, trades, commands, batches and private messages name books, orders and accounts that exist; hot rows have no foreign keys.",
        """
        WITH named AS (
            SELECT 'order' AS what, book_id, account_id FROM exchange_order UNION SELECT 'command', book_id, account_id FROM exchange_command
            UNION SELECT 'batch', book_id, NULL FROM exchange_batch UNION SELECT 'trade', book_id, buyer_id FROM exchange_trade
            UNION SELECT 'trade', book_id, seller_id FROM exchange_trade
            UNION SELECT 'message', book_id, account_id FROM exchange_accountmessage)
        SELECT n.what, n.book_id, n.account_id FROM named n LEFT JOIN exchange_book b ON b.instrument_id = n.book_id
        LEFT JOIN rights_account a ON a.id = n.account_id
        WHERE (n.book_id IS NOT NULL AND b.instrument_id IS NULL) OR (n.account_id IS NOT NULL AND a.id IS NULL)
        """,
    ),
    Check(
        "B2",
        "book_uncrossed",
        "In continuous trading the best bid at rest is below the best ask.",
        """
        SELECT i.symbol, max(o.price_ticks) FILTER (WHERE o.side = 0) AS bid, min(o.price_ticks) FILTER (WHERE o.side = 1) AS ask
        FROM exchange_book b JOIN exchange_instrument i ON i.id = b.instrument_id JOIN exchange_order o ON o.book_id = i.id AND o.is_open
        WHERE b.phase = 1 GROUP BY 1 HAVING max(o.price_ticks) FILTER (WHERE o.side = 0) >= min(o.price_ticks) FILTER (WHERE o.side = 1)
        """,
    ),
    Check(
        "B4",
        "trade_amounts",
        "A trade is whole lots at a price in the collar; units and notional follow from them.",
        """
        SELECT t.id AS trade, i.symbol, t.price_ticks, t.quantity_lots, t.units, t.notional_minor FROM exchange_trade t
        JOIN exchange_instrument i ON i.id = t.book_id
        WHERE t.quantity_lots <= 0 OR t.price_ticks NOT BETWEEN i.collar_low_ticks AND i.collar_high_ticks
           OR t.units <> t.quantity_lots::numeric * i.lot_size OR t.notional_minor <> t.price_ticks::numeric * i.tick_minor * t.quantity_lots
        """,
    ),
    Check(
        "B4",
        "trade_price",
        "A trade's price is inside both limits, and the maker's outside auctions. (Of amended orders the reference engine, B3, knows the price.)",
        """
        WITH amended AS (SELECT DISTINCT order_id FROM exchange_command WHERE kind = 1)
        SELECT t.id AS trade, t.price_ticks, b.price_ticks AS bid, s.price_ticks AS ask, t.aggressor FROM exchange_trade t
        LEFT JOIN exchange_order b ON b.id = t.buy_order_id AND b.id NOT IN (SELECT order_id FROM amended WHERE order_id IS NOT NULL)
        LEFT JOIN exchange_order s ON s.id = t.sell_order_id AND s.id NOT IN (SELECT order_id FROM amended WHERE order_id IS NOT NULL)
        WHERE t.price_ticks > b.price_ticks OR t.price_ticks < s.price_ticks
           OR (t.aggressor = 0 AND t.price_ticks <> s.price_ticks) OR (t.aggressor = 1 AND t.price_ticks <> b.price_ticks)
        """,
    ),
    Check(
        "B5",
        "two_participants",
        "The two sides of a trade belong to different participants.",
        """
        SELECT t.id AS trade, t.buyer_id, t.seller_id, b.participant_id FROM exchange_trade t JOIN rights_account b ON b.id = t.buyer_id
        JOIN rights_account s ON s.id = t.seller_id WHERE b.participant_id = s.participant_id
        """,
    ),
    Check(
        "B5",
        "order_participant",
        "An order names the participant that owns its account.",
        """
        SELECT o.id AS "order", o.account_id, o.participant_id FROM exchange_order o LEFT JOIN rights_account a ON a.id = o.account_id
        WHERE a.participant_id IS DISTINCT FROM o.participant_id
        """,
    ),
    Check(
        "B6",
        "traded_while_open",
        "Each trade was made by a command of its batch at a place where the book was in continuous trading, before its gate closed.",
        f"""
        WITH applied AS MATERIALIZED ({APPLIED}),
        steps AS (
            SELECT a.book_id, a.seq, a.ord, (c.payload::json ->> 'phase')::int AS phase FROM exchange_command c
            JOIN applied a ON a.n = c.n AND a.book_id = c.book_id WHERE c.kind = 4
            UNION ALL SELECT instrument_id, 0, 0, 0 FROM exchange_book),
        counted AS (
            SELECT *, coalesce(bool_or(phase = 3) OVER (PARTITION BY book_id ORDER BY seq, ord
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), false) AS over FROM steps),
        spans AS (
            SELECT book_id, phase, seq, ord, lead(seq, 1, 9223372036854775807) OVER w AS to_seq, lead(ord, 1, 0) OVER w AS to_ord
            FROM counted WHERE NOT over WINDOW w AS (PARTITION BY book_id ORDER BY seq, ord)),
        made AS (
            SELECT t.id, a.seq, a.ord, t.book_id FROM exchange_trade t
            JOIN exchange_command c ON c.order_id = CASE t.aggressor WHEN 0 THEN t.buy_order_id ELSE t.sell_order_id END AND c.kind IN (0, 1)
            JOIN applied a ON a.n = c.n AND a.book_id = t.book_id AND a.seq = t.batch_seq WHERE t.aggressor < 2
            UNION ALL
            SELECT t.id, s.seq, s.ord, t.book_id FROM exchange_trade t
            JOIN counted s ON s.book_id = t.book_id AND s.seq = t.batch_seq AND s.phase = 1 AND NOT s.over WHERE t.aggressor = 2)
        SELECT t.id AS trade, t.book_id, t.batch_seq, t.at, i.gate_closes_at FROM exchange_trade t JOIN exchange_instrument i ON i.id = t.book_id
        WHERE t.at >= i.gate_closes_at OR NOT EXISTS (
            SELECT 1 FROM made m JOIN spans p ON p.book_id = m.book_id AND p.phase = 1 AND (m.seq, m.ord) >= (p.seq, p.ord)
                AND (m.seq, m.ord) < (p.to_seq, p.to_ord) WHERE m.id = t.id)
        """,
    ),
    Check(
        "B6",
        "closed_is_empty",
        "Nothing rests in a closed book.",
        """
        SELECT o.id AS "order", o.book_id FROM exchange_order o JOIN exchange_book b ON b.instrument_id = o.book_id
        WHERE o.is_open AND b.phase = 3
        """,
    ),
)
