"""How many commands a second the pure core does on one core: `python -m benchmarks.core [seconds]`.

Commands are made beforehand, from a seed, and only `Book.apply` is timed. The median of several runs is
reported, because a machine is seldom ours alone. Cycles are looked for as seldom as in a matching process.
"""

import gc
import random
import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter

from exchange.domain.book import Book
from exchange.domain.command import Cancel, Command, Phase, Place, TimeInForce
from rights.kernel.memory import MATCHING, settle

SEED = 20240229
COMMANDS = 50_000
RUNS_AT_LEAST = 5
MID_TICKS = 10_000
PARTICIPANTS = 50


def _place(chance: random.Random, number: int, side: int, price_ticks: int, tif: int = 0) -> Place:
    participant = chance.randrange(1, PARTICIPANTS)
    return Place(
        order_id=f"o_{number}",
        account=participant,
        participant=participant,
        side=side,
        type=0,
        price_ticks=price_ticks,
        quantity_lots=chance.randrange(1, 20),
        tif=tif,
    )


def rest_flow(chance: random.Random) -> list[Command]:
    """Make orders over 200 levels a side, none of which meets another."""
    flow: list[Command] = []
    for number in range(COMMANDS):
        side = chance.randrange(2)
        away = chance.randrange(1, 200)
        flow.append(_place(chance, number, side, MID_TICKS + (away if side else -away)))
    return flow


def cross_flow(chance: random.Random) -> list[Command]:
    """Make limit orders around one price, a tenth of them `ioc`: most trade, some with many makers."""
    flow: list[Command] = []
    for number in range(COMMANDS):
        side = chance.randrange(2)
        price_ticks = MID_TICKS + round(chance.gauss(2 if side else -2, 6))
        tif = TimeInForce.IOC if chance.random() < 0.1 else TimeInForce.GTG
        flow.append(_place(chance, number, side, price_ticks, int(tif)))
    return flow


def cancel_flow(chance: random.Random) -> list[Command]:
    """Make a market maker's day: nearly every order is cancelled, few trade."""
    flow: list[Command] = []
    live: list[str] = []
    for number in range(COMMANDS):
        if len(live) > 500 or (live and chance.random() < 0.45):
            flow.append(Cancel(live.pop(chance.randrange(len(live)))))
            continue
        side = chance.randrange(2)
        away = chance.randrange(-1, 40)
        order = _place(chance, number, side, MID_TICKS + (away if side else -away))
        live.append(order.order_id)
        flow.append(order)
    return flow


FLOWS: dict[str, Callable[[random.Random], list[Command]]] = {
    "rest": rest_flow,
    "cross": cross_flow,
    "cancel": cancel_flow,
}


def measure(seconds: float = 6.0) -> dict[str, float]:
    """Return the median commands per second of each flow, spending about `seconds` in all."""
    before = gc.get_threshold()
    settle(MATCHING)
    try:
        return {name: _median_rate(make(random.Random(SEED)), seconds / len(FLOWS)) for name, make in FLOWS.items()}
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


def _median_rate(flow: list[Command], seconds: float) -> float:
    rates: list[float] = []
    until = perf_counter() + seconds
    while len(rates) < RUNS_AT_LEAST or perf_counter() < until:
        apply = Book(phase=Phase.CONTINUOUS).apply
        gc.collect()  # a whole book thrown away at once is the last run's doing, not this one's
        started = perf_counter()
        for command in flow:
            apply(command, 1)
        rates.append(len(flow) / (perf_counter() - started))
    return median(rates)


if __name__ == "__main__":
    for flow_name, rate in measure(float(sys.argv[1]) if len(sys.argv) > 1 else 6.0).items():
        sys.stdout.write(f"{flow_name:8}{rate:12,.0f} commands/s\n")
