"""A signing key for a deployment that was given none: made once, kept beside its data."""

import os
import secrets
from pathlib import Path


def development_key(data_dir: Path) -> str:
    """The key stored under `data_dir`, made on first use and readable only by its owner."""
    path = data_dir / "secret_key"
    try:
        return path.read_text(encoding="ascii")
    except FileNotFoundError:
        data_dir.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii")
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(key := secrets.token_urlsafe(50))
    return key
