"""S1, S2, S3 and what of L3 is about routes: a request ends once, along the table, and what was set aside for it goes where it belongs."""

from exchange.audit.check import Check
from settlement.domain.settlement_states import steps

_SPEC = ", ".join(f"('{start}', '{event}', '{end}')" for start, event, end in steps())

CHECKS = (
    Check(
        "L3",
        "route_locks",
        "A route that is locked or executing has its units locked, an open dispute what it may need, and nobody else has a lock of these kinds.",
        """
        WITH locked AS (
            SELECT ref, right_id, kind, sum(units) AS units FROM rights_unitlock
            WHERE released_at IS NULL AND kind IN ('route_lock', 'dispute') GROUP BY 1, 2, 3),
        routes AS (
            SELECT 'rte_' || id AS ref, right_id, 'route_lock' AS kind, units FROM settlement_route WHERE state IN ('locked', 'executing'))
        SELECT ref, right_id, l.units::text AS locked, r.units::text AS needed FROM locked l FULL JOIN routes r USING (ref, right_id, kind)
        WHERE l.units IS DISTINCT FROM r.units AND NOT (kind = 'dispute' AND EXISTS (
            SELECT 1 FROM settlement_dispute d WHERE d.state = 'open' AND 'dsp_' || d.id = ref))
        """,
    ),
    Check(
        "L3",
        "route_escrow",
        "In escrow is what routes under lock and settlements that are not final have set aside.",
        """
        WITH stored AS (
            SELECT b.asset_id, b.amount FROM settlement_balance b JOIN rights_account a ON a.id = b.account_id
            WHERE a.code = 'venue:escrow'),
        needed AS (
            SELECT t.currency_id AS asset_id, sum(t.escrow_minor) AS amount FROM settlement_route t
            LEFT JOIN settlement_settlement s ON s.request_id = t.request_id
            WHERE t.state IN ('locked', 'executing') OR (t.state = 'completed' AND s.state <> 'finalized') GROUP BY 1)
        SELECT asset_id, coalesce(s.amount, 0) AS escrow, coalesce(n.amount, 0)::text AS needed FROM stored s FULL JOIN needed n USING (asset_id)
        WHERE coalesce(s.amount, 0) <> coalesce(n.amount, 0)
        """,
    ),
    Check(
        "S1",
        "settlement_guard",
        "The database's table of settlements is that of SPEC §9, its trigger lets just those steps pass, and its triggers are in force.",
        f"""
        WITH spec(start, event, "end") AS (VALUES {_SPEC})
        SELECT start, event, "end", 'not in both tables' AS fault FROM spec FULL JOIN settlement_settlementrule r USING (start, event, "end")
        WHERE spec.* IS NULL OR r.* IS NULL
        UNION ALL SELECT step, '', '', 'not in both, table and trigger' FROM (
            SELECT concat_ws(' ', start, event, "end") AS step, 1 AS here FROM spec) s
        FULL JOIN (
            SELECT string_to_table(substring(prosrc FROM '''[{{](.*)[}}]'''), ',') AS step, 1 AS there FROM pg_proc
            WHERE oid = to_regproc('check_settlement_step')) t USING (step)
        WHERE here IS NULL OR there IS NULL
        UNION ALL SELECT g.tab, g.trg, '', 'trigger missing or disabled' FROM (VALUES ('settlement_settlement', 'settlement_step'),
            ('settlement_settlement', 'settlement_begins'), ('settlement_settlement', 'settlement_stays'), ('settlement_proof', 'proof_append_only'),
            ('settlement_evidence', 'evidence_append_only'), ('settlement_settlementrule', 'rule_append_only')) AS g(tab, trg)
        WHERE NOT EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgname = g.trg AND t.tgrelid = to_regclass(g.tab) AND t.tgenabled IN ('O', 'A'))
        """,
    ),
    Check(
        "S1",
        "settlement_stands",
        "A settlement is unsettled at no rest; what is classified has one outcome with its rule and digest, what waits for proofs has none.",
        """
        SELECT id AS settlement, state, outcome, rule FROM settlement_settlement
        WHERE state IN ('unsettled', 'reversed') OR state LIKE 'classified%%'
           OR (state = 'pending_proof') <> (outcome = '') OR (outcome = '') <> (rule = '') OR (outcome = '') <> (digest = '')
           OR (state = 'pending_proof') <> (proof_due_at IS NOT NULL)
        """,
    ),
    Check(
        "S1",
        "receipt_hash",
        "A receipt's hash is that of its body.",
        "SELECT id AS receipt FROM settlement_receipt WHERE encode(sha256(convert_to(body, 'UTF8')), 'hex') <> hash",
    ),
    Check(
        "S2",
        "settlement_units",
        "Of what its routes had reserved, a settlement has used what the ledger says was consumed and not given back.",
        """
        WITH posted AS (
            SELECT entry_id AS id, sum(CASE kind WHEN 'consumed' THEN amount ELSE -amount END) AS units FROM settlement_posting
            WHERE kind IN ('consumed', 'reversed') GROUP BY 1),
        routes AS (
            SELECT s.id, sum(t.units) FILTER (WHERE t.state IN ('completed', 'executing', 'locked')) AS units,
                   sum(t.units) FILTER (WHERE t.state = 'released' AND t.ended_at >= s.created_at) AS let_go
            FROM settlement_settlement s JOIN settlement_route t ON t.request_id = s.request_id GROUP BY 1)
        SELECT s.id AS settlement, s.reserved_units, s.units, coalesce(p.units, 0)::text AS posted, coalesce(r.units, 0)::text AS reserved
        FROM settlement_settlement s LEFT JOIN posted p USING (id) LEFT JOIN routes r USING (id)
        WHERE s.units <> coalesce(p.units, 0) OR s.units > s.reserved_units
           -- What never ran may have been let go by the settlement, or just before it.
           OR s.reserved_units <> coalesce(r.units, 0) AND (s.units > 0 OR s.reserved_units <> coalesce(r.let_go, 0))
        """,
    ),
    Check(
        "S2",
        "settlement_budget",
        "Done work is charged as its request's budget says: what was delivered, all that was locked with whoever did not fail (up to the quote, "
        "or what was delivered if that is more), or what was delivered up to the quote.",
        """
        WITH parts AS (
            SELECT t.request_id, t.units AS locked, coalesce((leg ->> 'delivered_units')::numeric, 0) AS delivered,
                   coalesce(leg ->> 'error', '-') <> '' AS is_broken
            FROM settlement_settlement s JOIN settlement_receipt c ON c.id = s.receipt_id JOIN settlement_route t ON t.request_id = s.request_id
            LEFT JOIN LATERAL (SELECT leg FROM jsonb_array_elements(c.body::jsonb -> 'legs') leg WHERE leg ->> 'route' = 'rte_' || t.id) l ON true
            WHERE t.state = 'completed'),
        due AS (
            SELECT s.id, CASE WHEN s.outcome NOT IN ('full', 'fallback', 'partial') THEN 0
                WHEN q.budget = 'reserved-draw' AND s.outcome <> 'partial' THEN
                    least(sum(CASE WHEN p.is_broken THEN p.delivered ELSE p.locked END), greatest(q.expected_units, sum(p.delivered)))
                WHEN q.budget = 'quoted-cap' THEN least(sum(least(p.delivered, p.locked)), q.expected_units) ELSE sum(p.delivered) END AS units
            FROM settlement_settlement s JOIN settlement_request q ON q.id = s.request_id LEFT JOIN parts p ON p.request_id = q.id
            WHERE s.outcome <> '' GROUP BY s.id, q.id)
        SELECT s.id AS settlement, s.outcome, s.units, coalesce(d.units, 0)::text AS due FROM settlement_settlement s JOIN due d USING (id)
        WHERE s.units <> coalesce(d.units, 0)
        """,
    ),
    Check(
        "S2",
        "settlement_money",
        "payout + compensation + release = escrow, posted once and whole when a settlement is final, and not before.",
        """
        WITH posted AS (
            SELECT entry_id AS id, coalesce(sum(amount) FILTER (WHERE kind = 'payout'), 0) AS payout,
                   coalesce(sum(amount) FILTER (WHERE kind = 'compensation'), 0) AS compensation,
                   coalesce(sum(amount) FILTER (WHERE kind = 'release'), 0) AS release
            FROM settlement_posting WHERE kind IN ('payout', 'compensation', 'release') GROUP BY 1)
        SELECT s.id AS settlement, s.state, s.escrow_minor, s.payout_minor, s.compensation_minor, s.release_minor, p.payout::text,
               p.compensation::text, p.release::text
        FROM settlement_settlement s FULL JOIN posted p USING (id)
        WHERE s.id IS NULL OR (s.outcome <> '' AND s.escrow_minor <> s.payout_minor + s.compensation_minor + s.release_minor)
           OR (coalesce(p.payout, 0), coalesce(p.compensation, 0), coalesce(p.release, 0)) IS DISTINCT FROM CASE WHEN s.state = 'finalized'
               THEN (s.payout_minor::numeric, s.compensation_minor::numeric, s.release_minor::numeric) ELSE (0::numeric, 0::numeric, 0::numeric) END
        """,
    ),
    Check(
        "S3",
        "receipt_once",
        "A settlement rests on the one live receipt of its request, and every live receipt has its settlement.",
        """
        SELECT c.id AS receipt, s.id AS settlement, coalesce(c.request_id, s.request_id) AS request
        FROM (SELECT * FROM settlement_receipt WHERE invalidated_at IS NULL) c
        FULL JOIN settlement_settlement s ON s.receipt_id = c.id AND s.request_id = c.request_id WHERE c.id IS NULL OR s.id IS NULL
        UNION ALL SELECT min(id::text)::uuid, NULL, request_id FROM settlement_receipt WHERE invalidated_at IS NULL
        GROUP BY request_id HAVING count(*) > 1
        """,
    ),
    Check(
        "S3",
        "known_requests",
        "Requests, their payloads, routes, receipts, proofs and settlements, and locks of units, name what exists; hot rows have no foreign keys.",
        """
        SELECT 'request' AS what, q.id::text FROM settlement_request q LEFT JOIN rights_account a ON a.id = q.account_id
        LEFT JOIN rights_account h ON h.id = q.holder_id LEFT JOIN rights_stream s ON s.id = q.stream_id WHERE num_nulls(a.id, h.id, s.id) > 0
        UNION ALL SELECT 'payload', p.request_id::text FROM settlement_requestpayload p LEFT JOIN settlement_request q ON q.id = p.request_id
        WHERE q.id IS NULL
        UNION ALL SELECT 'route', t.id::text FROM settlement_route t LEFT JOIN settlement_request q ON q.id = t.request_id
        LEFT JOIN rights_right r ON r.id = t.right_id LEFT JOIN rights_capability c ON (c.id, c.supplier_id) = (t.capability_id, t.supplier_id)
        LEFT JOIN settlement_asset x ON x.id = t.currency_id LEFT JOIN rights_account g ON g.id = t.payer_id
        LEFT JOIN rights_account k ON k.id = t.payee_id
        WHERE num_nulls(q.id, r.id, c.id, x.id) > 0 OR (g.id, k.id) IS DISTINCT FROM (t.payer_id, t.payee_id)
        UNION ALL SELECT 'receipt', c.id::text FROM settlement_receipt c LEFT JOIN settlement_request q ON q.id = c.request_id WHERE q.id IS NULL
        UNION ALL SELECT 'proof', p.id::text FROM settlement_proof p LEFT JOIN settlement_receipt c ON c.id = p.receipt_id WHERE c.id IS NULL
        UNION ALL SELECT 'settlement', s.id::text FROM settlement_settlement s LEFT JOIN settlement_request q ON q.id = s.request_id
        LEFT JOIN settlement_receipt c ON c.id = s.receipt_id WHERE num_nulls(q.id, c.id) > 0
        UNION ALL SELECT 'lock', l.ref FROM rights_unitlock l LEFT JOIN rights_right r ON r.id = l.right_id WHERE r.id IS NULL
        """,
    ),
    Check(
        "S3",
        "settlement_final",
        "Nothing is final before its window has passed or its dispute was decided, nor with an open one; in dispute is what has an open one.",
        """
        WITH disputed AS (SELECT settlement_id AS id, bool_or(state = 'open') AS is_open FROM settlement_dispute GROUP BY 1)
        SELECT s.id AS settlement, s.state, s.window_ends_at, s.finalized_at, d.is_open FROM settlement_settlement s LEFT JOIN disputed d USING (id)
        WHERE (s.state = 'in_dispute') <> coalesce(d.is_open, false)
           OR (s.state = 'finalized' AND s.finalized_at < s.window_ends_at AND d.id IS NULL)
           OR (s.state = 'pending_dispute_window' AND s.window_ends_at IS NULL)
        """,
    ),
    Check(
        "S2",
        "outcome_tallies",
        "An issuer's record counts every final settlement of its rights for others that did not fail for what was asked, by the class and window they were of "
        "then, and by outcome, with the units they used and had reserved.",
        """
        WITH ran AS (SELECT DISTINCT request_id FROM settlement_route WHERE state = 'completed'),
        final AS (
            SELECT s.id, s.request_id, s.outcome, s.created_at, s.finalized_at, ran.request_id IS NOT NULL AS ran, h.participant_id AS holder, a.participant_id AS asker
            FROM settlement_settlement s JOIN settlement_receipt c ON c.id = s.receipt_id JOIN settlement_request q ON q.id = s.request_id
            JOIN rights_account h ON h.id = q.holder_id JOIN rights_account a ON a.id = q.account_id LEFT JOIN ran ON ran.request_id = s.request_id
            WHERE s.state = 'finalized'
              AND (s.rule IN ('dispute_upheld', 'reviewed') OR NOT c.body::jsonb @> '{"legs": [{"is_callers": true}]}')),
        moved AS (
            SELECT object_id, array_agg(at ORDER BY at) AS ats, array_agg(series_id ORDER BY at) AS series FROM (
                SELECT DISTINCT object_id, at, (body::jsonb #>> '{payload,moved,from}')::bigint AS series_id FROM rights_event WHERE type = 'right.amended') e
            WHERE series_id IS NOT NULL GROUP BY 1),
        reserved AS (
            SELECT f.id, f.outcome, r.issuer_id, coalesce((SELECT series_id FROM unnest(m.ats, m.series) u(at, series_id) WHERE at > f.finalized_at ORDER BY at LIMIT 1), r.series_id) AS series_id, sum(t.units) AS units
            FROM final f JOIN settlement_route t USING (request_id) JOIN rights_right r ON r.id = t.right_id
            JOIN rights_issuer i ON i.id = r.issuer_id AND i.participant_id IS DISTINCT FROM f.holder AND i.participant_id IS DISTINCT FROM f.asker
            LEFT JOIN moved m ON m.object_id = 'rgt_' || r.id
            WHERE CASE WHEN f.ran THEN t.state = 'completed' ELSE f.outcome = 'expired' AND t.state = 'released' AND t.ended_at >= f.created_at END
            GROUP BY 1, 2, 3, 4),
        used AS (
            SELECT f.id, r.issuer_id, coalesce((SELECT series_id FROM unnest(m.ats, m.series) u(at, series_id) WHERE at > f.finalized_at ORDER BY at LIMIT 1), r.series_id) AS series_id, sum(CASE p.kind WHEN 'consumed' THEN p.amount ELSE -p.amount END) AS units
            FROM final f JOIN settlement_posting p ON p.entry_id = f.id AND p.kind IN ('consumed', 'reversed')
            JOIN settlement_asset a ON a.id = p.asset_id JOIN rights_right r ON r.id = a.root_right
            LEFT JOIN moved m ON m.object_id = 'rgt_' || r.id GROUP BY 1, 2, 3),
        counted AS (
            SELECT x.issuer_id, s.compute_class_id, x.series_id, x.outcome, count(*) AS requests, coalesce(sum(used.units), 0) AS used_units,
                   sum(x.units) AS reserved_units
            FROM reserved x LEFT JOIN used USING (id, issuer_id, series_id) JOIN rights_series s ON s.id = x.series_id GROUP BY 1, 2, 3, 4)
        SELECT issuer_id, compute_class_id, series_id, outcome, t.requests, c.requests AS counted, t.used_units::text AS used,
               t.reserved_units::text AS reserved
        FROM settlement_outcometally t FULL JOIN counted c USING (issuer_id, compute_class_id, series_id, outcome)
        WHERE (t.requests, t.used_units, t.reserved_units) IS DISTINCT FROM (c.requests, c.used_units, c.reserved_units)
        """,
    ),
)
