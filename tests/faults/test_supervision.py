"""The process tree under the worst that can befall it, short of the disk: every part killed, the supervisor too."""

import json
import os
import pwd
import shutil
import signal
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from celery import Celery

from exchange.embedded.account import can_enter, can_run
from exchange.embedded.process import Account
from tests.plugins.live import ROOT, LiveExchange, wait_until

PARTS = ("postgres", "valkey", "matcher-1", "tasks", "executor", "scheduler", "web-1")


def answers(url: str) -> int:
    """The status code; raises when nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code


def is_gone(pid: int) -> bool:
    """Whether a process has ended; a zombie has."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def query(exchange: LiveExchange, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(exchange.env["DATABASE_URL"]) as link:
        cursor = link.execute(statement)  # type: ignore[arg-type]
        return cursor.fetchall() if cursor.description else []


def can_query(exchange: LiveExchange) -> bool:
    try:
        return query(exchange, "SELECT 1") == [(1,)]
    except psycopg.OperationalError:
        return False


@pytest.fixture(scope="module")
def exchange(start_exchange: Callable[..., LiveExchange]) -> Iterator[LiveExchange]:
    exchange = start_exchange("--matchers", "2", "--webs", "2")
    yield exchange
    exchange.close()


@pytest.mark.parametrize("part", PARTS)
def test_a_killed_part_comes_back(exchange: LiveExchange, part: str) -> None:
    before = exchange.parts()
    started = time.monotonic()
    exchange.kill(part)
    exchange.wait_for_return(part, before[part], patience_s=5)
    if part == "postgres":
        wait_until(lambda: can_query(exchange), 10, "a query answered")
    if part == "valkey":
        with redis.Redis.from_url(exchange.env["REDIS_URL"], retry=None) as client:
            wait_until(lambda: _pings(client), 5, "Valkey to answer")
    assert answers(exchange.base_url) < 600
    assert time.monotonic() - started < 30
    after = exchange.parts()
    assert {name for name in before if before[name] != after.get(name)} == {part}, "the other parts go on"


def _pings(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def test_committed_rows_survive_the_database_being_killed(exchange: LiveExchange) -> None:
    query(exchange, "CREATE TABLE IF NOT EXISTS kept (number int)")
    for number in range(3):
        query(exchange, f"INSERT INTO kept VALUES ({number})")
        exchange.wait_for_return("postgres", exchange.kill("postgres"))
        wait_until(lambda: can_query(exchange), 15, "a query answered")
        assert query(exchange, "SELECT number FROM kept ORDER BY number")[-1] == (number,)
    query(exchange, "DROP TABLE kept")


def test_no_connection_is_refused_while_the_web_restarts(exchange: LiveExchange) -> None:
    refused: list[BaseException] = []
    done = threading.Event()

    def knock() -> None:
        while not done.is_set():
            try:
                answers(exchange.base_url)
            except ConnectionRefusedError as problem:
                refused.append(problem)
            except urllib.error.URLError as problem:
                if isinstance(problem.reason, ConnectionRefusedError):
                    refused.append(problem)
            except OSError:
                pass  # cut off in mid-answer: the process it spoke to was killed

    knocker = threading.Thread(target=knock)
    knocker.start()
    try:
        for name in ("web-1", "web-2"):
            exchange.wait_for_return(name, exchange.kill(name))
        assert answers(exchange.base_url) < 600
    finally:
        done.set()
        knocker.join()
    assert not refused


def test_what_a_killed_worker_leaves_behind_is_ended(exchange: LiveExchange) -> None:
    pid = exchange.parts()["tasks"]
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    assert children, "the worker for everything but matching has a pool process"
    exchange.wait_for_return("tasks", exchange.kill("tasks"))
    wait_until(lambda: all(map(is_gone, children)), 5, "the pool process to end")


def test_a_deaf_worker_is_ended_and_comes_back(exchange: LiveExchange) -> None:
    pid = exchange.parts()["matcher-1"]
    with redis.Redis.from_url(exchange.env["REDIS_URL"]) as client:
        os.kill(pid, signal.SIGSTOP)  # alive by every process table, and hears nothing
        with Celery(broker=exchange.env["REDIS_URL"], set_as_current=False) as app:
            for _ in range(2):  # the first may still reach the socket of the stopped process
                app.send_task("exchange.tasks.match_book", args=[-1], queue="match.00", ignore_result=True)
        assert client.llen("match.00") >= 1
        exchange.wait_for_return("matcher-1", pid, patience_s=30)
        wait_until(lambda: client.llen("match.00") == 0, 15, "the ring to be taken")


def test_matchers_share_out_all_lanes(exchange: LiveExchange) -> None:
    words = [Path(f"/proc/{exchange.parts()[name]}/cmdline").read_text().split("\0") for name in ("matcher-1", "matcher-2")]
    lanes = [line[line.index("--queues") + 1].split(",") for line in words]
    assert sorted(lanes[0] + lanes[1]) == [f"match.{lane:02d}" for lane in range(16)]
    assert len(lanes[0]) == len(lanes[1])


def test_a_second_tree_on_the_same_data_is_refused(exchange: LiveExchange) -> None:
    done = exchange.manage("up", "--data", str(exchange.data_dir), "--port", "0", check=False)
    assert done.returncode != 0
    assert "another `manage.py up` runs on" in done.stderr


def test_a_port_that_is_taken_is_named_with_a_way_out(exchange: LiveExchange, tmp_path: Path) -> None:
    done = exchange.manage("up", "--data", str(tmp_path), "--port", str(exchange.port), check=False)
    assert done.returncode == 1
    assert f"port {exchange.port} of 127.0.0.1 is taken; waiting" in done.stdout
    assert f"port {exchange.port} of 127.0.0.1 is taken by another program" in done.stderr
    assert "make run PORT=" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("words", "said"), [(("--port", "65536"), "from 0 to 65535"), (("--host", "192.0.2.1"), "cannot listen on port")])
