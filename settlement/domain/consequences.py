"""What an outcome does to units and money (SPEC §9). Whole units and minor units; what goes in comes out (TRUST S2)."""

import msgspec

from settlement.domain.settlement_states import DEDUCTING, Outcome


class UnitsSplit(msgspec.Struct, frozen=True):
    """What becomes of a route lock's units: used up, or given back to the right."""

    consumed: int
    released: int


class MoneySplit(msgspec.Struct, frozen=True):
    """What becomes of the escrow of a request, minor units: to the supplier, and back to the holder."""

    payout: int
    refund: int


def units_split(*, outcome: Outcome, reserved_units: int, units: int) -> UnitsSplit:
    """`units` are the classified ones; only done work deducts any."""
    deducted = units if outcome in DEDUCTING else 0
    if not 0 <= deducted <= reserved_units:
        raise ValueError(f"{deducted} units of {reserved_units} reserved")
    return UnitsSplit(deducted, reserved_units - deducted)


def money_split(*, outcome: Outcome, escrow_minor: int, reserved_units: int, units: int, refund_policy: str) -> MoneySplit:
    """Paid for what is proven; the rest goes back. Rounds toward the holder: nothing is charged that was not delivered.

    A full request earns the whole quote. A fallback earns its units' share where the right names compensation, else the whole.
    """
    if escrow_minor < 0 or reserved_units <= 0:
        raise ValueError("no escrow without a lock")
    if outcome is Outcome.FULL or (outcome is Outcome.FALLBACK and refund_policy == "none"):
        payout = escrow_minor
    elif outcome in {Outcome.FALLBACK, Outcome.PARTIAL}:
        payout = escrow_minor * units // reserved_units
    else:
        payout = 0
    return MoneySplit(payout, escrow_minor - payout)
