"""L4, A1: units are conserved from issue to end, and never exceed the capacity behind them."""

from exchange.audit.check import Check

CHECKS = (
    Check(
        "L4",
        "units_of_holder",
        "An account's balance of a root right's units is what remains in its rights of that root.",
        """
        WITH stored AS (
            SELECT b.account_id, a.root_right AS root, b.amount FROM settlement_balance b JOIN settlement_asset a ON a.id = b.asset_id
            JOIN rights_account h ON h.id = b.account_id WHERE a.kind = 'units' AND coalesce(h.code, '') NOT LIKE 'units:%%'),
        held AS (SELECT holder_id AS account_id, root_id AS root, sum(remaining_units) AS amount FROM rights_right GROUP BY 1, 2)
        SELECT account_id, root, coalesce(s.amount, 0) AS balance, coalesce(r.amount, 0)::text AS remaining
        FROM stored s FULL JOIN held r USING (account_id, root) WHERE coalesce(s.amount, 0) <> coalesce(r.amount, 0)
        """,
    ),
    Check(
        "L4",
        "units_of_root",
        "Per root right: issued = held + consumed + expired + burned, and issued is what the lineage's rights may deliver in all.",
        """
        WITH contra AS (
            SELECT a.root_right AS root, coalesce(-sum(b.amount) FILTER (WHERE h.code = 'units:issued'), 0) AS issued,
                   coalesce(sum(b.amount) FILTER (WHERE h.code IN ('units:consumed', 'units:expired', 'units:burned')), 0) AS ended
            FROM settlement_balance b JOIN settlement_asset a ON a.id = b.asset_id AND a.kind = 'units'
            JOIN rights_account h ON h.id = b.account_id GROUP BY 1),
        lineage AS (
            SELECT root_id AS root, sum(max_units) AS most, sum(remaining_units) AS remaining FROM rights_right GROUP BY 1)
        SELECT root, c.issued::text, c.ended::text, l.remaining::text, l.most::text FROM contra c FULL JOIN lineage l USING (root)
        WHERE c.issued IS DISTINCT FROM l.remaining + c.ended OR c.issued IS DISTINCT FROM l.most
        """,
    ),
    Check(
        "L4",
        "units_of_right",
        "0 ≤ reserved ≤ remaining ≤ max for every right; one that expired, was burned or used up has nothing left.",
        """
        SELECT id AS "right", status, max_units, remaining_units, reserved_units FROM rights_right
        WHERE reserved_units < 0 OR remaining_units < reserved_units OR max_units < remaining_units
           OR (remaining_units <> 0 AND status IN ('expired', 'burned', 'fully_consumed'))
        """,
    ),
    Check(
        "A1",
        "assurance_capacity",
        "Units issued under an assurance that is not degraded are at most usable × (1 + overbook).",
        """
        SELECT id, reference, issued_units, gross_units, haircut_bps, overbook_bps FROM rights_assurance
        WHERE status <> 'degraded' AND issued_units >
              floor(floor(gross_units::numeric * (10000 - haircut_bps) / 10000) * (10000 + overbook_bps) / 10000)
        """,
    ),
    Check(
        "A1",
        "assurance_count",
        "An assurance's issued units are what its rights may deliver in all, less what of them was burned.",
        """
        WITH backed AS (SELECT assurance_id AS id, sum(max_units) AS units FROM rights_right GROUP BY 1),
        burned AS (
            SELECT r.assurance_id AS id, sum(b.amount) AS units FROM settlement_balance b
            JOIN settlement_asset u ON u.id = b.asset_id AND u.kind = 'units' JOIN rights_account h ON h.id = b.account_id
            JOIN rights_right r ON r.id = u.root_right WHERE h.code = 'units:burned' GROUP BY 1)
        SELECT id, reference, issued_units, coalesce(b.units, 0)::text AS backed, coalesce(x.units, 0)::text AS burned
        FROM rights_assurance a LEFT JOIN backed b USING (id) LEFT JOIN burned x USING (id)
        WHERE a.issued_units <> coalesce(b.units, 0) - coalesce(x.units, 0)
        """,
    ),
    Check(
        "A1",
        "pledged_capacity",
        "Of every posted capacity, what assurances pledge of it is what it counts as pledged, and no more than is posted.",
        """
        WITH sums AS (SELECT capacity_id AS id, sum(units) AS units FROM rights_assurancesource GROUP BY 1)
        SELECT id, capability_id, p.units, p.pledged_units, coalesce(s.units, 0)::text AS sources FROM rights_postedcapacity p
        LEFT JOIN sums s USING (id) WHERE p.pledged_units <> coalesce(s.units, 0) OR p.pledged_units > p.units
        """,
    ),
    Check(
        "A1",
        "assurance_sources",
        "An assurance that rests on sources claims no more than they come to, and each lies in its window.",
        """
        SELECT a.id, a.reference, a.gross_units, sum(s.units)::text AS sources FROM rights_assurance a
        JOIN rights_assurancesource s ON s.assurance_id = a.id JOIN rights_postedcapacity p ON p.id = s.capacity_id
        GROUP BY a.id HAVING a.gross_units > sum(s.units) OR min(p.window_start) < a.window_start OR max(p.window_end) > a.window_end
        """,
    ),
    Check(
        "A1",
        "capacity_guard",
        "The triggers by which the database counts pledges and refuses to over-issue are in force.",
        """
        SELECT g.tab AS "table", g.trg AS "trigger" FROM (VALUES ('rights_assurance', 'assurance_capacity_insert'),
            ('rights_assurance', 'assurance_capacity_update'), ('rights_assurancesource', 'source_pledges')) AS g(tab, trg)
        WHERE NOT EXISTS (SELECT 1 FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
            WHERE t.tgname = g.trg AND t.tgrelid = to_regclass(g.tab) AND t.tgenabled IN ('O', 'A')
              AND p.proname IN ('check_assurance_capacity', 'count_pledge'))
        """,
    ),
)
