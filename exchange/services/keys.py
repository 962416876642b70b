"""API keys: made once, shown once, revoked at once (API.md, Identity)."""

import contextlib
import secrets
from collections.abc import Collection

import msgspec
import redis
from django.db import transaction

from exchange.models import ApiKey
from exchange.services import bell
from exchange.services.identity import digest
from rights.kernel.clock import to_datetime
from rights.kernel.ids import Mint

CHANNEL = "keys"
_MINT = Mint()


class NewKey(msgspec.Struct, frozen=True):
    """The only moment at which `token` exists outside its owner's hands."""

    key: ApiKey
    token: str


@transaction.atomic
def create(*, account_id: int, scopes: Collection[str], label: str, expires_us: int | None, now_us: int) -> NewKey:
    """A bearer key with 32 random bytes, of which only the SHA-256 is kept."""
    secret = secrets.token_urlsafe(32)
    uuid = _MINT.uuid(now_us)
    key = ApiKey.objects.create(
        uuid=uuid,
        account_id=account_id,
        secret_sha256=digest(secret),
        label=label,
        scopes=sorted(scopes),
        expires_at=None if expires_us is None else to_datetime(expires_us),
        created_at=to_datetime(now_us),
    )
    return NewKey(key=key, token=f"key_{uuid}.{secret}")


@transaction.atomic
def revoke(*, account_id: int, key_uuid: str, now_us: int) -> ApiKey | None:
    """End a key of this account; None when it has no such key. Twice is the same as once. Its sockets close after commit."""
    key = ApiKey.objects.select_for_update(no_key=True).filter(account_id=account_id, uuid=key_uuid).first()
    if key is None:
        return None
    if key.revoked_at is None:
        key.revoked_at = to_datetime(now_us)
        key.save(update_fields=["revoked_at"])
    transaction.on_commit(lambda: _tell(key_uuid))
    return key


def _tell(key_uuid: str) -> None:
    """A notice for rooms that hold sockets open; they read the key again anyway, so a lost one only costs time."""
    with contextlib.suppress(redis.RedisError, OSError):
        bell.client().publish(CHANNEL, f"revoked:{key_uuid}")
