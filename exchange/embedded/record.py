"""What the embedded servers must remember between starts: passwords, the Valkey port, where things were put."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path


def _password() -> str:
    return secrets.token_urlsafe(24)


def write_private(path: Path, text: str) -> None:
    """Write `text` so that a reader sees the old or the new content, and only the owner sees either."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


@dataclass
class Record:
    """`embedded.json` in the data directory."""

    path: Path
    superuser_password: str = field(default_factory=_password)
    role_password: str = field(default_factory=_password)
    valkey_password: str = field(default_factory=_password)
    valkey_port: int = 0
    cluster: str = ""
    socket_dir: str = ""

    @classmethod
    def load(cls, data_dir: Path) -> "Record":
        path = data_dir / "embedded.json"
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            record = cls(path)
            record.save()
            return record
        return cls(path, **stored)

    def save(self) -> None:
        write_private(self.path, json.dumps({key: value for key, value in asdict(self).items() if key != "path"}, indent=1) + "\n")
