"""The loads of rights in use: requests over REST until they are settled, calls of the gateway, streams, and nodes at work."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import orjson
import psycopg

from benchmarks.use_stage import Holder, Stage
from exchange.bench.http import Connection
from exchange.bench.load import quantile
from exchange.management.node.agent import Agent, Lease
from exchange.management.node.client import Done, NodeClient
from exchange.management.node.key_file import NodeKey

MOST_WAITING = 256  # requests that are not settled yet
LOOK_S = 0.1
PATIENCE_S = 120.0
REQUESTS, CHAT = "/api/v1/requests", "/v1/chat/completions"
# Those of the run: what came since it began, of its holders.
_SETTLED = """
SELECT count(*), count(*) FILTER (WHERE s.outcome = 'full') FROM settlement_request q JOIN settlement_settlement s ON s.request_id = q.id
WHERE q.account_id = ANY(%s) AND q.id > %s AND s.state = 'finalized'
"""
_TOOK = """
SELECT (extract(epoch from s.finalized_at - q.created_at) * 1000)::float FROM settlement_request q JOIN settlement_settlement s ON s.request_id = q.id
WHERE q.account_id = ANY(%s) AND q.id > %s AND s.state = 'finalized'
"""
_LAST = "SELECT coalesce(max(id::text), '00000000-0000-0000-0000-000000000000') FROM settlement_request"


class Run(msgspec.Struct):
    """What was done, in how many seconds; times in milliseconds, by what they are of."""

    done: int
    seconds: float
    times_ms: dict[str, list[float]]
    lost: int = 0

    @property
    def per_second(self) -> float:
        return self.done / self.seconds if self.seconds else 0.0

    def figures(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "done": self.done,
            "lost": self.lost,
            "seconds": round(self.seconds, 2),
            "per_s": round(self.per_second, 1),
        }
        for name, times in self.times_ms.items():
            found[name] = {"p50_ms": quantile(times, 0.5), "p99_ms": quantile(times, 0.99)}
        return found


class Book:
    """What the database says of a run's requests."""

    def __init__(self, url: str, holders: Sequence[Holder]) -> None:
        self._link = psycopg.connect(url, autocommit=True)
        self._accounts = [holder.account_id for holder in holders]
        self._first = ""

    def begin(self) -> None:
        """Count from here on."""
        self._first = self._one(_LAST)[0]

    def settled(self) -> tuple[int, int]:
        """(how many are settled, how many of them whole)."""
        settled, whole = self._one(_SETTLED, self._accounts, self._first)
        return settled, whole

    def took_ms(self) -> list[float]:
        """From the moment a request came in to that of its final settlement."""
        return [row[0] for row in self._link.execute(_TOOK, [self._accounts, self._first]).fetchall()]

    def close(self) -> None:
        self._link.close()

    def _one(self, sql: str, *params: Any) -> tuple[Any, ...]:
        return self._link.execute(sql, params).fetchone() or ()


def chat(events: int = 1, wait_ms: int = 0, *, is_stream: bool = False) -> bytes:
    """A call of so many events of so many milliseconds each."""
    body = {
        "model": "any",
        "user": f"{events}x{wait_ms}",
        "max_tokens": max(16, events),
        "messages": [{"role": "user", "content": "as you like"}],
    }
    return orjson.dumps(body | {"stream": True} if is_stream else body)


def envelope(holder: Holder, supplier: str) -> bytes:
    """A request whose payload is kept for whoever executes it."""
    return orjson.dumps(
        {
            "workload": "text.generation",
            "operation": "chat.completions",
            "units": "200",
            "rights": [{"right_id": f"rgt_{holder.right_id}"}],
            "constraints": {"providers": [supplier]},
            "delivery": "async",
            "route": "auto",
            "payload": chat().decode(),
        }
    )


async def requests(
    stage_holders: Sequence[Holder],
    supplier: str,
    book: Book,
    host: str,
    port: int,
    *,
    seconds: float,
    callers: int = 16,
    per_s: float = 0.0,
    on_start: Callable[[], None] = lambda: None,
) -> Run:
    """REST, at this rate or flat out (0), as long as not too many are unsettled; then until all of it is settled."""
    lines = []
    for number in range(callers):
        holder = stage_holders[number % len(stage_holders)]
        line = await Connection(host, port, holder.token).open()
        lines.append((line, line.encode(REQUESTS, envelope(holder, supplier))))
    book.begin()
    on_start()
    run, sent, settled, ending = Run(0, 0.0, {"answer": []}), 0, 0, asyncio.Event()
    started = time.perf_counter()

    async def post(number: int, line: Connection, raw: bytes) -> None:
        nonlocal sent
        turn = number
        while time.perf_counter() - started < seconds:
            if sent - settled >= MOST_WAITING:
                await asyncio.sleep(LOOK_S / 4)
                continue
            if per_s and (early_s := started + turn / per_s - time.perf_counter()) > 0:
                await asyncio.sleep(early_s)
            turn += callers
            sent += 1
            at = time.perf_counter()
            reply = await line.send(raw)
            run.times_ms["answer"].append((time.perf_counter() - at) * 1000)
            if reply.status != 201:
                raise RuntimeError(f"a request was answered {reply.status}: {reply.body[:500]!r}")

    async def look() -> None:
        nonlocal settled
        while not ending.is_set() or settled < sent:
            settled, _ = await asyncio.to_thread(book.settled)
            if time.perf_counter() - started > seconds + PATIENCE_S:
                return
            await asyncio.sleep(LOOK_S)

    looking = asyncio.create_task(look())
    await asyncio.gather(*(post(number, *line) for number, line in enumerate(lines)))
    ending.set()
    await looking
    run.seconds = time.perf_counter() - started
    run.done, whole = book.settled()
    run.lost = sent - whole
    run.times_ms["settled"] = book.took_ms()
    for line, _ in lines:
        await line.close()
    return run


