"""Anchors (SPEC §11): one Merkle root over what the streams have remembered since the last one, signed and chained.

A leaf is an event's hash; leaves stand in order of stream and sequence. The anchor is an event of the registry, so the next one covers it.
"""

from collections.abc import Iterable, Sequence

from django.db import transaction

from rights.domain.anchor_body import GENESIS, MADE, Span, anchor_body, hash_of, made
from rights.domain.canonical_json import canonical_json
from rights.domain.merkle import Tree, root_of
from rights.domain.signing import Signer
from rights.kernel import rows
from rights.kernel.clock import rfc3339, to_datetime
from rights.kernel.ids import numbered, public
from rights.models import Anchor
from rights.services import journal

MOST_LEAVES = 16_384  # so that a proof is made from one short read
MOST_SPANS = 500  # so that an anchor stays a page or two
# Any fixed number: anchors are made one after another.
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(7310002)"
# A stream's row and its events are written together: what its row says is there.
_NEW = """
SELECT s.id, s.code, coalesce(a.last_seq, 0) + 1, s.last_seq FROM rights_stream s LEFT JOIN LATERAL (
    SELECT last_seq FROM rights_anchorspan WHERE stream_id = s.id ORDER BY first_seq DESC LIMIT 1) a ON true
WHERE s.last_seq > coalesce(a.last_seq, 0) ORDER BY s.id LIMIT %s
"""
# Each span by itself, by its index: joined at once, the first hit is looked for in the whole journal.
_ANCHORS_ONLY = """
SELECT NOT EXISTS (SELECT 1 FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS w(stream, first, last) CROSS JOIN LATERAL (
    SELECT 1 FROM rights_event e WHERE e.stream_id = w.stream AND e.seq BETWEEN w.first AND w.last AND e.type <> %s LIMIT 1) e)
"""
_HASHES = """
SELECT e.stream_id, e.seq, e.hash FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS w(stream, first, last)
JOIN rights_event e ON e.stream_id = w.stream AND e.seq BETWEEN w.first AND w.last ORDER BY 1, 2
"""
_LOG = "SELECT hash FROM rights_anchor ORDER BY number"


class JournalBroken(RuntimeError):
    """Events are missing below a stream's head: nothing is anchored over a hole."""


@transaction.atomic
def make_anchor(*, signer: Signer, actor: str, now_us: int) -> Anchor | None:
    """The next anchor over at most MOST_LEAVES events; None when only anchors themselves were added since the last one.

    `signer`'s public half is published already. Locks the `registry` stream, last.
    """
    rows.execute(_ONE_AT_A_TIME)
    wanted = _cut(rows.fetch_all(_NEW, [MOST_SPANS]))
    if not wanted or _only_anchors(wanted):
        return None
    spans, root = _grown(wanted)
    before = [row[0] for row in rows.fetch_all(_LOG)]
    anchor_id = numbered(now_us, 0, len(before) + 1)
    body = anchor_body(
        anchor=anchor_id,
        number=len(before) + 1,
        at=rfc3339(now_us),
        root=root,
        spans=spans,
        previous=before[-1] if before else GENESIS,
        log_root=log_root(before),
        key_id=signer.key_id,
    )
    signature = signer.sign(canonical_json(body))
    anchor = _insert(anchor_id, body, spans, signature, now_us)
    event = journal.NewEvent(
        type=MADE, object_type="anchor", object_id=public("anc", anchor_id), payload=made(body=body, signature=signature)
    )
    journal.append(stream_id=journal.stream_for("registry"), events=[event], actor=actor, now_us=now_us)
    return anchor


def log_root(hashes: Iterable[str]) -> str:
    """The root over the hashes of anchors, oldest first."""
    return root_of(bytes.fromhex(each) for each in hashes).hex()


def _cut(found: Iterable[tuple[int, str, int, int]]) -> list[tuple[int, str, int, int]]:
    """Streams' new events, at most MOST_LEAVES of them: (stream, its code, first, last)."""
    wanted, left = [], MOST_LEAVES
    for stream_id, code, first, last in found:
        if not left:
            break
        last = min(last, first + left - 1)  # noqa: PLW2901 - the part that fits
        left -= last - first + 1
        wanted.append((stream_id, code, first, last))
    return wanted


def _columns(wanted: Sequence[tuple[int, str, int, int]]) -> list[str]:
    return [rows.array(row[place] for row in wanted) for place in (0, 2, 3)]


def _only_anchors(wanted: Sequence[tuple[int, str, int, int]]) -> bool:
    found = rows.fetch_one(_ANCHORS_ONLY, [*_columns(wanted), MADE])
    return bool(found and found[0])


def _grown(wanted: Sequence[tuple[int, str, int, int]]) -> tuple[list[Span], str]:
    """The spans with their places in the tree, and its root. Raises JournalBroken."""
    tree, ends = Tree(), {}
    for stream_id, seq, digest in rows.fetch_all(_HASHES, _columns(wanted)):
        tree.add(bytes.fromhex(digest))
        ends[stream_id] = (seq, digest, tree.size)
    spans, leaf = [], 0
    for stream_id, code, first, last in wanted:
        seq, digest, size = ends.get(stream_id, (0, "", 0))
        if seq != last or size != leaf + last - first + 1:
            raise JournalBroken(f"stream {code} lacks events between {first} and {last}")
        spans.append(Span(stream_id, code, first, last, digest, leaf))
        leaf = size
    return spans, tree.root().hex()


def _insert(anchor_id: str, body: dict[str, object], spans: Sequence[Span], signature: str, now_us: int) -> Anchor:
    anchor = Anchor.objects.create(
        uuid=anchor_id,
        number=int(str(body["number"])),
        at=to_datetime(now_us),
        leaves=int(str(body["leaves"])),
        root=str(body["root"]),
        body=canonical_json(body).decode(),
        hash=hash_of(body),
        key_id=str(body["key_id"]),
        signature=signature,
    )
    lines = [f"{anchor.pk}\t{s.stream_id}\t{s.first_seq}\t{s.last_seq}\t{s.head_hash}\t{s.first_leaf}" for s in spans]
    rows.copy_rows("rights_anchorspan", "anchor_id, stream_id, first_seq, last_seq, head_hash, first_leaf", lines)
    return anchor
