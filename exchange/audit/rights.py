"""G2, G3: nothing that may not move backs an ask, and lineage is what it should be."""

from exchange.audit.check import Check

# `lineage` asks for each right's children by the index (OFFSET keeps it so): a lineage may be as deep as units were sold on.
CHECKS = (
    Check("G1", "gates", "No change of holder broke a transfer gate, asked again as of its event.", walk="events"),
    Check(
        "G2",
        "asks_backed",
        "Every right behind an open ask may move, belongs to the ask's account and to a series the book delivers; or the ask is being pulled.",
        """
        SELECT o.id AS "order", s.right_id AS "right", r.status, r.holder_id, o.account_id FROM exchange_order o
        CROSS JOIN LATERAL unnest(o.slice_rights) AS s(right_id) JOIN exchange_instrument i ON i.id = o.book_id
        LEFT JOIN rights_right r ON r.id = s.right_id LEFT JOIN rights_terms t ON t.terms_hash = r.terms_hash
        WHERE o.is_open AND (
            r.id IS NULL OR r.holder_id <> o.account_id
            OR (r.series_id <> i.series_id AND NOT EXISTS (
                SELECT 1 FROM exchange_deliverable d WHERE d.instrument_id = i.id AND d.series_id = r.series_id))
            OR NOT (r.status = 'active' OR (r.status = 'issued' AND coalesce((t.transfer_policy ->> 'pre_activation_transfer')::boolean, false))))
          AND NOT EXISTS (
            SELECT 1 FROM exchange_command c JOIN exchange_book b ON b.instrument_id = c.book_id
            WHERE c.book_id = o.book_id AND c.xid >= b.scan_xid::text::xid8 AND c.kind = 2 AND c.order_id = o.id
              AND NOT EXISTS (SELECT 1 FROM exchange_batch x WHERE x.book_id = c.book_id AND x.command_ns @> ARRAY[c.n]))
        """,
    ),
    Check(
        "G3",
        "lifecycle_guard",
        "The database's lifecycle table is the one of SPEC §2, and its trigger is in force.",
        """
        WITH spec(from_status, to_status) AS (VALUES
            ('issued', 'active'), ('issued', 'frozen'), ('issued', 'expired'), ('issued', 'burned'), ('active', 'frozen'), ('active', 'expired'),
            ('active', 'fully_consumed'), ('active', 'finalized'), ('frozen', 'issued'), ('frozen', 'active'), ('frozen', 'fully_consumed'),
            ('frozen', 'expired'), ('frozen', 'finalized'), ('frozen', 'burned'), ('fully_consumed', 'finalized'), ('fully_consumed', 'burned'),
            ('expired', 'finalized'), ('expired', 'burned'))
        SELECT from_status, to_status, 'not in both tables' AS fault FROM spec FULL JOIN rights_lifecycle l USING (from_status, to_status)
        WHERE spec.* IS NULL OR l.* IS NULL
        UNION ALL SELECT 'rights_right', 'right_lifecycle', 'trigger missing or disabled' WHERE NOT EXISTS (
            SELECT 1 FROM pg_trigger WHERE tgname = 'right_lifecycle' AND tgrelid = 'rights_right'::regclass AND tgenabled IN ('O', 'A'))
        """,
    ),
    Check("G3", "lifecycle_history", "Along the events, every right's status went only along the lifecycle table.", walk="events"),
    Check(
        "G3",
        "lineage",
        "Every right descends from its root without a circle, under the same terms, series, issuer and assurance.",
        """
        WITH RECURSIVE tree AS (
            SELECT id, root_id FROM rights_right WHERE parent_id IS NULL AND root_id = id
            UNION ALL SELECT c.id, c.root_id FROM tree
            CROSS JOIN LATERAL (SELECT id, root_id FROM rights_right WHERE parent_id = tree.id OFFSET 0) c)
        SELECT r.id AS "right", r.parent_id AS parent, r.root_id AS root FROM rights_right r
        LEFT JOIN tree ON tree.id = r.id LEFT JOIN rights_right p ON p.id = r.parent_id
        WHERE tree.id IS NULL OR (p.id IS NOT NULL AND (r.root_id, r.terms_hash, r.series_id, r.issuer_id, r.assurance_id)
              IS DISTINCT FROM (p.root_id, p.terms_hash, p.series_id, p.issuer_id, p.assurance_id))
        """,
    ),
    Check(
        "G3",
        "lineage_guard",
        "The triggers by which a right descends from one that is there, and keeps its parent and root, are in force.",
        """
        SELECT g.trg AS "trigger" FROM (VALUES ('right_descends'), ('right_keeps_descent')) AS g(trg) WHERE NOT EXISTS (
            SELECT 1 FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid WHERE t.tgname = g.trg AND t.tgrelid = 'rights_right'::regclass
              AND t.tgenabled IN ('O', 'A') AND p.proname = 'check_right_descends')
        """,
    ),
    Check(
        "G3",
        "right_ends",
        "Every right is noted to end with its window, in a rolling one so long after its activation if that is earlier.",
        """
        SELECT r.id AS "right", r.ends_at::text, s.window_mode, s.window_end::text, r.activated_at::text
        FROM rights_right r JOIN rights_series s ON s.id = r.series_id
        WHERE r.ends_at IS DISTINCT FROM CASE WHEN s.window_mode = 'rolling' AND r.activated_at IS NOT NULL
            THEN least(s.window_end, r.activated_at + s.epoch_size_s * interval '1 second') ELSE s.window_end END
        """,
    ),
    Check(
        "G3",
        "terms",
        "Terms are stored under the SHA-256 of their canonical manifest, and their transfer policy is the manifest's.",
        """
        SELECT terms_hash FROM rights_terms
        WHERE encode(sha256(convert_to(manifest, 'UTF8')), 'hex') <> terms_hash
           OR manifest::jsonb -> 'transfer_policy' IS DISTINCT FROM transfer_policy
        """,
    ),
    Check(
        "G3",
        "links",
        "A right stands for another exactly where an event says that it was replaced.",
        """
        WITH said AS (
            SELECT body::jsonb #>> '{payload,right}' AS former, body::jsonb #>> '{payload,by}' AS latter, body::jsonb #>> '{payload,kind}' AS kind,
                (body::jsonb #>> '{payload,units}')::numeric AS units FROM rights_event WHERE type = 'right.replaced'),
        linked AS (SELECT 'rgt_' || former_id AS former, 'rgt_' || latter_id AS latter, kind, units FROM rights_rightlink)
        SELECT former, latter, l.kind, l.units, s.kind AS said_kind, s.units::text AS said_units
        FROM linked l FULL JOIN said s USING (former, latter) WHERE (l.kind, l.units) IS DISTINCT FROM (s.kind, s.units)
        """,
    ),
    Check(
        "G3",
        "carried_over",
        "What a right's end carried over is a right of its own, linked, of as many units, in a later window: one that rolled in the next of its length.",
        """
        WITH ended AS (
            SELECT object_id AS former, at, body::jsonb #>> '{payload,policy}' AS policy, (body::jsonb #>> '{payload,carried_units}')::numeric AS units
            FROM rights_event WHERE type = 'right.expired' AND body::jsonb #>> '{payload,policy}' <> 'burn'
              AND body::jsonb #>> '{payload,carried_units}' <> '0'),
        linked AS (
            SELECT 'rgt_' || l.former_id AS former, l.created_at AS at, l.kind, l.units, i.body::jsonb #>> '{payload,units}' AS issued,
                   s.window_start AS since, s.window_end AS until, (i.body::jsonb #>> '{payload,window,start}')::timestamptz AS "start",
                   (i.body::jsonb #>> '{payload,window,end}')::timestamptz AS "end"
            FROM rights_rightlink l JOIN rights_right r ON r.id = l.former_id JOIN rights_series s ON s.id = r.series_id
            LEFT JOIN rights_event i ON i.type = 'right.issued' AND i.object_id = 'rgt_' || l.latter_id)
        SELECT former, e.policy, e.units::text, l.kind, l.units AS linked, l.issued, l."start"::text, l."end"::text
        FROM ended e FULL JOIN (SELECT * FROM linked l WHERE l.kind = 'rolled' OR EXISTS (
            SELECT 1 FROM ended e WHERE e.policy = 'reissue' AND (e.former, e.at) = (l.former, l.at))) l USING (former, at)
        WHERE e.policy IS NULL OR l.kind IS DISTINCT FROM CASE e.policy WHEN 'roll' THEN 'rolled' ELSE 'reissued' END
           OR e.units IS DISTINCT FROM l.units OR l.units::text IS DISTINCT FROM l.issued OR l."start" < l.until
           OR (e.policy = 'roll' AND (l."start", l."end") IS DISTINCT FROM (l.until, l.until + (l.until - l.since)))
        """,
    ),
    Check("G3", "terms_remembered", "A right's terms hash is that of the manifest in the event that made it.", walk="events"),
)
