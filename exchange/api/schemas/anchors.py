"""Anchors and proofs."""

from exchange.api.schemas.words import HASH, MOMENT, TEXT, WHOLE, Schema, answer, many, public_id

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
