"""The one writer of postings and balances (SPEC §5; TRUST L1, L2).

A move takes `amount` of one asset from the debit account to the credit account, so entries balance by
construction; balances are locked in (account, asset) order and the database refuses overdrafts.
"""

from collections.abc import Mapping, Sequence

import msgspec
from django.db import IntegrityError

from rights.kernel import rows
from rights.kernel.clock import rfc3339
from rights.kernel.trip import Answer, Trip
from settlement.models import Asset

# Contra accounts stand for the world outside: they may be owed.
UNBOUNDED = ("venue:funding", "units:issued")


class LedgerRefusal(Exception):
    """An account would go below its floor, or more would be held than is there; nothing was written."""

    def __init__(self, constraint: str) -> None:
        super().__init__(f"the ledger refused: {constraint}")
        self.constraint = constraint


class Move(msgspec.Struct, frozen=True, gc=False):
    """One leg: `amount` (> 0) minor units or units of `asset_id` flow from debit to credit."""

    entry_id: str
    leg: int
    kind: str
    asset_id: int
    debit_id: int
    credit_id: int
    amount: int


Key = tuple[int, int]  # (account id, asset id)


class NewBalance(msgspec.Struct, frozen=True, gc=False):
    account_id: int
    asset_id: int
    amount: int
    held: int


_LOCK_AND_ADD = """
WITH want AS (SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[]) AS w(account_id, asset_id, da, dh)),
locked AS (
    SELECT b.account_id, b.asset_id FROM settlement_balance b JOIN want USING (account_id, asset_id)
    ORDER BY b.account_id, b.asset_id FOR NO KEY UPDATE OF b)
UPDATE settlement_balance b SET amount = b.amount + w.da, held = b.held + w.dh
FROM want w JOIN locked USING (account_id, asset_id)
WHERE b.account_id = w.account_id AND b.asset_id = w.asset_id
RETURNING b.account_id, b.asset_id, b.amount, b.held
"""

# Rows that don't exist yet; a floor of 0 for everybody but the contra accounts.
_OPEN = """
INSERT INTO settlement_balance (account_id, asset_id, amount, held, floor)
SELECT w.account_id, w.asset_id, 0, 0, CASE WHEN a.code = ANY(%s) THEN NULL ELSE 0 END
FROM unnest(%s::bigint[], %s::bigint[]) AS w(account_id, asset_id) JOIN rights_account a ON a.id = w.account_id
WHERE NOT EXISTS (SELECT 1 FROM settlement_balance b WHERE b.account_id = w.account_id AND b.asset_id = w.asset_id)
ORDER BY 1, 2 ON CONFLICT DO NOTHING
"""


class Posting(msgspec.Struct, gc=False):
    """Moves and holds on their way: the balances they touch, and the answer that will hold them."""

    keys: list[Key]
    answer: Answer | None
    written: list[Answer] = []

    def balances(self) -> list[NewBalance]:
        """The touched balances afterwards. Raises LedgerRefusal."""
        for answer in self.written:
            answer.count()
        if self.answer is None:
            return []
        try:
            return [NewBalance(*row) for row in self.answer.rows()]
        except IntegrityError as error:
            raise LedgerRefusal(getattr(getattr(error.__cause__, "diag", None), "constraint_name", "") or "balance") from error


def post(*, moves: Sequence[Move], now_us: int, holds: Mapping[Key, int] | None = None, known: set[Key] | None = None) -> list[NewBalance]:
    """Write the moves and change holds, in the caller's transaction; the touched balances afterwards.

    `known` (a caller's memory of rows that exist) saves opening them again. Raises LedgerRefusal.
    """
    trip = Trip()
    posting = ask_post(trip, moves=moves, now_us=now_us, holds=holds, known=known)
    trip.go()
    return posting.balances()


def ask_post(
    trip: Trip, *, moves: Sequence[Move], now_us: int, holds: Mapping[Key, int] | None = None, known: set[Key] | None = None
) -> Posting:
    """`post` for a caller who locks more in the same trip."""
    amounts: dict[Key, int] = {}
    at = rfc3339(now_us)
    lines = []
    for m in moves:
        giver, taker = (m.debit_id, m.asset_id), (m.credit_id, m.asset_id)
        amounts[giver] = amounts.get(giver, 0) - m.amount
        amounts[taker] = amounts.get(taker, 0) + m.amount
        lines.append(f"{m.entry_id}\t{m.leg}\t{m.kind}\t{m.asset_id}\t{m.debit_id}\t{m.credit_id}\t{m.amount}\t{at}")
    written = rows.ask_rows("settlement_posting", "entry_id, leg, kind, asset_id, debit_id, credit_id, amount, at", lines, trip=trip)
    held = holds or {}
    keys = sorted(k for k in amounts.keys() | held.keys() if amounts.get(k, 0) or held.get(k, 0))
    if not keys:
        return Posting([], None, written)
    columns = [rows.array(k[0] for k in keys), rows.array(k[1] for k in keys)]
    if known is None or not known.issuperset(keys):
        trip.ask(_OPEN, [list(UNBOUNDED), *columns])
    changes = [rows.array(amounts.get(k, 0) for k in keys), rows.array(held.get(k, 0) for k in keys)]
    return Posting(keys, trip.ask(_LOCK_AND_ADD, [*columns, *changes]), written)


def cash_asset(code: str = "USD") -> Asset:
    """The cash asset of that code; USD counts micro-dollars."""
    return Asset.objects.get_or_create(code=code, defaults={"kind": "cash", "scale": 6})[0]


_UNIT_ASSET = "SELECT id FROM settlement_asset WHERE root_right = %s::uuid"
_NEW_UNIT_ASSET = """
INSERT INTO settlement_asset (code, kind, scale, root_right) VALUES (%s, 'units', 0, %s::uuid) ON CONFLICT DO NOTHING RETURNING id
"""


def unit_asset(root_right: str) -> int:
    """The id of the asset that stands for units of one root right, made on first use."""
    return int((rows.fetch_one(_UNIT_ASSET, [root_right]) or [new_unit_asset(root_right)])[0])


def new_unit_asset(root_right: str) -> int:
    """The same for a right that is only now being made."""
    found = rows.fetch_one(_NEW_UNIT_ASSET, [f"U:rgt_{root_right}", root_right])
    return int((found or rows.fetch_all(_UNIT_ASSET, [root_right])[0])[0])  # unless another session made it meanwhile
