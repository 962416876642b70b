"""Who pays for a request and who is paid (SPEC §9): the issuer's participant pays the supplier's, each through its first account."""

from collections.abc import Iterable

from rights.kernel import rows
from settlement.domain.claims import Payer

_PAYERS = """
SELECT DISTINCT ON (a.participant_id) a.id, a.uuid::text, a.participant_id, coalesce(b.amount - b.held, 0)::bigint
FROM rights_account a LEFT JOIN settlement_balance b ON b.account_id = a.id AND b.asset_id = %s
WHERE a.participant_id = ANY(%s::bigint[]) AND a.code IS NULL AND a.status = 'active' ORDER BY a.participant_id, a.id
"""


def payers_of(participant_ids: Iterable[int], *, asset_id: int) -> dict[int, Payer]:
    """By participant: its first active account, and what of its cash is free now; it is not locked, the ledger has the last word."""
    found = rows.fetch_all(_PAYERS, [asset_id, rows.array(sorted(set(participant_ids)))])
    return {participant: Payer(account, uuid, participant, free) for account, uuid, participant, free in found}
