"""What the venue signs: canonical JSON that names its kind, its moment and the key (docs/receipts.md, docs/anchors.md). Pure."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import orjson

from rights.domain.canonical_json import canonical_json
from rights.domain.moment import parse_us
from rights.domain.signing import Signer, is_signed, key_id_of

BROKEN: Final = (KeyError, TypeError, AttributeError, ValueError)
HEAD: Final = "synthference/chain-head/v1"


class Signed(msgspec.Struct, frozen=True):
    """`body` is the canonical JSON that was hashed and signed."""

    body: str
    hash: str
    key_id: str
    signature: str


def signed_by(signer: Signer, *, version: str, at: str, members: Mapping[str, Any]) -> dict[str, Any]:
    """A document of that version: the signed body, and the key that signed it. `at` is the moment of signing, RFC 3339."""
    text = canonical_json({**members, "at": at, "key_id": signer.key_id, "version": version})
    signed = Signed(text.decode(), hashlib.sha256(text).hexdigest(), signer.key_id, signer.sign(text))
    return {"version": version, **msgspec.to_builtins(signed), "public_key": signer.public_key}


def signed_faults(signed: Any, *, public_key: str, keys: Mapping[str, Mapping[str, Any]] | None = None) -> list[str]:
    """What is wrong with signed bytes; `keys` are the venue's, by id, as /.well-known/venue-keys lists them, when somebody has them."""
    try:
        body = signed["body"].encode()
        found = []
        if hashlib.sha256(body).hexdigest() != signed["hash"]:
            found.append("the hash is not that of the signed body")
        if key_id_of(public_key) != signed["key_id"] or orjson.loads(body)["key_id"] != signed["key_id"]:
            found.append("the key id is not that of the public key")
        if not is_signed(public_key=public_key, signature=signed["signature"], data=body):
            found.append("the signature is not the key's over the body")
        if keys is not None:
            found += _key_faults(keys, signed["key_id"], public_key, orjson.loads(body)["at"])
    except BROKEN as fault:
        return [f"not a signed document: {fault!r}"]
    return found


def _key_faults(keys: Mapping[str, Mapping[str, Any]], key_id: str, public_key: str, at: str) -> list[str]:
    key = keys.get(key_id)
    if key is None or key["public_key"] != public_key:
        return [f"key {key_id} is not one of the venue's"]
    moment = parse_us(at)
    if moment < parse_us(key["from"]) or (key["until"] is not None and moment > parse_us(key["until"])):
        return [f"key {key_id} was not the venue's at {at}"]
    return []


def document_faults(document: Any, *, version: str, keys: Mapping[str, Mapping[str, Any]] | None = None) -> list[str]:
    """What is wrong with what `signed_by` made, as a document of that version."""
    try:
        if document["version"] != version or orjson.loads(document["body"])["version"] != version:
            return [f"the version is not {version}"]
        return signed_faults(document, public_key=document["public_key"], keys=keys)
    except BROKEN as fault:
        return [f"not a signed document: {fault!r}"]


def head_members(*, stream: str, seq: int, digest: str) -> dict[str, str]:
    """That a stream's event number `seq` has this hash; 0 and 64 zeros while it has none."""
    return {"hash": digest, "seq": str(seq), "stream": stream}
