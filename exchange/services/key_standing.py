"""Whether keys are still what their callers were known by a moment ago: read again in the transaction that acts, many keys at once."""

from collections.abc import Iterable, Mapping

import msgspec

from rights.kernel import rows
from rights.kernel.clock import rfc3339
from rights.kernel.trip import Answer, Trip

_STANDING = """
SELECT k.id, k.bounded, k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > %s), a.status = 'active' AND p.status = 'active'
FROM exchange_apikey k JOIN rights_account a ON a.id = k.account_id JOIN rights_participant p ON p.id = a.participant_id
WHERE k.id = ANY(%s::bigint[])
"""


class KeyEnded(Exception):
    """The key is revoked or has run out; or (`is_suspended`) its owner may use nothing for now."""

    def __init__(self, *, is_suspended: bool) -> None:
        super().__init__("the key's owner is suspended" if is_suspended else "the key is revoked or has run out")
        self.is_suspended = is_suspended


class Standing(msgspec.Struct, frozen=True):
    """A key as it stands now. `is_bounded`: it is trusted with less than its scopes."""

    is_bounded: bool
    is_live: bool
    is_active: bool

    def check(self) -> None:
        """Raise KeyEnded unless it may act."""
        if not self.is_live or not self.is_active:
            raise KeyEnded(is_suspended=self.is_live)


class Asked(msgspec.Struct):
    """Keys on their way; to be read after the trip."""

    answer: Answer

    def read(self) -> Mapping[int, Standing]:
        """By key's number."""
        return {row[0]: Standing(*row[1:]) for row in self.answer.rows()}


def ask_standing(trip: Trip, key_ids: Iterable[int], *, now_us: int) -> Asked:
    """Ask how these keys stand."""
    return Asked(trip.ask(_STANDING, [rfc3339(now_us), rows.array(sorted(set(key_ids)))]))
