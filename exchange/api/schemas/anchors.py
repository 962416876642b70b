"""Events, their chain, anchors, proofs, and what the venue signs."""

from exchange.api.schemas.words import FLAG, HASH, MOMENT, TEXT, WHOLE, Schema, answer, many, maybe, public_id, ref

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
# What rights/domain/statement.py makes.
_SIGNED: dict[str, Schema] = {
    "version": TEXT,
    "body": {**TEXT, "description": "The bytes that were hashed and signed: canonical JSON (RFC 8785)"},
    "hash": HASH,
    "key_id": TEXT,
    "signature": {**TEXT, "description": "Ed25519 over `body`, hexadecimal"},
    "public_key": HASH,
}
COMPONENTS: dict[str, Schema] = {
    "Receipt": answer(
        {**_SIGNED, "proof": maybe(ref("InclusionProof"))},
        description="`body` has `fill`, `account`, `event` (its stream, seq, hash and prev_hash) and `currency_scale`",
    ),
    "ChainHead": answer(_SIGNED, description="`body` has `stream`, `seq` and `hash`: where the stream ended"),
    "ChainCheck": answer(
        {
            "stream": TEXT,
            "from_seq": WHOLE,
            "to_seq": {**WHOLE, "description": "Less than from_seq when the stream has nothing there"},
            "events": WHOLE,
            "intact": {**FLAG, "description": "Gapless, every hash that of its event, every event the one the next one knows"},
            "faults": {**many(TEXT), "description": "What is wrong, the first of them"},
            "before_hash": {**HASH, "description": "Of the event before from_seq; 64 zeros at the beginning"},
            "last_hash": HASH,
            "next_seq": maybe(WHOLE),
            "head": {"anyOf": [ref("ChainHead"), {"type": "null"}], "description": "Null while the venue's key is not at hand"},
        }
    ),
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
            "salt": {**maybe(TEXT), "description": "With it the hash can be made again; null where something is withheld"},
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
