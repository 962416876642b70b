"""The one named rounding of fees (audit L5): down to the minor unit, so that a hold always covers its fills."""


def fee_minor(notional_minor: int, bps: int) -> int:
    """The fee on a notional, both in minor units."""
    return notional_minor * bps // 10_000
