"""How what a trade brought its seller is divided when its units are final. Minor units and whole units; nothing is lost in rounding. Pure."""

from collections.abc import Sequence

import msgspec

# At the fill; when the units are final; then too, but back to the buyer for what failed him and perished.
AT_ONCE, UNTIL_FINAL, UNTIL_DELIVERED = "none", "until_final", "until_delivered"
PROCEEDS = (AT_ONCE, UNTIL_FINAL, UNTIL_DELIVERED)
RELEASED = "trade.proceeds_released"


class Sold(msgspec.Struct, frozen=True):
    """`units` of one lineage in a trade. Of the `bought_units` of it that its buyer got under the rule in all, `back_units` failed and perished."""

    units: int
    bought_units: int = 1
    back_units: int = 0


def divided(net_minor: int, sold: Sequence[Sold]) -> tuple[int, int]:
    """(the seller's, the buyer's) of `net_minor`, what the seller was to get. Each lineage has its share by units, the buyer's part rounded down."""
    total, so_far, shared, back = sum(part.units for part in sold), 0, 0, 0
    for part in sold:
        so_far += part.units
        share = net_minor * so_far // total - shared
        shared += share
        back += share * part.back_units // part.bought_units
    return net_minor - back, back
