"""Ed25519 signatures of the venue, over bytes that name what they are (docs/anchors.md). Keys and signatures are hexadecimal texts."""

import hashlib
import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_SEED = re.compile(r"[0-9a-f]{64}", re.ASCII)


class Signer:
    """A private key. `key_id` and `public_key` may be told to anybody."""

    def __init__(self, seed: str) -> None:
        """`seed` is the private half: 64 hexadecimal digits. ValueError for anything else, which is not repeated."""
        if not _SEED.fullmatch(seed):
            raise ValueError("a private key is 64 hexadecimal digits in lower case")
        self._private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
        self.public_key = self._private.public_key().public_bytes_raw().hex()
        self.key_id = key_id_of(self.public_key)

    def sign(self, data: bytes) -> str:
        return self._private.sign(data).hex()


def key_id_of(public_key: str) -> str:
    """The first half of the SHA-256 of the public key's 32 bytes."""
    return hashlib.sha256(bytes.fromhex(public_key)).hexdigest()[:32]


def is_signed(*, public_key: str, signature: str, data: bytes) -> bool:
    """Whether the owner of `public_key` signed `data`; False for keys and signatures that are none."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(bytes.fromhex(signature), data)
    except (InvalidSignature, ValueError):
        return False
    return True
