"""Who pays for a request and who is paid (SPEC §9): the issuer's participant pays the supplier's, each through its first account."""

from collections.abc import Iterable

import msgspec

from rights.kernel import rows
from rights.kernel.trip import Answer, Trip
from settlement.domain.claims import Payer

CURRENCY, ESCROW = "USD", "venue:escrow"
_PLACES = """
SELECT (SELECT id FROM settlement_asset WHERE code = %s), (SELECT scale FROM settlement_asset WHERE code = %s), (SELECT id FROM rights_account WHERE code = %s)
"""
_PAYERS = """
SELECT DISTINCT ON (a.participant_id) a.id, a.uuid::text, a.participant_id, coalesce(b.amount - b.held, 0)::bigint
FROM rights_account a LEFT JOIN settlement_balance b ON b.account_id = a.id AND b.asset_id = (SELECT id FROM settlement_asset WHERE code = %s)
WHERE a.code IS NULL AND a.status = 'active' AND a.participant_id IN (
    SELECT i.participant_id FROM rights_right r JOIN rights_issuer i ON i.id = r.issuer_id WHERE r.id = ANY(%s::uuid[])
    UNION SELECT s.participant_id FROM rights_capability c JOIN rights_supplier s ON s.id = c.supplier_id
    WHERE c.workload = ANY(%s::text[]) AND c.retired_at IS NULL)
ORDER BY a.participant_id, a.id
"""


class Asked(msgspec.Struct):
    """Payers on their way; to be read after the trip."""

    places: Answer
    parties: Answer

    def payers(self) -> dict[int, Payer]:
        """By participant: its first active account, and what of its cash is free now; it is not locked, the ledger has the last word."""
        return {participant: Payer(account, uuid, participant, free) for account, uuid, participant, free in self.parties.rows()}

    def currency(self) -> tuple[int, int] | None:
        """The asset of all this cash and its scale, if there is any."""
        found = self.places.one()
        return (found[0], found[1]) if found and found[0] is not None else None

    def escrow_id(self) -> int | None:
        """The escrow account, if there is one yet."""
        found = self.places.one()
        return found[2] if found else None


def ask_payers(trip: Trip, *, right_ids: str, workloads: Iterable[str]) -> Asked:
    """Ask for the parties to any use of these rights (an array) for these kinds of work."""
    kinds = rows.text_array(sorted(set(workloads)))
    return Asked(trip.ask(_PLACES, [CURRENCY, CURRENCY, ESCROW]), trip.ask(_PAYERS, [CURRENCY, right_ids, kinds]))
