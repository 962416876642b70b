"""Every anchor again from the events it covers: root, chain, log of anchors, signature (TRUST E1)."""

from collections.abc import Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec
import orjson

from exchange.replay.finding import Findings
from exchange.replay.snapshot import stream_rows
from rights.domain.anchor_body import GENESIS
from rights.domain.merkle import Tree
from rights.domain.statement import Signed, signed_faults
from rights.kernel import rows

CHECK = "anchors"
AT_ONCE = 64
_MOMENT = "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
_ANCHORS = f"""
SELECT number, leaves, root, body, hash, key_id, signature, 'anc_' || uuid::text, {_MOMENT.format("at")}
FROM rights_anchor WHERE number > %s ORDER BY number LIMIT {AT_ONCE}
"""
_LEAVES = """
SELECT a.number, e.hash FROM rights_anchor a JOIN rights_anchorspan s ON s.anchor_id = a.id
JOIN rights_event e ON e.stream_id = s.stream_id AND e.seq BETWEEN s.first_seq AND s.last_seq
WHERE a.number BETWEEN %s AND %s ORDER BY a.number, s.first_leaf, e.seq
"""
_KEYS = f"SELECT key_id, public_key, {_MOMENT.format('created_at')}, {_MOMENT.format('retired_at')} FROM rights_venuekey"
Keys = Mapping[str, Mapping[str, Any]]


class _Row(msgspec.Struct, frozen=True):
    number: int
    leaves: int
    root: str
    body: str
    hash: str
    key_id: str
    signature: str
    id: str
    at: str


def walk_anchors() -> Findings:
    """Read all anchors in order, each with the hashes of its events."""
    findings = Findings()
    keys = {key: {"public_key": public, "from": since, "until": until} for key, public, since, until in rows.fetch_all(_KEYS)}
    log, previous = Tree(), GENESIS
    for anchor, covered in _anchors():
        expected = {
            "number": str(log.size + 1),
            "previous": previous,
            "log_root": log.root().hex(),
            "leaves": str(covered.size),
            "root": covered.root().hex(),
        }
        for fault in _faults(anchor, expected, keys):
            findings.add(CHECK, anchor=anchor.id, number=anchor.number, fault=fault)
        previous = anchor.hash
        log.add(bytes.fromhex(previous))
    return findings


def _anchors() -> Iterator[tuple[_Row, Tree]]:
    """Every anchor, with the tree over the events it says it covers."""
    last = 0
    while found := [_Row(*row) for row in rows.fetch_all(_ANCHORS, [last])]:
        last = found[-1].number
        trees: dict[int, Tree] = {}
        for number, leaves in groupby(
            stream_rows(_LEAVES, [found[0].number, last], expected=sum(anchor.leaves for anchor in found)), key=itemgetter(0)
        ):
            tree = trees[number] = Tree()
            for _, digest in leaves:
                tree.add(bytes.fromhex(digest))
        for anchor in found:
            yield anchor, trees.get(anchor.number, Tree())


def _faults(anchor: _Row, expected: Mapping[str, str], keys: Keys) -> list[str]:
    """What the anchor says that is not so."""
    try:
        body = orjson.loads(anchor.body)
        said = {name: body[name] for name in expected}
        repeated = (body["id"], body["at"], body["number"], body["leaves"], body["root"])
    except (ValueError, KeyError, TypeError) as fault:
        return [f"its body can't be read: {fault!r}"]
    found = [
        f"its {name} is {said[name]}, the events and anchors before it say {is_so}"
        for name, is_so in expected.items()
        if said[name] != is_so
    ]
    if repeated != (anchor.id, anchor.at, str(anchor.number), str(anchor.leaves), anchor.root):
        found.append("a column is not what the body says")
    public_key = keys.get(anchor.key_id, {}).get("public_key", "")
    signed = Signed(anchor.body, anchor.hash, anchor.key_id, anchor.signature)
    return found + signed_faults(msgspec.to_builtins(signed), public_key=public_key, keys=keys)
