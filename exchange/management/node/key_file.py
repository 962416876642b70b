"""A node's identity in a file of its owner's: the private key, and the id that the exchange gave it once it was registered."""

import base64
import json
import os
import secrets
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class NodeKey:
    """`public_key` (base64) is what a supplier registers; `node_id` is empty until it has."""

    def __init__(self, seed: str, node_id: str = "") -> None:
        """`seed`: 64 hexadecimal digits. ValueError for anything else."""
        self._seed, self.node_id = seed, node_id
        self._private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
        self.public_key = base64.b64encode(self._private.public_key().public_bytes_raw()).decode()

    def sign(self, data: bytes) -> str:
        """Base64."""
        return base64.b64encode(self._private.sign(data)).decode()

    def keep(self, path: Path) -> None:
        """Write it whole, readable by its owner alone."""
        draft = path.with_name(f"{path.name}.new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            json.dump({"node_id": self.node_id, "seed": self._seed}, file)
        draft.replace(path)


def node_key(path: Path) -> NodeKey:
    """The key in the file, made on first use. ValueError when the file holds something else."""
    try:
        found = json.loads(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        made = NodeKey(secrets.token_hex(32))
        made.keep(path)
        return made
    try:
        return NodeKey(**msgspec.convert(found, dict[str, str]))
    except (msgspec.ValidationError, TypeError) as error:
        raise ValueError(f"{path} is no node's key") from error
