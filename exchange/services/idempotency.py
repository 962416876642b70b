"""The same POST sent twice is done once (API.md, conventions): the first answer is kept for 24 hours under the client's key.

The claim, the act and its answer are one transaction. A twin that comes meanwhile waits on the unique row; after a
refusal nothing is kept, so the key may be used again.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec
import orjson
from django.db import OperationalError, transaction
from psycopg import errors

from rights.kernel import rows
from rights.kernel.clock import rfc3339

KEEP_US = 24 * 3600 * 1_000_000


class KeyReusedError(Exception):
    """The key came before with another request."""


class KeyInUseError(Exception):
    """The first request with this key has not ended yet."""


class Done(msgspec.Struct, frozen=True):
    """An answer. `kept` is what a later twin gets instead of `body`, when that holds a secret."""

    status: int
    body: Any
    kept: Any = None
    replayed: bool = False


_CLAIM = """
INSERT INTO exchange_idempotencykey AS k (account_id, key, fingerprint, status, body, created_at) VALUES (%s, %s, %s, 0, '', %s)
ON CONFLICT (account_id, key) DO UPDATE SET fingerprint = excluded.fingerprint, status = 0, body = '', created_at = excluded.created_at
WHERE k.created_at < %s RETURNING id
"""
_KEEP = "UPDATE exchange_idempotencykey SET status = %s, body = %s WHERE id = %s"
_KEPT = (
    "SELECT fingerprint, status, body FROM exchange_idempotencykey WHERE account_id = %s AND key = %s AND created_at >= %s AND status > 0"
)


def fingerprint(method: str, path: str, body: object) -> str:
    """The same for two requests that mean the same, however they are spaced and ordered."""
    canonical = orjson.dumps([method, path, body], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).hexdigest()


def once(*, account_id: int, key: str, print_hex: str, act: Callable[[], Done], now_us: int) -> Done:
    """What `act` answers, or what it answered before. Raises KeyReusedError, KeyInUseError, and whatever `act` raises."""
    with transaction.atomic():
        try:
            with transaction.atomic():
                claimed = rows.fetch_one(_CLAIM, [account_id, key, print_hex, rfc3339(now_us), rfc3339(now_us - KEEP_US)])
        except OperationalError as error:
            if isinstance(error.__cause__, errors.LockNotAvailable):
                raise KeyInUseError from error
            raise
        if claimed is None:
            found = kept(account_id=account_id, key=key, print_hex=print_hex, now_us=now_us)
            if found is None:
                raise KeyReusedError
            return found
        done = act()
        body = done.body if done.kept is None else done.kept
        rows.execute(_KEEP, [done.status, orjson.dumps(body).decode(), claimed[0]])
        return done


def forget(*, now_us: int) -> int:
    """Drop what is older than 24 hours; how many."""
    return rows.execute("DELETE FROM exchange_idempotencykey WHERE created_at < %s", [rfc3339(now_us - KEEP_US)])


def kept(*, account_id: int, key: str, print_hex: str, now_us: int) -> Done | None:
    """What was answered under the key, if anything was. Raises KeyReusedError when that was another request."""
    row = rows.fetch_one(_KEPT, [account_id, key, rfc3339(now_us - KEEP_US)])
    if row is None:
        return None
    if row[0] != print_hex:
        raise KeyReusedError
    return Done(row[1], orjson.loads(row[2]), replayed=True)
