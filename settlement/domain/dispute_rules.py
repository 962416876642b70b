"""Who may challenge a settlement, who may decide it, and what may be decided (SPEC §9). Pure."""

from collections.abc import Iterable

import msgspec

from settlement.domain.proofs import Reading
from settlement.domain.receipt_body import SUCCESSES
from settlement.domain.settlement_states import DEDUCTING, Outcome

DECISIONS = ("reject", "uphold", "reclassify")
LONGEST_CLAIM, LONGEST_EVIDENCE, MOST_EVIDENCE = 2_000, 4_000, 100


class Parties(msgspec.Struct, frozen=True):
    """Participant ids: whose rights were used and who asked; who executed; who issued the rights and pays."""

    holders: frozenset[int]
    suppliers: frozenset[int]
    issuers: frozenset[int]

    def side_of(self, participant_id: int) -> str | None:
        """The side a participant is on; the issuer stands behind the rights, as a coordinator. None: no party."""
        sides = (("holder", self.holders), ("supplier", self.suppliers), ("coordinator", self.issuers))
        return next((side for side, members in sides if participant_id in members), None)


def text_fault(text: str, longest: int) -> str | None:
    """What is wrong with a claim, a piece of evidence or a reason; lines may be broken."""
    if not text.strip():
        return "says nothing"
    if len(text) > longest:
        return f"is longer than {longest} characters"
    odd = any((ord(c) < 32 and c not in "\n\t") or 0xD800 <= ord(c) <= 0xDFFF for c in text)
    return "holds control characters" if odd else None


def reclassification_fault(
    *, outcome: Outcome, status: str, reading: Reading, delivered_units: int, locks: Iterable[tuple[int, int]], is_capped: bool = False
) -> str | None:
    """Why a reviewer may not decide on this outcome: what is not proven is not charged, by whoever's word.

    `locks`: by route, what it delivered and what it had locked; `is_capped`: by its budget what goes beyond costs nothing.
    """
    if outcome not in DEDUCTING:
        return None
    if status not in SUCCESSES or not delivered_units:
        return "nothing was delivered"
    if not reading.is_sufficient or reading.proven_units != delivered_units:
        return "what was delivered is not proven"
    if not is_capped and any(delivered > locked for delivered, locked in locks):
        return "more was delivered than was locked for it"
    return None
