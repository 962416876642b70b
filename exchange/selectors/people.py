"""Which people may stand behind a name on the record."""

from rights.kernel import rows

_BEHIND_KEY = """
SELECT m.user_id FROM exchange_apikey k JOIN rights_account a ON a.id = k.account_id
JOIN exchange_membership m ON m.participant_id = a.participant_id WHERE k.uuid::text = %s
"""


def people_behind(actor: str) -> frozenset[str]:
    """The person himself, or for a key everybody who acts for its owner; never empty."""
    kind, _, name = actor.partition(":")
    found = rows.fetch_all(_BEHIND_KEY, [name]) if kind == "key" else []
    return frozenset(f"user:{user_id}" for (user_id,) in found) or frozenset({actor})
