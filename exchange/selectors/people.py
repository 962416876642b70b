"""Which people may stand behind a name on the record."""

from rights.kernel import rows

_BEHIND_KEY = """
SELECT m.user_id FROM exchange_apikey k JOIN rights_account a ON a.id = k.account_id
JOIN exchange_membership m ON m.participant_id = a.participant_id WHERE k.uuid::text = %s
"""

_OWNER = {
    "key": "SELECT a.participant_id FROM exchange_apikey k JOIN rights_account a ON a.id = k.account_id WHERE k.uuid::text = %s",
    "user": "SELECT participant_id FROM exchange_membership WHERE user_id::text = %s",
}


def participant_of(actor: str) -> int:
    """The participant that `key:…` or `user:…` acts for; 0, which is nobody's, for every other name."""
    kind, _, name = actor.partition(":")
    found = rows.fetch_one(_OWNER[kind], [name]) if kind in _OWNER else None
    return 0 if found is None else int(found[0])


def people_behind(actor: str) -> frozenset[str]:
    """The person himself, or for a key everybody who acts for its owner; never empty."""
    kind, _, name = actor.partition(":")
    found = rows.fetch_all(_BEHIND_KEY, [name]) if kind == "key" else []
    return frozenset(f"user:{user_id}" for (user_id,) in found) or frozenset({actor})
