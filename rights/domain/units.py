"""Units under a haircut and overbooking: each step rounded down, as the database does (migration 0002)."""

WHOLE_BPS = 10_000


def usable_units(gross_units: int, haircut_bps: int) -> int:
    """Gross less the haircut."""
    return gross_units * (WHOLE_BPS - haircut_bps) // WHOLE_BPS


def issuable_units(gross_units: int, haircut_bps: int, overbook_bps: int) -> int:
    """The most that may ever stand issued: what is usable, and what the overbooking policy adds."""
    return usable_units(gross_units, haircut_bps) * (WHOLE_BPS + overbook_bps) // WHOLE_BPS
