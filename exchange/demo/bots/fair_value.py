"""What the demo thinks a lot is worth: a wandering price that perishes with its window. The same for the same seed and moment."""

import hashlib

from exchange.demo.bots.market import Market

BPS = 10_000
# Octaves of noise: a new knot every so many seconds, up or down by so many bps.
_OCTAVES = ((900, 700), (120, 220), (20, 60))
PERISH_US = 45 * 60 * 1_000_000  # from here to the gate the price falls …
PERISH_BPS = 4_500  # … by so much in the end
_PER_HOUR_AHEAD_BPS = 60
_MOST_AHEAD_BPS = 900
_HOUR_US = 3_600_000_000


def _knot(seed: int, name: str, period: int, number: int, reach_bps: int) -> int:
    digest = hashlib.blake2b(f"{seed}:{name}:{period}:{number}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") % (2 * reach_bps + 1) - reach_bps


def wander_bps(*, seed: int, name: str, now_us: int) -> int:
    """How far the price has wandered, in bps: smooth between knots, deterministic in its arguments."""
    total = 0
    for period_s, reach_bps in _OCTAVES:
        period_us = period_s * 1_000_000
        number, into = divmod(now_us, period_us)
        a, b = (_knot(seed, name, period_s, number + n, reach_bps) for n in (0, 1))
        total += a + (b - a) * into // period_us
    return total


def perish_bps(*, gate_us: int, now_us: int) -> int:
    """The discount for capacity that nobody can trade for much longer: grows with the square of the urgency."""
    left = max(0, gate_us - now_us)
    if left >= PERISH_US:
        return 0
    gone = PERISH_US - left
    return PERISH_BPS * gone * gone // (PERISH_US * PERISH_US)


def fair_ticks(*, market: Market, seed: int, now_us: int) -> int:
    """Worth of one lot now, in ticks, inside the collar. Neighbouring windows of a class wander together, a little apart."""
    together = wander_bps(seed=seed, name=market.class_key, now_us=now_us)
    apart = wander_bps(seed=seed, name=market.symbol, now_us=now_us) // 4
    ahead = min(_MOST_AHEAD_BPS, max(0, market.start_us - now_us) * _PER_HOUR_AHEAD_BPS // _HOUR_US)
    worth = market.reference_ticks * (BPS + together + apart - ahead) // BPS
    return market.inside(worth * (BPS - perish_bps(gate_us=market.gate_us, now_us=now_us)) // BPS)
