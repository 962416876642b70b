"""C1, C2: each promised command is applied once and in order."""

from exchange.audit.check import Check
from exchange.audit.orders import APPLIED

PENDING_S = 5

CHECKS = (
    Check(
        "C1",
        "pending",
        f"No accepted command waits longer than {PENDING_S} seconds.",
        f"""
        SELECT c.n, c.book_id, c.kind, c.accepted_at FROM exchange_command c LEFT JOIN ({APPLIED}) a ON a.n = c.n AND a.book_id = c.book_id
        WHERE a.n IS NULL AND c.accepted_at < %(now)s::timestamptz - interval '{PENDING_S} seconds' ORDER BY c.n
        """,
    ),
    Check(
        "C1",
        "applied_once",
        "A batch applies commands of its own book, each once.",
        f"""
        SELECT a.n, count(*) AS times, min(a.book_id) AS book, min(a.seq) AS first_batch, max(a.seq) AS last_batch
        FROM ({APPLIED}) a LEFT JOIN exchange_command c ON c.n = a.n AND c.book_id = a.book_id
        GROUP BY a.n HAVING count(*) <> 1 OR count(c.n) <> 1
        """,
    ),
    Check(
        "C1",
        "gapless",
        "Batches and the commands in them are numbered without gaps, up to what the book's row says.",
        """
        WITH found AS (
            SELECT book_id, seq, first_command_seq AS first, cardinality(command_ns) AS size,
                   lag(seq, 1, 0::bigint) OVER w AS seq_before, lag(first_command_seq + cardinality(command_ns), 1, 1::bigint) OVER w AS free
            FROM exchange_batch WINDOW w AS (PARTITION BY book_id ORDER BY seq)),
        last AS (SELECT book_id, max(seq) AS seq, max(first + size) - 1 AS command FROM found GROUP BY 1)
        SELECT book_id, seq, 'follows ' || seq_before || ', first command ' || first || ', free ' || free AS fault FROM found
        WHERE seq <> seq_before + 1 OR first <> free
        UNION ALL
        SELECT b.instrument_id, b.seq, 'the book is at command ' || b.last_command_seq || ', its batches at ' || coalesce(l.command, 0)
        FROM exchange_book b LEFT JOIN last l ON l.book_id = b.instrument_id
        WHERE (b.seq, b.last_command_seq) <> (coalesce(l.seq, 0), coalesce(l.command, 0))
        """,
    ),
    Check(
        "C1",
        "in_order",
        "Within a batch commands stand in the order in which they were promised, behind the matcher's own pulls.",
        f"""
        SELECT book_id, seq, n, n_before FROM (
            SELECT a.book_id, a.seq, a.n, c.xid, c.actor, lag(a.n) OVER w AS n_before, lag(c.xid) OVER w AS xid_before,
                   lag(c.actor) OVER w AS actor_before
            FROM ({APPLIED}) a JOIN exchange_command c ON c.n = a.n WINDOW w AS (PARTITION BY a.book_id, a.seq ORDER BY a.ord)) told
        WHERE (actor = 'venue:matcher' AND actor_before <> 'venue:matcher')
           OR (actor <> 'venue:matcher' AND actor_before <> 'venue:matcher' AND (xid_before > xid OR (xid_before = xid AND n_before > n)))
        """,
    ),
    Check(
        "C1",
        "outcome",
        "Each applied place has exactly its order, with the rights it named and its deadline, and each order exactly its place.",
        f"""
        WITH placed AS (
            SELECT c.n, c.order_id, c.book_id, c.account_id, c.client_order_id, c.payload::json AS asked FROM exchange_command c
            JOIN ({APPLIED}) a ON a.n = c.n AND a.book_id = c.book_id WHERE c.kind = 0)
        SELECT p.n, coalesce(p.order_id, o.id) AS "order", p.book_id, o.book_id AS order_book FROM placed p
        FULL JOIN exchange_order o ON o.id = p.order_id
        WHERE (p.book_id, p.account_id, p.client_order_id) IS DISTINCT FROM (o.book_id, o.account_id, o.client_order_id)
           OR p.n IS NULL OR o.id IS NULL
           OR o.named_rights IS DISTINCT FROM (
               SELECT array_agg(r::uuid ORDER BY place) FROM json_array_elements_text(p.asked -> 'rights') WITH ORDINALITY AS t(r, place))
           OR o.deadline IS DISTINCT FROM 'epoch'::timestamptz + (p.asked ->> 'deadline_us')::bigint * interval '1 microsecond'
        UNION ALL
        SELECT min(n), order_id, min(book_id), count(*) FROM placed GROUP BY order_id HAVING count(*) > 1
        """,
    ),
    Check("C1", "batch_chain", "Batches are chained by hash, and hold the steps of exactly the commands they name.", walk="books"),
    Check(
        "C1", "applied_as_asked", "What the core was fed is what was asked for, for the order and account that were meant.", walk="books"
    ),
    Check(
        "C2",
        "client_order_id",
        "A client_order_id belongs to one command and one order of its account, for ever.",
        """
        SELECT 'command' AS what, account_id, client_order_id, count(*) FROM exchange_command WHERE client_order_id IS NOT NULL
        GROUP BY 2, 3 HAVING count(*) > 1
        UNION ALL SELECT 'order', account_id, client_order_id, count(*) FROM exchange_order WHERE client_order_id IS NOT NULL
        GROUP BY 2, 3 HAVING count(*) > 1
        """,
    ),
    Check(
        "C2",
        "idempotency_key",
        "An Idempotency-Key has one answer.",
        "SELECT account_id, key, count(*) FROM exchange_idempotencykey GROUP BY 1, 2 HAVING count(*) > 1",
    ),
)
