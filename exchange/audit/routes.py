"""L3 of requests: their routes are under lock as their states say, out of what the request names (exchange/audit/settlements.py: what of that is held)."""

from exchange.audit.check import Check

CHECKS = (
    Check(
        "L3",
        "route_states",
        "A matched request has routes under lock that make up its units, an executing one as many units at work or more (who failed half-way "
        "keeps what he delivered); what waits or has ended has none, unless its proofs are waited for.",
        """
        WITH live AS (
            SELECT request_id AS id, sum(units) FILTER (WHERE state = 'locked') AS locked, sum(units) FILTER (WHERE state = 'executing') AS executing
            FROM settlement_route WHERE state IN ('locked', 'executing') GROUP BY 1)
        SELECT coalesce(q.id, t.id) AS request, q.state, q.expected_units, t.locked::text, t.executing::text
        FROM settlement_request q FULL JOIN live t ON t.id = q.id LEFT JOIN settlement_settlement s ON s.request_id = q.id
        WHERE CASE q.state WHEN 'matched' THEN t.locked IS DISTINCT FROM q.expected_units OR t.executing IS NOT NULL
                           WHEN 'executing' THEN coalesce(t.executing, 0) < q.expected_units OR t.locked IS NOT NULL
                           ELSE coalesce(t.locked, t.executing) IS NOT NULL AND coalesce(s.state, '') <> 'pending_proof' END
        """,
    ),
    Check(
        "L3",
        "route_parts",
        "A route takes its units out of the package that its request, or the request's delegation, names, and out of none where that names none; "
        "it says which part that is or was: of a tranche the tier, of a strategy the branch. (One that was quoted before routes knew of parts took "
        "what was free of its right.)",
        """
        SELECT t.id AS route, t.package_id AS package, t.tier, t.branch FROM settlement_route t JOIN settlement_request q ON q.id = t.request_id
        LEFT JOIN rights_delegation d ON d.id = q.delegation_id LEFT JOIN rights_package p ON 'pkg_' || p.uuid = q.envelope::jsonb ->> 'package'
        WHERE (t.package_id IS DISTINCT FROM coalesce(d.package_id, p.id) AND NOT (t.package_id IS NULL AND EXISTS (
               SELECT 1 FROM rights_event e CROSS JOIN LATERAL jsonb_array_elements(e.body::jsonb #> '{payload,routes}') AS said
               WHERE e.object_id = 'req_' || t.request_id AND e.type = 'route.quoted' AND said ->> 'route' = 'rte_' || t.id AND said -> 'part' IS NULL)))
           OR (t.package_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM rights_packagepart x WHERE x.package_id = t.package_id
               AND (x.right_id, x.tier, x.branch) = (t.right_id, t.tier, t.branch)))
        """,
    ),
    Check(
        "L3",
        "delegated_use",
        "What a settlement counts against a delegation was asked for under it, before it ended.",
        """
        SELECT e.object_id AS delegation, e.ref AS settlement, q.id AS request, q.created_at::text, d.ended_at::text
        FROM (SELECT object_id, body::jsonb #>> '{payload,ref}' AS ref FROM rights_event WHERE type = 'delegation.used') e
        LEFT JOIN settlement_settlement s ON 'stl_' || s.id = e.ref LEFT JOIN settlement_request q ON q.id = s.request_id
        LEFT JOIN rights_delegation d ON d.id = q.delegation_id
        WHERE left(e.ref, 4) = 'stl_' AND ('dlg_' || d.uuid IS DISTINCT FROM e.object_id OR q.created_at > d.ended_at + interval '30 seconds')
        """,
    ),
)
