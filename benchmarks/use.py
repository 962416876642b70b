"""What using rights costs on this machine: `python manage.py bench --use [--seconds N] [--part NAME] [--nodes N] [--rate N]`.

Requests over REST until they are settled, calls and streams of the gateway, nodes from lease to receipt; in the same run the ceilings. Besides
wall time it says what CPU each part of the exchange spent on one request, which the machine's other work changes little.
"""

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import use_load
from benchmarks.use_ceilings import raw_requests
from benchmarks.use_load import Book, Run
from benchmarks.use_stage import Stage, staged
from exchange.bench import processes
from exchange.embedded.alone import running
from exchange.embedded.process import ServerProcess

HOLDERS = 8
CALLERS = 10
SLOW_MS = 200  # a supplier that takes its time, so that calls wait for him and not for a core
STREAMS, EVENTS, EVENT_MS = 200, 20, 100
WORK_MS = 200
PARTS = ("requests", "gateway", "slow", "streams", "nodes")
Act = Callable[[float, Callable[[], None]], Coroutine[Any, Any, Run]]  # seconds, what to do as the clock starts


@contextmanager
def supplier() -> Iterator[tuple[int, int]]:
    """(port, process id) of a supplier that lives as long as what is inside."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        served = ServerProcess((sys.executable, "-m", "benchmarks.use_supplier", str(listener.fileno())))
        with running(served, os.environ, listener.fileno()) as pid:
            yield listener.getsockname()[1], pid


def run(
    *, host: str, port: int, data_dir: Path, seconds: float, parts: list[str], nodes: int, streams: int, rates: Sequence[float] = ()
) -> dict[str, Any]:
    """All figures. `rates`: so many jobs a second the nodes get, one run each; flat out unless given."""
    figures: dict[str, Any] = {"parts": {}}
    with (
        supplier() as (supplier_port, supplier_pid),
        staged(supplier_url=f"http://127.0.0.1:{supplier_port}/v1", holders=HOLDERS, nodes=nodes) as stage,
    ):
        book = Book(os.environ.get("DATABASE_URL") or _url(data_dir), [*stage.holders, *stage.node_holders])
        acts = _acts(stage, book, host, port, streams)
        acts |= {f"nodes-{per_s:g}": _nodes(stage, book, host, port, per_s) for per_s in rates}
        paced = [part for part in acts if part not in PARTS]
        for part in [name for asked in parts for name in (paced if paced and asked == "nodes" else [asked])]:
            figures["parts"][part] = _measured(acts[part], data_dir, supplier_pid, seconds)
            if part == "requests":
                figures["ceiling_rows"] = raw_requests()
        if "gateway" in parts:
            bare = asyncio.run(
                use_load.calls(stage.holders, "127.0.0.1", supplier_port, seconds=min(seconds, 3.0), callers=CALLERS, wait_ms=0)
            )
            figures["ceiling_supplier"] = bare.figures()
        book.close()
    return figures


def _acts(stage: Stage, book: Book, host: str, port: int, streams: int) -> dict[str, Act]:
    def requests(seconds: float, on_start: Callable[[], None]) -> Coroutine[Any, Any, Run]:
        return use_load.requests(stage.holders, stage.supplier, book, host, port, seconds=seconds, on_start=on_start)

    def calls(wait_ms: int) -> Act:
        return lambda seconds, on_start: use_load.calls(
            stage.holders, host, port, seconds=seconds, callers=CALLERS, wait_ms=wait_ms, on_start=on_start
        )

    def stream(_seconds: float, on_start: Callable[[], None]) -> Coroutine[Any, Any, Run]:
        return use_load.streams(stage.holders, host, port, count=streams, events=EVENTS, wait_ms=EVENT_MS, on_start=on_start)

    flat_out = _nodes(stage, book, host, port, 0.0)
    return {"requests": requests, "gateway": calls(0), "slow": calls(SLOW_MS), "streams": stream, "nodes": flat_out}


def _nodes(stage: Stage, book: Book, host: str, port: int, per_s: float) -> Act:
    return lambda seconds, on_start: use_load.nodes(
        stage, book, host, port, seconds=seconds, work_ms=WORK_MS, per_s=per_s, on_start=on_start
    )


def _measured(act: Act, data_dir: Path, supplier_pid: int, seconds: float) -> dict[str, Any]:
    """One part behind a short one that warms up, with what each process spent on a request of it."""
    before: dict[str, float] = {}

    def spent() -> dict[str, float]:
        return {**processes.cpu_by_part(data_dir), "supplier": processes.cpu_s(supplier_pid)}

    asyncio.run(act(min(1.0, seconds), lambda: None))
    done = asyncio.run(act(seconds, lambda: before.update(spent())))
    each_us = processes.per_order_us(before, spent(), done.done)
    ours = sum(us for name, us in each_us.items() if name not in {"supplier", "load generator"})
    return {**done.figures(), "cpu_us": each_us, "cpu_us_of_the_exchange": round(ours, 1)}


def _url(data_dir: Path) -> str:
    """The database of a running tree, as it has written it down."""
    lines = (data_dir / "run.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)["DATABASE_URL"]


def text(figures: dict[str, Any]) -> str:
    """The report for people."""
    lines = []
    for part, found in figures["parts"].items():
        times = "; ".join(
            f"{name} p50 {value['p50_ms']} p99 {value['p99_ms']} ms"
            for name, value in found.items()
            if isinstance(value, dict) and "p50_ms" in value
        )
        lines.append(f"{part:<10}{found['per_s']:>8.1f}/s, {found['done']} done, {found['lost']} lost; {times}")
        lines.append(
            f"    CPU µs each: the exchange {found['cpu_us_of_the_exchange']}; "
            + ", ".join(f"{name} {us}" for name, us in found["cpu_us"].items())
        )
    if "ceiling_rows" in figures:
        rows = figures["ceiling_rows"]
        lines.append(
            f"ceiling, the same rows by COPY on one connection: {rows['per_s_by_itself']}/s in commits of their own, "
            f"{rows['per_s_in_batches']}/s in batches of {rows['batch']}, a COPY per table each"
        )
    if "ceiling_supplier" in figures:
        bare = figures["ceiling_supplier"]
        lines.append(f"ceiling, the supplier without the gateway: {bare['per_s']}/s, p50 {bare['whole']['p50_ms']} ms")
    return "\n".join(lines)
