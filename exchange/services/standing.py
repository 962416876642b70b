"""Whether somebody on the record may still do something now.

Entry rooms judge the caller in front of them. This is for acts that happen later than they were asked for, by a name in a row.
"""

from exchange.services.identity import SUSPENDED_SCOPES
from rights.domain.staff import OPERATORS
from rights.kernel import rows
from rights.kernel.clock import rfc3339

_USER = """
SELECT m.scopes, p.status = 'active', EXISTS (
    SELECT 1 FROM auth_user_groups x JOIN auth_group g ON g.id = x.group_id WHERE x.user_id = u.id AND g.name = %s)
FROM auth_user u JOIN exchange_membership m ON m.user_id = u.id JOIN rights_participant p ON p.id = m.participant_id
WHERE u.id::text = %s AND u.is_active AND NOT m.password_once
"""
_KEY = """
SELECT k.scopes, p.status = 'active' AND a.status = 'active' FROM exchange_apikey k JOIN rights_account a ON a.id = k.account_id
JOIN rights_participant p ON p.id = a.participant_id
WHERE k.uuid::text = %s AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > %s)
"""


def may(actor: str, scope: str, now_us: int) -> bool:
    """Whether `user:…` or `key:…` has the scope at this moment; the console's operators have `operate`. Nobody else does."""
    kind, _, name = actor.partition(":")
    if kind == "user":
        row = rows.fetch_one(_USER, [OPERATORS, name])
        if row is not None and scope == "operate" and row[2]:
            return True
    elif kind == "key":
        row = rows.fetch_one(_KEY, [name, rfc3339(now_us)])
    else:
        return False
    return row is not None and scope in row[0] and (row[1] or scope in SUSPENDED_SCOPES)
