"""Events, anchors and proofs."""

from exchange.api.schemas.words import HASH, MOMENT, TEXT, WHOLE, Schema, answer, many, maybe, public_id

_ANCHOR: dict[str, Schema] = {
    "id": public_id("anc"),
    "number": WHOLE,
    "at": MOMENT,
    "leaves": WHOLE,
    "root": HASH,
    "hash": HASH,
    "key_id": TEXT,
    "signature": TEXT,
}
COMPONENTS: dict[str, Schema] = {
    "Event": answer(
        {
            "id": public_id("evt"),
            "stream": TEXT,
            "seq": WHOLE,
            "type": TEXT,
            "object": answer({"id": TEXT, "type": TEXT}),
            "at": MOMENT,
            "actor": maybe(TEXT),
            "payload": {"type": "object"},
            "refs": {"type": "object"},
            "prev_hash": HASH,
            "hash": HASH,
            "withheld": {**many(TEXT), "description": "Members that concern others alone, and are null here"},
        }
    ),
    "Anchor": answer(_ANCHOR),
    "SignedAnchor": answer({**_ANCHOR, "body": {**TEXT, "description": "The bytes that were hashed and signed"}, "public_key": HASH}),
    "InclusionProof": answer(
        {
            "version": TEXT,
            "event_id": public_id("evt"),
            "event_hash": HASH,
            "leaf_index": WHOLE,
            "leaves": WHOLE,
            "path": many(HASH),
            "anchor": answer({"body": TEXT, "hash": HASH, "key_id": TEXT, "signature": TEXT}),
            "public_key": HASH,
        }
    ),
}
