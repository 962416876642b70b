"""L3, S3 of proceeds: in a book's escrow is what its sellers have not got yet, and they got it once, whole, and not before it was final."""

from exchange.audit.check import Check

CHECKS = (
    Check(
        "L3",
        "proceeds_held",
        "In a book's escrow is what its trades brought their sellers and was not released; a book that pays at once has none.",
        """
        WITH waiting AS (
            SELECT t.book_id, sum(t.notional_minor - t.sell_fee_minor) AS minor FROM exchange_trade t
            JOIN exchange_book b ON b.instrument_id = t.book_id AND b.proceeds_account_id IS NOT NULL
            LEFT JOIN exchange_proceeds p ON p.trade_id = t.id WHERE p.trade_id IS NULL GROUP BY 1)
        SELECT i.symbol, i.proceeds_escrow, coalesce(x.amount, 0) AS held, coalesce(w.minor, 0)::text AS waiting
        FROM exchange_book b JOIN exchange_instrument i ON i.id = b.instrument_id LEFT JOIN waiting w ON w.book_id = b.instrument_id
        LEFT JOIN settlement_balance x ON x.account_id = b.proceeds_account_id AND x.asset_id = i.currency_id
        WHERE coalesce(x.amount, 0) <> coalesce(w.minor, 0) OR (i.proceeds_escrow = 'none') <> (b.proceeds_account_id IS NULL)
        """,
    ),
    Check(
        "S2",
        "proceeds_posted",
        "Released proceeds are the seller's of his trade, with what of them went back to the buyer, and were posted so, to the account and entry.",
        """
        WITH parts AS (
            SELECT p.entry_id, b.proceeds_account_id AS debit_id, i.currency_id AS asset_id, w.credit_id, w.minor, p.released_at AS at
            FROM exchange_proceeds p JOIN exchange_trade t ON t.id = p.trade_id JOIN exchange_book b ON b.instrument_id = t.book_id
            JOIN exchange_instrument i ON i.id = t.book_id
            CROSS JOIN LATERAL (VALUES (t.seller_id, p.seller_minor), (t.buyer_id, p.buyer_minor)) AS w(credit_id, minor) WHERE w.minor > 0),
        expected AS (SELECT entry_id, debit_id, asset_id, credit_id, at, sum(minor) AS minor FROM parts GROUP BY 1, 2, 3, 4, 5),
        posted AS (SELECT entry_id, debit_id, asset_id, credit_id, at, sum(amount) AS minor FROM settlement_posting WHERE kind = 'proceeds' GROUP BY 1, 2, 3, 4, 5)
        SELECT entry_id, credit_id AS account, e.minor::text AS expected, p.minor::text AS posted
        FROM expected e FULL JOIN posted p USING (entry_id, debit_id, asset_id, credit_id, at) WHERE e.minor IS DISTINCT FROM p.minor
        UNION ALL SELECT p.trade_id, t.seller_id, (t.notional_minor - t.sell_fee_minor)::text, (p.seller_minor + p.buyer_minor)::text
        FROM exchange_proceeds p LEFT JOIN exchange_trade t ON t.id = p.trade_id LEFT JOIN exchange_instrument i ON i.id = t.book_id
        WHERE t.notional_minor - t.sell_fee_minor IS DISTINCT FROM p.seller_minor + p.buyer_minor
           OR i.proceeds_escrow = 'none' OR (i.proceeds_escrow = 'until_final' AND p.buyer_minor <> 0)
        """,
    ),
    Check(
        "S3",
        "proceeds_final",
        "Nothing was released of a trade whose units somebody still holds, or about which a settlement is open.",
        """
        SELECT p.trade_id AS trade, r.id AS "right", r.status, r.remaining_units FROM exchange_proceeds p JOIN exchange_trade t ON t.id = p.trade_id
        CROSS JOIN LATERAL unnest(t.slice_roots) AS u(root) JOIN rights_right r ON r.root_id = u.root
        WHERE r.remaining_units > 0 OR EXISTS (
            SELECT 1 FROM settlement_route q LEFT JOIN settlement_settlement s ON s.request_id = q.request_id
            WHERE q.right_id = r.id AND (q.state IN ('locked', 'executing') OR (q.state = 'completed' AND s.state <> 'finalized')))
        """,
    ),
)
