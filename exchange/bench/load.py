"""The loads: HTTP batches flat out, single orders flat out and at a fixed pace, the socket; and what they measured."""

import asyncio
import time
from collections.abc import Callable, Sequence

import msgspec
import orjson

from exchange.bench.flows import Flow
from exchange.bench.http import ORDERS, Connection
from exchange.bench.market import Market
from exchange.bench.subscriber import Subscriber

BATCH = 500


class Run(msgspec.Struct):
    """Operations answered and seconds it took; times in milliseconds from request to answer and to a subscriber.

    The subscriber reads the owner's `orders` channel, and for batches of many orders the public book.
    """

    orders: int
    seconds: float
    answer_ms: list[float]
    socket_ms: list[float]
    refused: int = 0

    @property
    def per_second(self) -> float:
        return self.orders / self.seconds if self.seconds else 0.0


def quantile(values: Sequence[float], share: float) -> float | None:
    """The value below which `share` of them lie, to a hundredth; None for none."""
    ranked = sorted(values)
    return round(ranked[min(len(ranked) - 1, int(len(ranked) * share))], 2) if ranked else None


async def batches(
    market: Market, host: str, port: int, *, mix: str, seconds: float, tag: str, on_start: Callable[[], None] = lambda: None
) -> Run:
    """Every trader posts batches of 500, one after the other, all at once; then waits until all of it is published."""
    subscriber = await Subscriber(market, host, port).open(private=False)
    run = Run(0, 0.0, [], [])
    answered: list[tuple[float, int]] = []  # when a batch was sent, and where the book stood after it
    prepared = []
    for i, trader in enumerate(market.traders):
        connection = await Connection(host, port, trader.token).open()
        flow = Flow(market, mix, i, f"{tag}{i}")
        bodies = [connection.encode(f"{ORDERS}/batch", orjson.dumps({"operations": flow.take(BATCH)})) for _ in range(int(seconds * 5) + 4)]
        prepared.append((connection, bodies))
    on_start()
    started = time.perf_counter()

    async def work(connection: Connection, bodies: list[bytes]) -> None:
        for body in bodies:
            if time.perf_counter() - started > seconds:
                return
            sent = time.perf_counter()
            reply = await connection.send(body)
            now = time.perf_counter()
            if reply.status != 200 or reply.book_seq is None:
                raise RuntimeError(f"a batch was answered {reply.status}: {reply.body[:300]!r}")
            run.answer_ms.append((now - sent) * 1000)
            answered.append((sent, reply.book_seq))
            run.orders += BATCH
            run.refused += reply.body.count(b'"status":4')

    await asyncio.gather(*(work(c, b) for c, b in prepared))
    await subscriber.reach(market)
    run.seconds = time.perf_counter() - started
    run.socket_ms = [subscriber.since(sent, book_seq) for sent, book_seq in answered]
    for connection, _ in prepared:
        await connection.close()
    await subscriber.close()
    return run


async def singles(
    market: Market,
    host: str,
    port: int,
    *,
    mix: str,
    seconds: float,
    tag: str,
    callers: int = 48,
    rate: float | None = None,
    on_start: Callable[[], None] = lambda: None,
) -> Run:
    """Single orders: flat out by `callers` connections, or at `rate` a second. Times to the socket by client_order_id."""
    subscriber = await Subscriber(market, host, port).open()
    run = Run(0, 0.0, [], [])
    lines = []
    for i in range(callers):
        trader = market.traders[i % len(market.traders)]
        lines.append((await Connection(host, port, trader.token).open(), Flow(market, mix, 1000 + i, f"{tag}{i}")))
    on_start()
    started = time.perf_counter()
    pause = callers / rate if rate else 0.0

    async def work(position: int, connection: Connection, flow: Flow) -> None:
        due = started + (position / callers) * pause
        while time.perf_counter() - started < seconds:
            if rate:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                due += pause
            op, fields = flow.one()
            cid = fields["client_order_id"]
            if op == "place":
                request = connection.encode(ORDERS, orjson.dumps(fields))
            else:
                request = connection.bare("DELETE", f"{ORDERS}/by-client-id/{cid}")
            sent = time.perf_counter()
            subscriber.sent[cid] = sent
            reply = await connection.send(request)
            run.answer_ms.append((time.perf_counter() - sent) * 1000)
            if reply.status not in (200, 201, 422):
                raise RuntimeError(f"a {op} was answered {reply.status}: {reply.body[:300]!r}")
            run.orders += 1
            run.refused += reply.status == 422

    await asyncio.gather(*(work(i, c, f) for i, (c, f) in enumerate(lines)))
    run.seconds = time.perf_counter() - started
    await subscriber.reach(market)
    run.socket_ms = subscriber.latencies_ms
    for connection, _ in lines:
        await connection.close()
    await subscriber.close()
    return run


async def socket_orders(
    market: Market,
    host: str,
    port: int,
    *,
    mix: str,
    seconds: float,
    tag: str,
    depth: int = 16,
    on_start: Callable[[], None] = lambda: None,
) -> Run:
    """Orders and cancels on one socket per trader, `depth` of them under way at a time."""
    run = Run(0, 0.0, [], [])
    sockets = [await Subscriber(market, host, port).open(trader=t) for t in market.traders]
    on_start()
    started = time.perf_counter()

    async def work(position: int, socket: Subscriber) -> None:
        flow = Flow(market, mix, 2000 + position, f"{tag}{position}")

        async def line() -> None:
            while time.perf_counter() - started < seconds:
                op, fields = flow.one()
                sent = time.perf_counter()
                socket.sent[fields["client_order_id"]] = sent
                answer = await socket.call(op, fields)
                run.answer_ms.append((time.perf_counter() - sent) * 1000)
                run.orders += 1
                run.refused += not answer.get("ok")

        await asyncio.gather(*(line() for _ in range(depth)))

    await asyncio.gather(*(work(i, s) for i, s in enumerate(sockets)))
    run.seconds = time.perf_counter() - started
    run.socket_ms = [ms for socket in sockets for ms in socket.latencies_ms]
    for socket in sockets:
        await socket.close()
    return run


def summary(run: Run) -> dict[str, float | int | None]:
    """The figures of one run; None for what it did not measure."""
    return {
        "orders": run.orders,
        "refused": run.refused,
        "seconds": round(run.seconds, 2),
        "orders_per_s": round(run.per_second, 1),
        "answer_p50_ms": quantile(run.answer_ms, 0.5),
        "answer_p99_ms": quantile(run.answer_ms, 0.99),
        "socket_p50_ms": quantile(run.socket_ms, 0.5),
        "socket_p99_ms": quantile(run.socket_ms, 0.99),
    }
