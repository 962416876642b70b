"""The bench from beginning to end, and its report for people."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from exchange.bench import load
from exchange.bench.ceilings import pure_core, raw_commits
from exchange.bench.flows import MIXES
from exchange.bench.market import Market, make_market
from exchange.bench.processes import cpu_by_part, per_order_us

DOORS = ("batch", "single", "pace", "socket")
PACE_SHARE = 0.1
TARGET_SINGLE = 1200


def run_bench(*, host: str, port: int, data_dir: Path, seconds: float, mixes: list[str], doors: list[str]) -> dict[str, Any]:
    """All figures; a fresh market for every run, so that no run pays for another's rows."""
    figures: dict[str, Any] = {"runs": {}}
    for mix in mixes:
        for door in doors:
            name = f"{door}/{mix}"
            market = make_market(traders=8)
            before: dict[str, float] = {}
            run = asyncio.run(_one(door, market, host, port, mix, seconds, lambda: before.update(cpu_by_part(data_dir))))  # noqa: B023 - run at once
            spent = per_order_us(before, cpu_by_part(data_dir), run.orders)
            figures["runs"][name] = {**load.summary(run), "cpu_us_per_order": spent}
            if name == "batch/cross":
                ceiling = raw_commits(market)
                figures["ceiling_raw_batch_commits"] = ceiling
                figures["share_of_raw_ceiling"] = round(run.per_second / ceiling["orders_per_s"], 3)
    figures["ceiling_pure_core"] = pure_core(min(seconds, 3.0))
    return figures


async def _one(door: str, market: Market, host: str, port: int, mix: str, seconds: float, on_start: Callable[[], None]) -> load.Run:
    """One run after a second of warming up, or less before a shorter run; `on_start` is called as the clock starts."""
    warm = min(1.0, seconds)
    if door == "batch":
        await load.batches(market, host, port, mix=mix, seconds=warm, tag="warm-")
        return await load.batches(market, host, port, mix=mix, seconds=seconds, tag="b-", on_start=on_start)
    if door == "single":
        await load.singles(market, host, port, mix=mix, seconds=warm, tag="warm-")
        return await load.singles(market, host, port, mix=mix, seconds=seconds, tag="s-", on_start=on_start)
    if door == "pace":
        rate = TARGET_SINGLE * PACE_SHARE
        await load.singles(market, host, port, mix=mix, seconds=warm, tag="warm-", callers=16, rate=rate)
        return await load.singles(market, host, port, mix=mix, seconds=seconds, tag="p-", callers=16, rate=rate, on_start=on_start)
    return await load.socket_orders(market, host, port, mix=mix, seconds=seconds, tag="w-", on_start=on_start)


def text(figures: dict[str, Any]) -> str:
    """The report as a table."""
    lines = [f"{'run':<16}{'orders/s':>10}{'answer p50':>12}{'p99 ms':>9}{'socket p50':>12}{'p99 ms':>9}{'refused':>9}"]
    for name, run in figures["runs"].items():
        lines.append(
            f"{name:<16}{run['orders_per_s']:>10.0f}{_ms(run['answer_p50_ms']):>12}{_ms(run['answer_p99_ms']):>9}"
            f"{_ms(run['socket_p50_ms']):>12}{_ms(run['socket_p99_ms']):>9}{run['refused']:>9}"
        )
        lines.append("    CPU µs/order: " + ", ".join(f"{part} {us}" for part, us in run["cpu_us_per_order"].items()))
    if "ceiling_raw_batch_commits" in figures:
        ceiling = figures["ceiling_raw_batch_commits"]
        lines.append(
            f"ceiling, the same rows by COPY, one commit per batch of {ceiling['orders_per_batch']}: {ceiling['orders_per_s']:.0f} orders/s; "
            f"the exchange reached {figures['share_of_raw_ceiling']:.2f} of it"
        )
    lines.append("ceiling, the pure core alone: " + ", ".join(f"{k} {v:,.0f}/s" for k, v in figures["ceiling_pure_core"].items()))
    return "\n".join(lines)


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


__all__ = ["DOORS", "MIXES", "run_bench", "text"]
