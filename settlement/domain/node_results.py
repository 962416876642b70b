"""What a node says it has done, and whether it can be believed (SPEC §8). Pure.

A result is signed: Ed25519 over the canonical JSON (RFC 8785) of `job`, `output_hash` and `units` (a string). Keys and signatures are base64.
"""

import base64
import binascii
import hashlib
from functools import lru_cache

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from rights.domain.canonical_json import canonical_json
from settlement.domain.recount import recount

KEY_BYTES = 32
SIGNATURE_BYTES = 64


class Result(msgspec.Struct, frozen=True):
    """Of one job (its public id). `is_partial`: less was done than was asked for. `signature` is base64."""

    job_id: str
    units: int
    output: str
    output_hash: str
    signature: str
    is_partial: bool = False


class Asked(msgspec.Struct, frozen=True):
    """What a result is held against. `units` are those reserved; `body` is the payload; `held_us` how long the node has had the job."""

    unit: str
    units: int
    body: str
    held_us: int | None = None


def signed_bytes(*, job_id: str, units: int, output_hash: str) -> bytes:
    """What a node signs of a result."""
    return canonical_json({"job": job_id, "output_hash": output_hash, "units": str(units)})


def hash_of(output: str) -> str:
    """SHA-256 of an output's UTF-8, hexadecimal."""
    return hashlib.sha256(output.encode()).hexdigest()


def lie_in(result: Result, *, asked: Asked, public_key: str) -> str | None:
    """The first thing in a result that is not so: a stable word; None when all that can be checked holds."""
    said = signed_bytes(job_id=result.job_id, units=result.units, output_hash=result.output_hash)
    if not is_signed(public_key=public_key, signature=result.signature, data=said):
        return "signature"
    if hash_of(result.output) != result.output_hash:
        return "output_hash"
    if result.units > asked.units:
        return "above_reserved"
    count = recount(unit=asked.unit, asked=asked.body, output=result.output, held_us=asked.held_us)
    return None if count.allows(result.units) else "recount"


def is_signed(*, public_key: str, signature: str, data: bytes) -> bool:
    """Whether the owner of `public_key` signed `data`; False for keys and signatures that are none."""
    mark = decoded(signature, SIGNATURE_BYTES)
    if mark is None:
        return False
    try:
        _key(public_key).verify(mark, data)
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(maxsize=1024)
def _key(public_key: str) -> Ed25519PublicKey:
    """The same few nodes sign again and again. ValueError for what is no key."""
    return Ed25519PublicKey.from_public_bytes(decoded(public_key, KEY_BYTES) or b"")


def decoded(text: str, length: int) -> bytes | None:
    """The bytes of a base64 text in its one form; None when it is not, or another number of bytes."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == length and base64.b64encode(raw).decode() == text else None
