"""Keys for the bots: made anew at each start, the ones of the last start revoked."""

from collections.abc import Collection, Iterable

from exchange.demo.parties import account_of
from exchange.models import ApiKey
from exchange.services import keys

LABEL = "demo bots"
SCOPES = ("read", "trade", "cancel", "quote")


def fresh_keys(*, slugs: Iterable[str], now_us: int, scopes: Collection[str] = SCOPES) -> dict[str, str]:
    """Participant → bearer token."""
    tokens = {}
    for slug in slugs:
        account = account_of(slug)
        for old in ApiKey.objects.filter(account=account, label=LABEL, revoked_at=None):
            keys.revoke(account_id=account.pk, key_uuid=str(old.uuid), now_us=now_us)
        tokens[slug] = keys.create(account_id=account.pk, scopes=scopes, label=LABEL, expires_us=None, now_us=now_us).token
    return tokens
