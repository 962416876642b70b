"""L1, L2, L5: the double entry adds up, balances are what was posted, fees are the one named rounding."""

from exchange.audit.check import Check

CHECKS = (
    Check(
        "L1",
        "asset_sums_to_zero",
        "The balances of every asset sum to zero: what one account has, others gave.",
        "SELECT asset_id, sum(amount)::text AS sum FROM settlement_balance GROUP BY asset_id HAVING sum(amount) <> 0",
    ),
    Check(
        "L1",
        "postings_move",
        "Every posting moves a positive amount of a known asset between two different known accounts.",
        """
        SELECT p.entry_id, p.leg, p.asset_id, p.debit_id, p.credit_id, p.amount FROM settlement_posting p
        LEFT JOIN settlement_asset a ON a.id = p.asset_id LEFT JOIN rights_account d ON d.id = p.debit_id
        LEFT JOIN rights_account c ON c.id = p.credit_id
        WHERE p.amount <= 0 OR p.debit_id = p.credit_id OR a.id IS NULL OR d.id IS NULL OR c.id IS NULL
        """,
    ),
    Check(
        "L2",
        "balance_is_posted",
        "A stored balance is the sum of its postings.",
        """
        WITH moved AS (
            SELECT account_id, asset_id, sum(amount) AS amount FROM (
                SELECT credit_id AS account_id, asset_id, amount FROM settlement_posting
                UNION ALL SELECT debit_id, asset_id, -amount FROM settlement_posting) legs GROUP BY 1, 2)
        SELECT account_id, asset_id, coalesce(b.amount, 0) AS stored, coalesce(m.amount, 0)::text AS posted
        FROM settlement_balance b FULL JOIN moved m USING (account_id, asset_id) WHERE coalesce(b.amount, 0) <> coalesce(m.amount, 0)
        """,
    ),
    Check(
        "L2",
        "balance_limits",
        "No account is below its limit, and 0 ≤ held ≤ balance; only the contra accounts of the world outside have no limit.",
        """
        SELECT b.account_id, b.asset_id, a.code, b.amount, b.held, b.floor FROM settlement_balance b
        LEFT JOIN rights_account a ON a.id = b.account_id
        WHERE b.amount < b.floor OR b.held < 0 OR (b.floor IS NOT NULL AND b.held > b.amount) OR (b.floor IS NULL AND b.held <> 0)
           OR (b.floor IS NULL) <> coalesce(a.code IN ('venue:funding', 'units:issued'), false)
        """,
    ),
    Check(
        "L5",
        "trade_fees",
        "A trade's fees are rate × notional, rounded down: the maker's rate for the maker, the taker's for the taker and in auctions.",
        """
        SELECT t.id AS trade, t.notional_minor, t.buy_fee_minor, t.sell_fee_minor, t.aggressor FROM exchange_trade t
        JOIN exchange_instrument i ON i.id = t.book_id
        WHERE t.buy_fee_minor <> div(t.notional_minor::numeric * CASE WHEN t.aggressor = 1 THEN i.maker_bps ELSE i.taker_bps END, 10000)
           OR t.sell_fee_minor <> div(t.notional_minor::numeric * CASE WHEN t.aggressor = 0 THEN i.maker_bps ELSE i.taker_bps END, 10000)
        """,
    ),
)