def test_where_nobody_can_listen_is_said_in_a_sentence(exchange: LiveExchange, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done = exchange.manage("up", "--data", str(tmp_path), *words, check=False)
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_other_terminals_find_the_servers(exchange: LiveExchange) -> None:
    assert "No migrations to apply" in exchange.manage("migrate").stdout


def test_two_machines_share_given_servers(exchange: LiveExchange) -> None:
    with psycopg.connect(exchange.env["DATABASE_URL"], autocommit=True) as link:
        link.execute("CREATE DATABASE shared")
    given = {
        "DATABASE_URL": exchange.env["DATABASE_URL"].replace("/synthference?", "/shared?"),
        "REDIS_URL": exchange.env["REDIS_URL"].removesuffix("/0") + "/1",
    }
    machines = [
        LiveExchange(Path(tempfile.mkdtemp(prefix="synthference-machine-")), "--lanes", lanes, "--matchers", "1", **given)
        for lanes in ("0-7", "8-15")
    ]
    try:
        for machine in machines:  # both find an empty database, and one migrates it
            machine.launch()
        for machine in machines:
            machine.wait_until_ready()
        said = "".join(machine.output for machine in machines)
        assert said.count("Applying contenttypes.0001_initial") == 1
        for machine in machines:
            assert not {"postgres", "valkey"} & set(machine.parts())
            assert answers(machine.base_url) < 600
    finally:
        for machine in machines:
            machine.close()


def test_the_supervisor_killed_and_started_again_on_the_same_data(start_exchange: Callable[..., LiveExchange]) -> None:
    exchange = start_exchange()
    query(exchange, "CREATE TABLE kept (number int)")
    for number in range(3):
        query(exchange, f"INSERT INTO kept VALUES ({number})")
        former, address = exchange.parts(), exchange.base_url
        exchange.kill("up")
        exchange.start()  # at once: what the former tree left is still ending
        assert exchange.base_url == address
        assert query(exchange, "SELECT count(*) FROM kept") == [(number + 1,)]
        wait_until(lambda former=former: all(map(is_gone, former.values())), 10, "the former tree to end")
    assert exchange.interrupt() == 0
    exchange.close()


def test_ctrl_c_stops_everything_in_order(start_exchange: Callable[..., LiveExchange]) -> None:
    exchange = start_exchange()
    pids = exchange.parts()
    assert exchange.interrupt(signal.SIGINT) == 0
    assert all(map(is_gone, pids.values()))
    assert "database system is shut down" in exchange.output, "PostgreSQL wrote everything down"
    said = exchange.output
    assert said.index("stopping web-1") < said.index("stopping matcher-1") < said.index("received fast shutdown request")
    assert list(exchange.parts()) == ["up"]
    exchange.close()


def test_a_second_ctrl_c_is_not_kept_waiting(start_exchange: Callable[..., LiveExchange]) -> None:
    exchange = start_exchange()
    pids = exchange.parts()
    os.kill(pids["matcher-1"], signal.SIGSTOP)  # deaf to polite requests
    exchange.kill("up", signal.SIGINT)
    wait_until(lambda: "stopping web-1" in exchange.output, 10, "the first Ctrl-C to be heard")
    assert exchange.interrupt(signal.SIGINT, patience_s=8) == 0
    assert all(map(is_gone, pids.values()))
    exchange.close()


def test_a_stale_pid_file_of_another_process_does_not_stop_the_database(start_exchange: Callable[..., LiveExchange]) -> None:
    # After a container restarts, the number in postmaster.pid often belongs to somebody else.
    exchange = start_exchange()
    assert exchange.interrupt() == 0
    pgdata = next(Path(word) for word in exchange.output.split() if word.endswith("/data"))
    (pgdata / "postmaster.pid").write_text(f"{os.getpid()}\n{pgdata}\n1\n5432\n/nowhere\n\n  1 1\nready   \n")
    exchange.start()
    assert can_query(exchange)
    exchange.close()


def test_as_an_ordinary_user() -> None:
    """The rest of this file runs as whoever runs the tests, so usually as root; this one never does."""
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    account = Account(user.pw_uid, user.pw_gid)
    # Our own interpreter may lie under /root: then the system's, of the same version, runs the same packages.
    environment = {} if account.is_own else {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path.endswith("site-packages"))}
    python = next((name for name in (sys.executable, *_other_pythons()) if can_run(account, Path(name))), None)
    assert python, f"no Python {sys.version_info.major}.{sys.version_info.minor} that an ordinary user may run"
    assert can_enter(account, ROOT), f"{ROOT} is closed to ordinary users"
    data_dir = Path(tempfile.mkdtemp(prefix="synthference-user-"))
    os.chown(data_dir, user.pw_uid, user.pw_gid)
    exchange = LiveExchange(data_dir, python=python, account=account, HOME=str(data_dir), **environment)
    try:
        exchange.start()
        for pid in exchange.parts().values():
            assert Path(f"/proc/{pid}").stat().st_uid == user.pw_uid != 0
        for part in ("postgres", "web-1"):
            exchange.wait_for_return(part, exchange.kill(part))
        wait_until(lambda: can_query(exchange), 15, "a query answered")
        exchange.kill("up")
        exchange.start()
        assert can_query(exchange)
    finally:
        exchange.close()


def _other_pythons() -> list[str]:
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return [path for path in (f"/usr/bin/{name}", f"/usr/local/bin/{name}", shutil.which(name)) if path]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what an ordinary user cannot enter")
def test_as_root_where_the_database_user_may_not_go() -> None:
    # The usual case in a container: everything under /root, which nobody else may enter.
    closed = Path(tempfile.mkdtemp(prefix="synthference-closed-"))
    data_dir = closed / "data"
    data_dir.mkdir()
    exchange = LiveExchange(data_dir)
    try:
        exchange.start()
        cluster = Path(json.loads((data_dir / "embedded.json").read_text())["cluster"])
        assert cluster.parent == Path("/var/lib/synthference")
        query(exchange, "CREATE TABLE kept (number int)")
        assert exchange.interrupt() == 0
        exchange.start()
        assert query(exchange, "SELECT count(*) FROM kept") == [(0,)]
    finally:
        exchange.close()
        shutil.rmtree(closed)
    assert not cluster.exists()
