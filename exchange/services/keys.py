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


class KeyLimits(msgspec.Struct, frozen=True):
    """What a key may not do although its scopes would let it. Money in minor units; empty or None: without this limit."""

    networks: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    max_order_minor: int | None = None
    max_daily_minor: int | None = None
    approval_above_minor: int | None = None


NO_LIMITS = KeyLimits()


def has_limits(key: ApiKey) -> bool:
    """Whether its orders have to be judged one by one for its own limits."""
    amounts = (key.max_order_minor, key.max_daily_minor, key.approval_above_minor)
    return bool(key.classes) or any(amount is not None for amount in amounts)


@transaction.atomic
def create(
    *, account_id: int, scopes: Collection[str], label: str, expires_us: int | None, now_us: int, limits: KeyLimits = NO_LIMITS
) -> NewKey:
    """A bearer key with 32 random bytes, of which only the SHA-256 is kept."""
    secret = secrets.token_urlsafe(32)
    uuid = _MINT.uuid(now_us)
    key = ApiKey(
        uuid=uuid,
        account_id=account_id,
        secret_sha256=digest(secret),
        label=label,
        scopes=sorted(scopes),
        expires_at=None if expires_us is None else to_datetime(expires_us),
        created_at=to_datetime(now_us),
        networks=list(limits.networks),
        classes=list(limits.classes),
        max_order_minor=limits.max_order_minor,
        max_daily_minor=limits.max_daily_minor,
        approval_above_minor=limits.approval_above_minor,
    )
    key.bounded = has_limits(key)
    key.save(force_insert=True)
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
