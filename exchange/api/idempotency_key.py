"""The header `Idempotency-Key`, read."""

import re
from typing import Any

from exchange.api import fields
from exchange.services.idempotency import Keyed, fingerprint

_KEY = re.compile(r"[!-~]{1,128}", re.ASCII)


def keyed_as(said: str, *, account_id: int, method: str, path: str, body: dict[str, Any]) -> Keyed:
    """The key with the fingerprint of its request; `path` with the query. Raises FieldError."""
    key = fields.matching(said, "Idempotency-Key", _KEY, "must be 1 to 128 visible ASCII characters")
    return Keyed(account_id, key, fingerprint(method, path, body))
