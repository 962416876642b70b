"""What became of requests against somebody's rights (SPEC §1, §9): counts, units, rates and what may be expected. Pure, whole numbers only.

A rate comes with the size of its sample and a lower bound: of Wilson's interval at 95 %, rounded down. One success of one is a rate of
10,000 and a bound of 2,065.
"""

from collections.abc import Mapping
from math import isqrt

import msgspec

from settlement.domain.settlement_states import Outcome

WHOLE_BPS = 10_000
Z2_BPS = 38_416  # 1.96², the square of the normal quantile of 95 %, of 10,000
_DELIVERED = (Outcome.FULL, Outcome.FALLBACK)


class Tally(msgspec.Struct, frozen=True):
    """Requests of one outcome; of the units that their routes had reserved, those that were charged."""

    requests: int
    used_units: int
    reserved_units: int


NONE = Tally(0, 0, 0)


class Expected(msgspec.Struct, frozen=True):
    """How many of 10,000 units asked for are delivered; None without a sample."""

    bps: int | None
    lower_bps: int | None
    sample: int


NOTHING_EXPECTED = Expected(None, None, 0)


class Record(msgspec.Struct, frozen=True):
    """By outcome. Requests that count are those that were executed, and those that ran out of time under lock."""

    tallies: Mapping[str, Tally]

    def of(self, outcome: Outcome) -> Tally:
        return self.tallies.get(outcome, NONE)

    @property
    def sample(self) -> int:
        return sum(tally.requests for tally in self.tallies.values())

    @property
    def asked(self) -> int:
        """The sample without what its holders called off: nobody failed there."""
        return self.sample - self.of(Outcome.CANCELLED).requests

    @property
    def used_units(self) -> int:
        return sum(tally.used_units for tally in self.tallies.values())

    @property
    def reserved_units(self) -> int:
        return sum(tally.reserved_units for tally in self.tallies.values())

    @property
    def full_bps(self) -> int | None:
        """How many of 10,000 requests came out whole, of those that nobody called off."""
        return self.of(Outcome.FULL).requests * WHOLE_BPS // self.asked if self.asked else None

    @property
    def expected(self) -> Expected:
        """Whole and degraded work counts as delivered, partial work by the share of its units, the rest as nothing.

        What a request had reserved beyond its need is no shortfall, so units alone would not tell.
        """
        if not self.asked:
            return NOTHING_EXPECTED
        partial = self.of(Outcome.PARTIAL)
        hits_bps = sum(self.of(outcome).requests for outcome in _DELIVERED) * WHOLE_BPS
        if partial.reserved_units:
            hits_bps += partial.requests * WHOLE_BPS * partial.used_units // partial.reserved_units
        return Expected(hits_bps // self.asked, lower_bps(hits_bps, self.asked), self.asked)


def pooled(records: list[Record]) -> Record:
    """Several records as one."""
    tallies: dict[str, Tally] = {}
    for record in records:
        for outcome, tally in record.tallies.items():
            before = tallies.get(outcome, NONE)
            tallies[outcome] = Tally(
                before.requests + tally.requests,
                before.used_units + tally.used_units,
                before.reserved_units + tally.reserved_units,
            )
    return Record(tallies)


def lower_bps(hits_bps: int, sample: int) -> int:
    """The lower end of Wilson's interval, of 10,000, for hits that add up to `hits_bps` of 10,000 each. Raises ValueError."""
    whole = sample * WHOLE_BPS
    if not 0 <= hits_bps <= whole or not sample:
        raise ValueError(f"{hits_bps} of {whole}")
    # p + z²/2n - z·√(p(1-p)/n + z²/4n²), over 1 + z²/n: each term times 2n, in basis points of basis points; exact, for the root is rounded up.
    under = -(-4 * Z2_BPS * hits_bps * (whole - hits_bps) * WHOLE_BPS**2 // whole) + (Z2_BPS * WHOLE_BPS) ** 2
    root = isqrt(under - 1) + 1
    return max(0, ((2 * hits_bps + Z2_BPS) * WHOLE_BPS - root) // (2 * (whole + Z2_BPS)))
