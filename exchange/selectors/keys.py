"""An account's keys, without their secrets."""

import msgspec

from exchange.selectors.named import moment
from rights.kernel import rows


class KeyRow(msgspec.Struct, frozen=True):
    """One key; moments in microseconds."""

    id: int
    uuid: str
    kind: str
    label: str
    scopes: list[str]
    expires_us: int | None
    revoked_us: int | None
    created_us: int
    networks: list[str]
    classes: list[str]
    max_order_minor: int | None
    max_daily_minor: int | None
    approval_above_minor: int | None


_KEYS = f"""
SELECT id, uuid::text, kind, label, scopes, {moment("expires_at")}, {moment("revoked_at")}, {moment("created_at")}, networks, classes,
       max_order_minor, max_daily_minor, approval_above_minor
FROM exchange_apikey WHERE account_id = %s AND id < %s ORDER BY id DESC LIMIT %s
"""
_LAST = 2**62


def keys(*, account_id: int, limit: int, before_id: int = _LAST) -> list[KeyRow]:
    """Newest first, at most `limit` + 1."""
    return [KeyRow(*row) for row in rows.fetch_all(_KEYS, [account_id, before_id, limit + 1])]
