"""Which parts the exchange consists of, and their command lines."""

import sys
from dataclasses import dataclass
from pathlib import Path

from exchange.embedded.process import ServerProcess
from exchange.supervision.part import Part, Stage

# As root Celery warns of pickled messages; ours are JSON, and root is where containers start. The other warning comes with every
# lost connection, about tasks that run on: ours commit or do not, whatever the connection does.
_CELERY = (
    sys.executable,
    "-W",
    "ignore:You're running the worker",
    "-W",
    "ignore::PendingDeprecationWarning",
    "-m",
    "celery",
    "--quiet",
    "-A",
    "exchange.celery",
)
TASKS = "tasks"
EXECUTOR = "executor"
ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True, slots=True)
class Shape:
    """How many of each, and which lanes of the book are worked here."""

    webs: int
    matchers: int
    lanes: tuple[int, ...]


def manage(*words: str) -> tuple[str, ...]:
    return (sys.executable, str(ROOT / "manage.py"), *words)


def celery_worker(name: str, queues: tuple[str, ...]) -> tuple[str, ...]:
    """A worker that matches does so in the very process that hears the bell: handing each ring to a child cost a lonely order two
    switches of process. What a child's time limit was for, the watchdog does (a ring not taken) and the database's own limits.
    One that executes hands each request to its own event loop (exchange/services/executor.py), so it takes every ring at once too.
    """
    in_process = name == EXECUTOR or any(queue.startswith("match.") for queue in queues)
    return (
        *_CELERY, "worker", "--pool", "solo" if in_process else "prefork",
        "--hostname", f"{name}@%h", "--queues", ",".join(queues), "--concurrency", "1", "--loglevel", "WARNING",
        # Chatter between workers, none of which the bell needs.
        "--without-mingle", "--without-gossip", "--without-heartbeat",
    )  # fmt: skip


def worker_queues(shape: Shape) -> dict[str, tuple[str, ...]]:
    """Which Celery worker listens to which queues: matchers share out the lanes, everything else has a worker of its own."""
    lanes = [f"match.{lane:02d}" for lane in shape.lanes]
    shares = {f"matcher-{number}": tuple(lanes[number - 1 :: shape.matchers]) for number in range(1, shape.matchers + 1)}
    return {name: share for name, share in shares.items() if share} | {TASKS: ("sweep", "celery"), EXECUTOR: ("redeem",)}


def web_parts(shape: Shape, listener: int) -> list[Part]:
    argv = (sys.executable, "-m", "exchange.supervision.serve", str(listener))
    return [
        Part(name=f"web-{number}", stage=Stage.WEB, process=ServerProcess(argv), inherited=(listener,), stop_patience_s=6.0)
        for number in range(1, shape.webs + 1)
    ]


def worker_parts(shape: Shape, data_dir: Path) -> list[Part]:
    commands = {name: celery_worker(name, queues) for name, queues in worker_queues(shape).items()}
    commands["scheduler"] = (
        *_CELERY, "beat",
        "--schedule", str(data_dir / "beat-schedule"), "--pidfile", "", "--loglevel", "WARNING",
    )  # fmt: skip
    commands["sweeper"] = manage("sweep")
    return [Part(name=name, stage=Stage.WORKER, process=ServerProcess(argv)) for name, argv in commands.items()]


def supplier_part(listener: int) -> Part:
    """The demo's supplier. It outlives the web, which calls it."""
    argv = (sys.executable, "-m", "exchange.demo.supplier", str(listener))
    return Part(name="supplier", stage=Stage.WORKER, process=ServerProcess(argv), inherited=(listener,))


def bots_part(base_url: str) -> Part:
    return Part(name="bots", stage=Stage.BOT, process=ServerProcess(manage("demo_bots"), environment={"EXCHANGE_URL": base_url}))
