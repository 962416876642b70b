"""L3 for requests: what their routes lock is what is locked, units of rights and cash of issuers alike."""

from exchange.audit.check import Check

CHECKS = (
    Check(
        "L3",
        "route_locks",
        "Every live route locks its units of its right, and no unit is locked for a route that is not live.",
        """
        WITH locked AS (
            SELECT ref, right_id, sum(units) AS units FROM rights_unitlock WHERE released_at IS NULL AND kind = 'route_lock' GROUP BY 1, 2),
        live AS (SELECT 'rte_' || id AS ref, right_id, units FROM settlement_route WHERE state IN ('locked', 'executing'))
        SELECT ref, right_id, l.units::text AS locked, t.units::text AS route FROM locked l FULL JOIN live t USING (ref, right_id)
        WHERE l.units IS DISTINCT FROM t.units
        """,
    ),
    Check(
        "L3",
        "route_escrow",
        "The escrow account holds what live routes and settlements that are not final have set aside, per asset.",
        """
        WITH stored AS (
            SELECT b.asset_id, b.amount FROM settlement_balance b JOIN rights_account a ON a.id = b.account_id AND a.code = 'venue:escrow'),
        needed AS (
            SELECT t.currency_id AS asset_id, sum(t.escrow_minor) AS amount FROM settlement_route t
            LEFT JOIN settlement_settlement s ON s.request_id = t.request_id
            WHERE t.state IN ('locked', 'executing') OR (t.state = 'completed' AND s.state <> 'finalized') GROUP BY 1)
        SELECT asset_id, coalesce(s.amount, 0) AS balance, coalesce(n.amount, 0)::text AS needed FROM stored s FULL JOIN needed n USING (asset_id)
        WHERE coalesce(s.amount, 0) <> coalesce(n.amount, 0)
        """,
    ),
    Check(
        "L3",
        "route_states",
        "A matched request has routes under lock that make up its units, and an executing one routes that execute; what waits or has ended "
        "has none, unless its proofs are waited for.",
        """
        WITH live AS (
            SELECT request_id AS id, sum(units) FILTER (WHERE state = 'locked') AS locked, sum(units) FILTER (WHERE state = 'executing') AS executing
            FROM settlement_route WHERE state IN ('locked', 'executing') GROUP BY 1)
        SELECT coalesce(q.id, t.id) AS request, q.state, q.expected_units, t.locked::text, t.executing::text
        FROM settlement_request q FULL JOIN live t ON t.id = q.id LEFT JOIN settlement_settlement s ON s.request_id = q.id
        WHERE CASE q.state WHEN 'matched' THEN t.locked IS DISTINCT FROM q.expected_units OR t.executing IS NOT NULL
                           WHEN 'executing' THEN t.executing IS DISTINCT FROM q.expected_units OR t.locked IS NOT NULL
                           ELSE coalesce(t.locked, t.executing) IS NOT NULL AND coalesce(s.state, '') <> 'pending_proof' END
        """,
    ),
)
