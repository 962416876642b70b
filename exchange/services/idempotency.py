"""The same POST sent twice is done once (API.md, conventions): the first answer is kept for 24 hours under the client's key.

The claim, the act and its answer are one transaction. A twin that comes meanwhile waits on the unique row; after a
refusal nothing is kept, so the key may be used again.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import orjson
from django.db import OperationalError, transaction
from psycopg import errors

from rights.kernel import rows
from rights.kernel.clock import rfc3339
from rights.kernel.trip import Answer, Trip

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


class Keyed(msgspec.Struct, frozen=True):
    """A request's key, and the fingerprint of what it asks."""

    account_id: int
    key: str
    print_hex: str

    @property
    def place(self) -> tuple[int, str]:
        """What is done once."""
        return self.account_id, self.key


_CLAIM = """
INSERT INTO exchange_idempotencykey AS k (account_id, key, fingerprint, status, body, created_at) VALUES (%s, %s, %s, 0, '', %s)
ON CONFLICT (account_id, key) DO UPDATE SET fingerprint = excluded.fingerprint, status = 0, body = '', created_at = excluded.created_at
WHERE k.created_at < %s RETURNING id
"""
_CLAIMS = """
INSERT INTO exchange_idempotencykey AS k (account_id, key, fingerprint, status, body, created_at)
SELECT w.account_id, w.key, w.print_hex, 0, '', %s FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS w(account_id, key, print_hex) ORDER BY 1, 2
ON CONFLICT (account_id, key) DO UPDATE SET fingerprint = excluded.fingerprint, status = 0, body = '', created_at = excluded.created_at
WHERE k.created_at < %s RETURNING account_id, key, id
"""
_ALL_KEPT = """
SELECT k.account_id, k.key, k.fingerprint, k.status, k.body FROM exchange_idempotencykey k
JOIN unnest(%s::bigint[], %s::text[]) AS w(account_id, key) ON k.account_id = w.account_id AND k.key = w.key
WHERE k.created_at >= %s AND k.status > 0
"""
_KEEP_ALL = """
UPDATE exchange_idempotencykey k SET status = w.status, body = w.body
FROM unnest(%s::bigint[], %s::int[], %s::text[]) AS w(id, status, body) WHERE k.id = w.id
"""
_LET_GO = "DELETE FROM exchange_idempotencykey WHERE id = ANY(%s::bigint[])"
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


class Claims(msgspec.Struct):
    """Keys of requests that are done in one transaction: those that are theirs now (the row of each), and what was answered before."""

    claimed: dict[tuple[int, str], int]
    kept: dict[tuple[int, str], tuple[str, int, str]]

    def before(self, keyed: Keyed) -> Done | None:
        """What was answered under the key; None when it is claimed. Raises KeyReusedError when that was another request."""
        if keyed.place in self.claimed:
            return None
        print_hex, status, body = self.kept.get(keyed.place, ("", 0, ""))
        if print_hex != keyed.print_hex:
            raise KeyReusedError
        return Done(status, orjson.loads(body), replayed=True)

    def keep(self, answers: Iterable[tuple[Keyed, Done | None]]) -> None:
        """Keep what claimed keys were answered now; after a refusal (None) nothing is kept."""
        mine = [(self.claimed[keyed.place], done) for keyed, done in answers if keyed.place in self.claimed]
        kept = [(row, done) for row, done in mine if done is not None]
        if kept:
            bodies = rows.text_array(orjson.dumps(done.body if done.kept is None else done.kept).decode() for _, done in kept)
            rows.write(_KEEP_ALL, [rows.array(row for row, _ in kept), rows.array(done.status for _, done in kept), bodies])
        if len(kept) < len(mine):
            rows.write(_LET_GO, [rows.array(row for row, done in mine if done is None)])


class AskedClaims(msgspec.Struct):
    """Claims on their way; to be read after the trip."""

    claimed: Answer | None = None
    kept: Answer | None = None

    def read(self) -> Claims:
        """Raises what the database said."""
        if self.claimed is None or self.kept is None:
            return Claims({}, {})
        claimed = {(account, key): row for account, key, row in self.claimed.rows()}
        return Claims(claimed, {(account, key): (print_hex, *said) for account, key, print_hex, *said in self.kept.rows()})


def ask_claims(trip: Trip, wanted: Sequence[Keyed], *, now_us: int) -> AskedClaims:
    """Claim these keys, of which none stands twice, in their order: before anything else is locked."""
    if not wanted:
        return AskedClaims()
    accounts, keys = rows.array(one.account_id for one in wanted), rows.text_array(one.key for one in wanted)
    since = rfc3339(now_us - KEEP_US)
    claimed = trip.ask(_CLAIMS, [rfc3339(now_us), accounts, keys, rows.text_array(one.print_hex for one in wanted), since])
    return AskedClaims(claimed, trip.ask(_ALL_KEPT, [accounts, keys, since]))


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
