"""Where what a fill delivered came from: each slice's own parent, the event that moved it, and the line of that parent up to its root."""

import msgspec

from exchange.selectors import named
from rights.kernel import rows

MOST_STEPS = 200  # of a line; beyond it the answer says that there is more


class Slice(msgspec.Struct, frozen=True):
    """One delivered slice. `kind`: `split`, `merged` or `transferred`; the event stands in the stream of the right's series."""

    right_id: str
    parent_id: str
    root_id: str
    units: int
    issuer: str
    assurance: str
    terms_hash: str
    kind: str | None
    event_id: str | None
    stream: str
    seq: int | None


# A batch tells its trades after the moves of its rights, so the latest move of the pair before the trade's event is the trade's own; in a
# stream of another series (a dominance book's) there is only the moment to go by. A child has one split of its own, its very first event.
_SLICES = """
WITH sold AS (
    SELECT t.at, t.event_seq, o.stream_id, s.child, s.parent, s.root, s.units, s.ord FROM exchange_trade t
    JOIN exchange_instrument i ON i.id = t.book_id JOIN rights_series o ON o.id = i.series_id
    CROSS JOIN LATERAL unnest(t.slice_children, t.slice_parents, t.slice_roots, t.slice_units) WITH ORDINALITY AS s(child, parent, root, units, ord)
    WHERE t.id = %(trade)s)
SELECT s.child::text, s.parent::text, s.root::text, s.units, i.slug, a.uuid::text, r.terms_hash, split_part(m.type, '.', 2), m.id::text,
       st.code, m.seq
FROM sold s JOIN rights_right r ON r.id = s.child JOIN rights_issuer i ON i.id = r.issuer_id JOIN rights_assurance a ON a.id = r.assurance_id
JOIN rights_series x ON x.id = r.series_id JOIN rights_stream st ON st.id = x.stream_id
LEFT JOIN LATERAL (
    SELECT * FROM (
        (SELECT e.type, e.id, e.seq FROM rights_event e
         WHERE e.ref_right = 'rgt_' || s.child AND e.stream_id = x.stream_id AND e.type = 'right.split' AND e.object_id = 'rgt_' || s.parent
           AND e.at = s.at ORDER BY e.seq LIMIT 1)
        UNION ALL
        (SELECT e.type, e.id, e.seq FROM rights_event e
         WHERE e.object_id = 'rgt_' || s.child AND e.stream_id = x.stream_id AND e.at = s.at
           AND (x.stream_id <> s.stream_id OR e.seq < s.event_seq)
           AND (e.type = 'right.merged' AND e.ref_right = 'rgt_' || s.parent OR e.type = 'right.transferred' AND s.child = s.parent)
         ORDER BY e.seq DESC LIMIT 1)) found
    LIMIT 1) m ON true
ORDER BY s.ord
"""
# The whole line of every parent at once; `step` bounds it, and so does the tree: no right is its own ancestor (`right_descends`).
_LINES = """
WITH RECURSIVE up AS (
    SELECT r.id AS of, r.id, r.parent_id, 0 AS step FROM rights_right r WHERE r.id = ANY(%s::uuid[])
    UNION ALL SELECT up.of, p.id, p.parent_id, up.step + 1 FROM up JOIN rights_right p ON p.id = up.parent_id WHERE up.step < %s)
SELECT of::text, array_agg(id::text ORDER BY step) FROM up GROUP BY 1
"""


def slices(*, trade_uuid: str) -> list[Slice]:
    """What a trade delivered, in order."""
    return [Slice(*row) for row in named.fetch_all(_SLICES, {"trade": trade_uuid})]


def lines(right_ids: list[str]) -> dict[str, list[str]]:
    """Of each right, the rights from itself up to its root, at most `MOST_STEPS` + 1."""
    return dict(rows.fetch_all(_LINES, [rows.array(set(right_ids)), MOST_STEPS]))