async def calls(
    holders: Sequence[Holder],
    host: str,
    port: int,
    *,
    seconds: float,
    callers: int,
    wait_ms: int,
    on_start: Callable[[], None] = lambda: None,
) -> Run:
    """Whole answers of the gateway, or of whoever is there. `over`: the time beside what the supplier says it took itself."""
    lines = [await Connection(host, port, holders[number % len(holders)].token).open() for number in range(callers)]
    raw = lines[0].encode(CHAT, chat(1, wait_ms))
    run = Run(0, 0.0, {"whole": [], "over": []})
    on_start()
    started = time.perf_counter()

    async def call(number: int, line: Connection) -> None:
        own = line.encode(CHAT, chat(1, wait_ms)) if number else raw
        while time.perf_counter() - started < seconds:
            at = time.perf_counter()
            reply = await line.send(own)
            took = (time.perf_counter() - at) * 1000
            if reply.status != 200:
                raise RuntimeError(f"a call was answered {reply.status}: {reply.body[:500]!r}")
            run.done += 1
            run.times_ms["whole"].append(took)
            run.times_ms["over"].append(took - _took_ms(orjson.loads(reply.body)))

    await asyncio.gather(*(call(number, line) for number, line in enumerate(lines)))
    run.seconds = time.perf_counter() - started
    for line in lines:
        await line.close()
    return run


def _took_ms(answer: dict[str, Any]) -> float:
    return int(answer["id"].removeprefix("took-")) / 1000


async def streams(
    holders: Sequence[Holder],
    host: str,
    port: int,
    *,
    count: int,
    events: int,
    wait_ms: int,
    on_start: Callable[[], None] = lambda: None,
) -> Run:
    """So many streams at once. `first`: until the first event, `whole`: to the end, `over`: beside the supplier's own time."""
    lines = [await Connection(host, port, holders[number % len(holders)].token).open() for number in range(count)]
    run = Run(0, 0.0, {"first": [], "whole": [], "over": []})
    on_start()
    started = time.perf_counter()

    async def follow(line: Connection) -> None:
        at = time.perf_counter()
        first, told = await line.follow(line.encode(CHAT, chat(events, wait_ms, is_stream=True)))
        took = (time.perf_counter() - at) * 1000
        found = [orjson.loads(event[6:]) for event in told.split(b"\n\n") if event.startswith(b"data: {")]
        is_whole = told.endswith(b"data: [DONE]\n\n") and b": receipt rcp_" in told and sum(bool(e.get("choices")) for e in found) == events
        if not is_whole:
            run.lost += 1
            return
        run.done += 1
        run.times_ms["first"].append((first - at) * 1000)
        run.times_ms["whole"].append(took)
        run.times_ms["over"].append(took - _took_ms(found[-1]))

    await asyncio.gather(*(follow(line) for line in lines))
    run.seconds = time.perf_counter() - started
    for line in lines:
        await line.close()
    return run


class _Timed(NodeClient):
    """Notes how long a job took from its lease to its verdict, when its receipt is there, without the work itself."""

    def __init__(self, url: str, key: NodeKey, run: Run) -> None:
        super().__init__(url, key)
        self._run = run
        self.leased: dict[str, float] = {}
        self.worked: dict[str, float] = {}

    async def lease(self, most: int, workloads: Sequence[str] = (), *, wait_s: int = 0) -> list[Lease]:
        found = await super().lease(most, workloads, wait_s=wait_s)
        at = time.perf_counter()
        self.leased |= {lease["job_id"]: at for lease in found}
        return found

    async def complete(self, results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        verdicts = await super().complete(results)
        at = time.perf_counter()
        for row in verdicts:
            took = at - self.leased.pop(row["job_id"]) - self.worked.pop(row["job_id"])
            self._run.times_ms["over"].append(took * 1000)
            self._run.lost += row["verdict"] != "accepted"
        return verdicts


async def nodes(
    stage: Stage,
    book: Book,
    host: str,
    port: int,
    *,
    seconds: float,
    work_ms: int,
    per_s: float = 0.0,
    on_start: Callable[[], None] = lambda: None,
) -> Run:
    """Requests over REST, at this rate or flat out (0), that the stage's nodes do, each one job at a time. `over`: from a job's lease to its receipt beside the work."""
    run = Run(0, 0.0, {"over": []})
    agents = []
    for key in stage.nodes:
        client = _Timed(f"http://{host}:{port}", key, run)
        agents.append((client, Agent(client, _work(client, work_ms))))
    working = [asyncio.create_task(agent.run()) for _, agent in agents]
    asked = await requests(
        stage.node_holders, stage.node_supplier, book, host, port, seconds=seconds, callers=4, per_s=per_s, on_start=on_start
    )
    for _, agent in agents:
        agent.stop()
    await asyncio.gather(*working)
    for client, _ in agents:
        await client.close()
    run.done, run.seconds, run.lost = asked.done, asked.seconds, run.lost + asked.lost
    run.times_ms["settled"] = asked.times_ms["settled"]
    return run


def _work(client: _Timed, work_ms: int) -> Callable[[Lease], Any]:
    async def work(lease: Lease) -> Done:
        at = time.perf_counter()
        await asyncio.sleep(work_ms / 1000)
        client.worked[lease["job_id"]] = time.perf_counter() - at
        return Done("four words of it", 4)

    return work
