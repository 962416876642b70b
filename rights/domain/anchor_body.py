"""What an anchor says, and what a proof by it says (docs/anchors.md). Pure: whoever has the documents checks them alone."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import orjson

from rights.domain.canonical_json import canonical_json
from rights.domain.merkle import is_included
from rights.domain.statement import BROKEN, Signed, signed_faults

VERSION: Final = "synthference/anchor/v1"
PROOF: Final = "synthference/inclusion-proof/v1"
MADE: Final = "anchor.made"
GENESIS: Final = "0" * 64


class Span(msgspec.Struct, frozen=True):
    """The events `first_seq` to `last_seq` of a stream; `head_hash` is the last one's, `first_leaf` the first one's place in the tree."""

    stream_id: int
    stream: str
    first_seq: int
    last_seq: int
    head_hash: str
    first_leaf: int

    @property
    def leaves(self) -> int:
        return self.last_seq - self.first_seq + 1


def anchor_body(
    *, anchor: str, number: int, at: str, root: str, spans: Sequence[Span], previous: str, log_root: str, key_id: str
) -> dict[str, Any]:
    """The members of an anchor. `anchor` is a UUID text; `previous` the hash of the anchor before, `log_root` the root over all of theirs."""
    return {
        "at": at,
        "id": f"anc_{anchor}",
        "key_id": key_id,
        "leaves": str(sum(span.leaves for span in spans)),
        "log_root": log_root,
        "number": str(number),
        "previous": previous,
        "root": root,
        "spans": [
            {
                "first_leaf": str(span.first_leaf),
                "first_seq": str(span.first_seq),
                "head_hash": span.head_hash,
                "last_seq": str(span.last_seq),
                "stream": span.stream,
            }
            for span in spans
        ],
        "version": VERSION,
    }


def made(*, body: Mapping[str, Any], signature: str) -> dict[str, object]:
    """The payload of `anchor.made`: all there is to know of the anchor."""
    return {"anchor": dict(body), "signature": signature}


def hash_of(body: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical form."""
    return hashlib.sha256(canonical_json(dict(body))).hexdigest()


def proof_document(
    *, event_id: str, event_hash: str, leaf_index: int, leaves: int, path: Sequence[str], anchor: Signed, public_key: str
) -> dict[str, Any]:
    """That the event of this hash is leaf `leaf_index` under the anchor's root."""
    return {
        "version": PROOF,
        "event_id": event_id,
        "event_hash": event_hash,
        "leaf_index": str(leaf_index),
        "leaves": str(leaves),
        "path": list(path),
        "anchor": msgspec.to_builtins(anchor),
        "public_key": public_key,
    }


def proof_faults(proof: Any, keys: Mapping[str, Mapping[str, Any]] | None = None) -> list[str]:
    """Everything in which an inclusion proof fails; empty when the event is in the signed anchor."""
    try:
        if proof["version"] != PROOF:
            return [f"the version is not {PROOF}"]
        found = signed_faults(proof["anchor"], public_key=proof["public_key"], keys=keys)
        anchor = orjson.loads(proof["anchor"]["body"])
        if anchor["version"] != VERSION:
            found.append(f"the anchor's version is not {VERSION}")
        if proof["leaves"] != anchor["leaves"]:
            found.append("the anchor has another number of leaves")
        included = is_included(
            leaf=bytes.fromhex(proof["event_hash"]),
            index=int(proof["leaf_index"]),
            size=int(anchor["leaves"]),
            path=[bytes.fromhex(node) for node in proof["path"]],
            root=bytes.fromhex(anchor["root"]),
        )
        if not included:
            found.append("the path does not lead from the event to the anchor's root")
        if "event" in proof and hashlib.sha256(proof["event"].encode()).hexdigest() != proof["event_hash"]:
            found.append("event_hash is not the SHA-256 of the event")
    except BROKEN as fault:
        return [f"not an inclusion proof: {fault!r}"]
    return found
