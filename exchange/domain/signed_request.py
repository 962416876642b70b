r"""What is signed of a request (API.md, Identity): `timestamp \n nonce \n METHOD \n path?query \n hex(sha256(body))`, the timestamp in milliseconds."""

import hashlib


def signed_request(*, timestamp: str, nonce: str, method: str, target: str, body: bytes) -> bytes:
    """The bytes; `target` is the path with its query."""
    return "\n".join([timestamp, nonce, method, target, hashlib.sha256(body).hexdigest()]).encode()
