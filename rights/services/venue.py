"""The venue's own participant and its coded accounts: the contra sides of the ledger."""

import hashlib

from rights.kernel.clock import to_datetime
from rights.kernel.ids import numbered
from rights.kernel.planned import load
from rights.models import Account, Participant

SLUG = "venue"


def venue_participant() -> Participant:
    """The venue itself, made on first use; its own people are members of it."""
    return Participant.objects.get_or_create(slug=SLUG, defaults={"name": "The venue"})[0]


def venue_account(*, code: str, now_us: int) -> Account:
    """The venue's account called `code` (`venue:funding`, `units:issued`, …), made on first use.

    Its id follows from its code, so two sessions that meet here make the same row.
    """
    existing = load(Account, "code = %s", [code])
    if existing:
        return existing[0]
    owner = venue_participant()
    number = int.from_bytes(hashlib.sha256(code.encode()).digest()[:6], "big")
    account, _ = Account.objects.get_or_create(
        code=code,
        defaults={
            "uuid": numbered(now_us, 0, number),
            "participant": owner,
            "name": code,
            "holder_type": "vault",
            "created_at": to_datetime(now_us),
        },
    )
    return account
