"""Who is calling: a key or a member's session, and what that lets them do (API.md, Identity).

Read from the database each time: a revoked key or a suspended participant counts from the next request on.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from rights.kernel import rows
from rights.kernel.ids import bare

_TOKEN = re.compile(r"(key_[0-9a-f-]{36})\.([A-Za-z0-9_-]{43})", re.ASCII)
SUSPENDED_SCOPES = frozenset({"read", "cancel", "audit"})


@dataclass(frozen=True, slots=True)
class Principal:
    """The account that acts, its owner, and the scopes. `actor` is what goes on the record."""

    account_id: int
    account_uuid: str
    participant_id: int
    participant_slug: str
    holder_type: str
    scopes: frozenset[str]
    actor: str
    key_id: int | None
    user_id: int | None
    key_uuid: str | None = None
    suspended: bool = False
    networks: tuple[str, ...] = ()  # from where alone its key may be used; from anywhere when empty

    @property
    def is_authenticated(self) -> bool:
        """For Django and DRF, which ask every `request.user`."""
        return True

    def may_come_from(self, address: str) -> bool:
        """Whether a caller at this address may be who it says."""
        if not self.networks:
            return True
        try:
            found = ip_address(address)
        except ValueError:
            return False
        if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        return any(found in ip_network(network) for network in self.networks)

    def may(self, scope: str) -> bool:
        return scope in self.scopes


_OWNER = """a.id, a.uuid::text, p.id, p.slug, a.holder_type, a.status <> 'active' OR p.status <> 'active'"""
BEARER_SQL = f"""
SELECT {_OWNER}, k.scopes, k.id, k.uuid::text, k.secret_sha256, k.revoked_at IS NOT NULL,
       (extract(epoch from k.expires_at) * 1000000)::bigint, k.networks
FROM exchange_apikey k JOIN rights_account a ON a.id = k.account_id JOIN rights_participant p ON p.id = a.participant_id
WHERE k.uuid = %s AND k.kind = 'bearer'
"""
_MEMBER_SQL = f"""
SELECT {_OWNER}, m.scopes
FROM exchange_membership m JOIN rights_participant p ON p.id = m.participant_id
JOIN rights_account a ON a.participant_id = p.id AND a.code IS NULL
WHERE m.user_id = %s AND NOT m.password_once ORDER BY a.id LIMIT 1
"""


def split_token(token: str) -> tuple[str, str] | None:
    """(key's UUID, SHA-256 of the secret) of a well-formed bearer token, else None."""
    match = _TOKEN.fullmatch(token)
    uuid = bare("key", match[1]) if match else None
    return (uuid, digest(match[2])) if match and uuid else None


def digest(secret: str) -> str:
    """What is stored of a secret. 32 random bytes need no slow hash."""
    return hashlib.sha256(secret.encode("ascii")).hexdigest()


def principal_by_bearer(token: str, now_us: int) -> Principal | None:
    """The principal of a live bearer key; None for anything else, without saying why."""
    parts = split_token(token)
    row = rows.fetch_one(BEARER_SQL, [parts[0]]) if parts else None
    return principal_of_row(row, parts[1] if parts else "", now_us)


def principal_of_row(row: tuple[Any, ...] | None, secret_sha256: str, now_us: int) -> Principal | None:
    """Judge a row of BEARER_SQL; for rooms that fetch it on a connection of their own."""
    if row is None:
        return None
    scopes, key_id, key_uuid, stored, revoked, expires_us, networks = row[6:]
    known = hmac.compare_digest(stored, secret_sha256)
    if not known or revoked or (expires_us is not None and expires_us <= now_us):
        return None
    return _principal(row, scopes, actor=f"key:{key_uuid}", key_id=key_id, key_uuid=key_uuid, networks=tuple(networks))


def principal_of_user(user: AbstractBaseUser | AnonymousUser) -> Principal | None:
    """The principal of a logged-in member: the participant's first account. None without a membership."""
    if not user.is_authenticated or not user.is_active:
        return None
    row = rows.fetch_one(_MEMBER_SQL, [user.pk])
    return _principal(row, row[6], actor=f"user:{user.pk}", user_id=user.pk) if row else None


def _principal(
    row: tuple[Any, ...],
    scopes: list[str],
    *,
    actor: str,
    key_id: int | None = None,
    user_id: int | None = None,
    key_uuid: str | None = None,
    networks: tuple[str, ...] = (),
) -> Principal:
    account_id, account_uuid, participant_id, slug, holder_type, suspended = row[:6]
    granted = frozenset(scopes)
    return Principal(
        account_id=account_id,
        account_uuid=account_uuid,
        participant_id=participant_id,
        participant_slug=slug,
        holder_type=holder_type,
        # A suspended owner may look and take orders back, nothing else.
        scopes=granted & SUSPENDED_SCOPES if suspended else granted,
        actor=actor,
        key_id=key_id,
        user_id=user_id,
        key_uuid=key_uuid,
        suspended=suspended,
        networks=networks,
    )
