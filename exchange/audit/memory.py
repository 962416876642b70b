"""B3, E1, E2, M1: what is remembered is whole, and says again what the tables say."""

from exchange.audit.check import Check

KEPT_DAYS = 7
GUARDS = (
    ("rights_event", "event_append_only"),
    ("rights_terms", "terms_append_only"),
    ("rights_rightlink", "link_append_only"),
    ("rights_anchor", "anchor_append_only"),
    ("rights_anchorspan", "anchor_span_append_only"),
    ("settlement_posting", "posting_append_only"),
    ("exchange_command", "command_append_only"),
    ("exchange_batch", "batch_append_only"),
    ("exchange_trade", "trade_append_only"),
    ("exchange_proceeds", "proceeds_append_only"),
    ("exchange_disclosuresheet", "sheet_append_only"),
)
_GUARDS = ", ".join(f"('{table}', '{trigger}')" for table, trigger in GUARDS)

CHECKS = (
    Check(
        "B3", "reference_engine", "Every trade is what price-time priority makes of the recorded inputs, by a second engine.", walk="books"
    ),
    Check(
        "E1",
        "append_only",
        "The triggers that refuse UPDATE, DELETE and TRUNCATE on events, terms, links, anchors, postings, commands, batches, trades, proceeds and sheets are in force.",
        f"""
        SELECT g.tab AS "table", g.trg AS "trigger" FROM (VALUES {_GUARDS}) AS g(tab, trg) WHERE NOT EXISTS (
            SELECT 1 FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
            WHERE t.tgname = g.trg AND t.tgrelid = to_regclass(g.tab) AND t.tgenabled IN ('O', 'A') AND p.proname = 'refuse_change'
              AND t.tgtype & 56 = 56 AND position('RAISE EXCEPTION' IN p.prosrc) > 0)
        """,
    ),
    Check(
        "E1",
        "sheets",
        "An instrument's disclosure sheets are numbered without gaps, each under the SHA-256 of its text.",
        """
        SELECT instrument_id, version, hash FROM (
            SELECT instrument_id, version, hash, body, row_number() OVER (PARTITION BY instrument_id ORDER BY version) AS place
            FROM exchange_disclosuresheet) s
        WHERE version <> place OR encode(sha256(convert_to(body, 'UTF8')), 'hex') <> hash
        """,
    ),
    Check(
        "E1",
        "event_chain",
        "Events are numbered without gaps per stream and chained by hash; every column is what the body says.",
        walk="events",
    ),
    Check(
        "E1",
        "anchor_spans",
        "Anchors cover each stream from its first event on, without gap or overlap, and name the hash where each span ends.",
        """
        WITH spans AS (
            SELECT a.number, s.stream_id, s.first_seq, s.last_seq, s.head_hash, s.first_leaf,
                   lag(s.last_seq, 1, 0::bigint) OVER (PARTITION BY s.stream_id ORDER BY a.number) AS seq_before,
                   sum(s.last_seq - s.first_seq + 1) OVER (PARTITION BY a.number ORDER BY s.first_leaf) - (s.last_seq - s.first_seq + 1) AS leaf
            FROM rights_anchorspan s JOIN rights_anchor a ON a.id = s.anchor_id)
        SELECT s.number AS anchor, s.stream_id, s.first_seq, s.last_seq FROM spans s
        LEFT JOIN rights_event e ON e.stream_id = s.stream_id AND e.seq = s.last_seq
        WHERE s.first_seq <> s.seq_before + 1 OR s.first_leaf <> s.leaf OR e.hash IS DISTINCT FROM s.head_hash
        UNION ALL
        SELECT a.number, NULL, NULL, NULL FROM rights_anchor a LEFT JOIN (SELECT number, sum(last_seq - first_seq + 1) AS leaves FROM spans GROUP BY 1) s
        USING (number) WHERE a.leaves IS DISTINCT FROM s.leaves
        """,
    ),
    Check(
        "E1",
        "anchors",
        "Every anchor is the signed root of the events it covers, chained to the anchors before it.",
        walk="anchors",
    ),
    Check("E2", "events_apply", "Every event about rights, cash and books follows from those before it.", walk="events"),
    Check("E2", "rights", "The rights that the events alone tell are the rights in the table, byte for byte.", walk="events"),
    Check("E2", "cash", "The cash balances that the events alone tell are those of the ledger.", walk="events"),
    Check("E2", "books", "The phase, trade count and last price that the events alone tell are those of the books.", walk="events"),
    Check("E2", "objects", "Every other object that the events alone tell is the one in its table.", walk="events"),
    Check(
        "E2", "fills", "The journal's inputs through the core give the stored trades, orders and open book, byte for byte.", walk="books"
    ),
    Check(
        "M1",
        "published_book",
        "The book that a reader builds from what batches published has the lane's checksum at every step, and ends as the open orders.",
        walk="books",
    ),
    Check(
        "M1",
        "private_numbers",
        "An account's private messages are numbered without gaps up to its feed, in each of its channels.",
        """
        SELECT account_id, seq, 'follows ' || seq_before AS fault FROM (
            SELECT *, lag(seq) OVER w AS seq_before, lag(orders_seq) OVER w AS orders_before, lag(fills_seq) OVER w AS fills_before,
                   lag(balances_seq) OVER w AS balances_before, lag(requests_seq) OVER w AS requests_before,
                   lag(settlements_seq) OVER w AS settlements_before
            FROM exchange_accountmessage WINDOW w AS (PARTITION BY account_id ORDER BY seq)) m
        WHERE seq <> seq_before + 1 OR orders_seq < orders_before OR fills_seq < fills_before OR balances_seq < balances_before
           OR requests_seq < requests_before OR settlements_seq < settlements_before
        UNION ALL
        SELECT f.account_id, f.seq, 'the feed is at ' || f.seq || ', its last message at ' || coalesce(m.seq, 0) FROM exchange_accountfeed f
        LEFT JOIN LATERAL (SELECT * FROM exchange_accountmessage m WHERE m.account_id = f.account_id ORDER BY m.seq DESC LIMIT 1) m ON true
        WHERE m.seq IS NOT NULL AND (m.seq, m.orders_seq, m.fills_seq, m.balances_seq, m.requests_seq, m.settlements_seq)
               <> (f.seq, f.orders_seq, f.fills_seq, f.balances_seq, f.requests_seq, f.settlements_seq)
           OR m.seq IS NULL AND f.seq > 0 AND NOT EXISTS (
                SELECT 1 FROM exchange_accountmessage x WHERE x.at < %(now)s::timestamptz - interval '1 day')
        """,
    ),
    Check(
        "M1",
        "fills_told",
        "Each fill of the days that messages are kept was told to both its accounts, counted in their fills channel.",
        f"""
        WITH made AS (
            SELECT x.account_id, t.book_id, t.batch_seq, count(*) AS fills FROM exchange_trade t
            CROSS JOIN LATERAL (VALUES (t.buyer_id), (t.seller_id)) AS x(account_id)
            WHERE t.at > %(now)s::timestamptz - interval '{KEPT_DAYS - 1} days' GROUP BY 1, 2, 3),
        told AS (
            SELECT account_id, book_id, batch_seq, fills_seq - lag(fills_seq, 1, 0::bigint) OVER (PARTITION BY account_id ORDER BY seq) AS fills,
                   lag(seq) OVER (PARTITION BY account_id ORDER BY seq) IS NULL AND seq > 1 AS first_kept
            FROM exchange_accountmessage)
        SELECT m.account_id, m.book_id, m.batch_seq, m.fills, t.fills AS told FROM made m
        LEFT JOIN told t ON (t.account_id, t.book_id, t.batch_seq) = (m.account_id, m.book_id, m.batch_seq)
        WHERE t.account_id IS NULL OR (t.fills <> m.fills AND NOT t.first_kept)
        """,
    ),
)
