"""What an outcome does to units and money (SPEC §9). Whole units and minor units; what goes in comes out (TRUST S2)."""

from collections.abc import Sequence

import msgspec

from settlement.domain.settlement_states import DEDUCTING, Outcome

WHOLE_BPS = 10_000
CAPPED = "quoted-cap"  # the budget under which work beyond what was quoted is done for nothing


class Part(msgspec.Struct, frozen=True):
    """One route's part of the work: the units it had locked, those it delivered, and whether its supplier failed on the way."""

    locked_units: int
    delivered_units: int
    is_broken: bool = False


class Lock(msgspec.Struct, frozen=True):
    """What a route had locked: units of a right, and the escrow for them; and what the right's terms say of degraded work."""

    units: int
    escrow_minor: int
    refund_policy: str = "none"


class Share(msgspec.Struct, frozen=True):
    """What becomes of one route's lock. `used` + `released` units are the lock's; payout + compensation + release are its escrow.

    `owed_units`: what the right's holder is owed in units, as a new right, before anybody has looked whether there is room for one.
    """

    used: int
    released: int
    payout_minor: int
    compensation_minor: int
    release_minor: int
    owed_units: int = 0


def charged_units(*, outcome: Outcome, budget: str, quoted_units: int, parts: Sequence[Part]) -> list[int]:
    """What each part costs the holder, in the order given; `quoted_units` are the request's (docs/adr/0017).

    `actual`: what was delivered. `reserved-draw`: all that was locked, used or not, once the work is done as agreed; a supplier that
    failed on the way, and a part of the whole, only get what they delivered; all together at most what the request was quoted at, or what was
    delivered if that is more. `quoted-cap`: what was delivered, of every route at most what
    it was quoted at, and of all of them at most what the request was.
    """
    if outcome not in DEDUCTING:
        return [0] * len(parts)
    if budget == "reserved-draw" and outcome is not Outcome.PARTIAL:
        return _drawn(quoted_units, parts)
    if budget != CAPPED:
        return [part.delivered_units for part in parts]
    charged, left = [], quoted_units
    for part in parts:
        charged.append(min(part.delivered_units, part.locked_units, left))
        left -= charged[-1]
    return charged


def _drawn(quoted_units: int, parts: Sequence[Part]) -> list[int]:
    """Who takes over half-way has all locked that the rest might take. What that goes beyond the quote was never agreed: the last let go first."""
    charged = [part.delivered_units if part.is_broken else part.locked_units for part in parts]
    over = sum(charged) - max(quoted_units, sum(part.delivered_units for part in parts))
    for place in reversed(range(len(parts))):
        spared = max(0, min(over, charged[place] - parts[place].delivered_units))
        charged[place] -= spared
        over -= spared
    return charged


def share_of(*, outcome: Outcome, lock: Lock, units: int, quality_loss_bps: int, custom_minor: int | None = None) -> Share:
    """One route's share, of which `units` are charged. Only done work deducts units and pays; the rest goes back.

    Paid is what is charged, rounded down. A fallback is worth less by `quality_loss_bps`: under `pro-rata` that part of the payout goes
    to the holder, under `credit-reissue` he is owed that part of the units, under `custom` what the venue's own rule says (`custom_minor`,
    never more than was earned; None: as pro-rata).
    """
    used = units if outcome in DEDUCTING else 0
    if not 0 <= used <= lock.units:
        raise ValueError(f"{used} units of {lock.units} reserved")
    if not 0 <= quality_loss_bps <= WHOLE_BPS:
        raise ValueError(f"a loss of {quality_loss_bps} of {WHOLE_BPS}")
    earned = lock.escrow_minor * used // lock.units
    compensation = owed = 0
    if outcome is Outcome.FALLBACK and lock.refund_policy == "credit-reissue":
        owed = used * quality_loss_bps // WHOLE_BPS
    elif outcome is Outcome.FALLBACK and lock.refund_policy != "none":
        stated = custom_minor if lock.refund_policy == "custom" else None
        compensation = earned * quality_loss_bps // WHOLE_BPS if stated is None else min(max(stated, 0), earned)
    return Share(used, lock.units - used, earned - compensation, compensation, lock.escrow_minor - earned, owed)


def in_money(share: Share, *, quality_loss_bps: int) -> Share:
    """The share of a holder who is owed units that nobody can issue: the same part of the payout instead."""
    compensation = share.payout_minor * quality_loss_bps // WHOLE_BPS
    return msgspec.structs.replace(
        share, payout_minor=share.payout_minor - compensation, compensation_minor=share.compensation_minor + compensation, owed_units=0
    )
