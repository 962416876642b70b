"""`manage.py bench`: the performance figures on this machine, with the ceilings of the same run.

Starts a throw-away process tree of its own (embedded servers, web, one matcher) unless `--attach` names a running one.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

PATIENCE_S = 120.0


class Command(BaseCommand):
    help = "Measure intake → durable → matched → delivered → published, at three mixes and through three doors."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seconds", type=float, default=10.0, help="length of each run")
        parser.add_argument("--profile", default="all", choices=["all", "cross", "rest", "cancel"], help="the mix")
        parser.add_argument("--door", default="all", choices=["all", "batch", "single", "pace", "socket"])
        parser.add_argument("--json", action="store_true")
        parser.add_argument("--registry", action="store_true", help="how quickly pages of a large registry answer, instead")
        parser.add_argument("--rights", type=int, default=1_000_000, help="of the registry")
        parser.add_argument("--events", type=int, default=5_000_000, help="of the registry")
        parser.add_argument("--fills", type=int, default=10_000, help="in which a right of the registry is sold")
        parser.add_argument("--times", type=int, default=200, help="how often each page of the registry is asked for")
        parser.add_argument("--keep", type=Path, metavar="DIR", help="where the registry stays; one that is there already is asked again")
        parser.add_argument("--use", action="store_true", help="what using rights costs: requests, gateway, streams, nodes, instead")
        parser.add_argument("--part", default="all", choices=["all", "requests", "gateway", "slow", "streams", "nodes"], help="of --use")
        parser.add_argument("--nodes", type=int, default=8, help="of --use: how many are at work")
        parser.add_argument(
            "--rate", type=float, action="append", default=[], help="of --use: jobs a second for nodes; may be given several times"
        )
        parser.add_argument("--streams", type=int, default=200, help="of --use: how many at once")
        parser.add_argument("--attach", type=int, default=0, metavar="PORT", help="a running exchange on this machine, data in DATA_DIR")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["registry"] and options["attach"]:
            self._measure_registry(options)
        elif options["registry"]:
            self._in_servers_of_its_own(options)
        elif options["use"] and options["attach"]:
            self._measure_use(options)
        elif options["attach"]:
            self._measure(options)
        else:
            self._in_a_tree_of_its_own(options)

    def _measure(self, options: dict[str, Any]) -> None:
        from exchange.bench.report import DOORS, MIXES, run_bench, text  # noqa: PLC0415 - needs the tree's database

        figures = run_bench(
            host="127.0.0.1",
            port=options["attach"],
            data_dir=Path(settings.DATA_DIR),
            seconds=options["seconds"],
            mixes=list(MIXES) if options["profile"] == "all" else [options["profile"]],
            doors=list(DOORS) if options["door"] == "all" else [options["door"]],
        )
        self.stdout.write(json.dumps(figures) if options["json"] else text(figures))

    def _measure_use(self, options: dict[str, Any]) -> None:
        from benchmarks.use import PARTS, run, text  # noqa: PLC0415 - needs the tree's database

        figures = run(
            host="127.0.0.1",
            port=options["attach"],
            data_dir=Path(settings.DATA_DIR),
            seconds=options["seconds"],
            parts=list(PARTS) if options["part"] == "all" else [options["part"]],
            nodes=options["nodes"],
            streams=options["streams"],
            rates=options["rate"],
        )
        self.stdout.write(json.dumps(figures) if options["json"] else text(figures))
        if any(found["lost"] for found in figures["parts"].values()):
            raise CommandError("something was lost")

    def _measure_registry(self, options: dict[str, Any]) -> None:
        from benchmarks.registry import run  # noqa: PLC0415 - needs the servers' database

        figures = run(
            host="127.0.0.1",
            port=options["attach"],
            kept=Path(settings.DATA_DIR) / "registry.json",
            rights=options["rights"],
            events=options["events"],
            fills=options["fills"],
            times=options["times"],
            say=self.stderr.write if options["json"] else self.stdout.write,
        )
        if options["json"]:
            self.stdout.write(json.dumps(figures))
        if figures["whole_reads"]:
            raise CommandError(f"{len(figures['whole_reads'])} statements read a large table from end to end")

    def _in_servers_of_its_own(self, options: dict[str, Any]) -> None:
        from benchmarks.registry_servers import servers  # noqa: PLC0415

        with servers(options["keep"]) as (port, env):
            again = [sys.executable, "manage.py", "bench", "--registry", "--attach", str(port), *(["--json"] if options["json"] else [])]
            again += [word for name in ("rights", "events", "fills", "times") for word in (f"--{name}", str(options[name]))]
            if subprocess.run(again, cwd=settings.BASE_DIR, env=env, check=False).returncode:
                raise CommandError("the bench failed; see above")

    def _in_a_tree_of_its_own(self, options: dict[str, Any]) -> None:
        data = Path(tempfile.mkdtemp(prefix="synthference-bench-"))
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        manage = [sys.executable, "manage.py"]
        env = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "REDIS_URL")} | {"DATA_DIR": str(data)}
        log = (data / "bench-up.log").open("wb")
        up = [*manage, "up", "--port", str(port), "--data", str(data)]
        tree = subprocess.Popen(up, cwd=settings.BASE_DIR, env=env, stdout=log, stderr=subprocess.STDOUT)
        try:
            self._await_ready(tree, data / "bench-up.log")
            again = [*manage, "bench", "--attach", str(port), "--seconds", str(options["seconds"])]
            again += ["--profile", options["profile"], "--door", options["door"], *(["--json"] if options["json"] else [])]
            if options["use"]:
                again += ["--use", "--part", options["part"], "--nodes", str(options["nodes"]), "--streams", str(options["streams"])]
                again += [word for rate in options["rate"] for word in ("--rate", str(rate))]
            if subprocess.run(again, cwd=settings.BASE_DIR, env=env, check=False).returncode:
                raise CommandError("the bench failed; see above")
        finally:
            tree.send_signal(signal.SIGINT)
            tree.wait(60)
            log.close()
            shutil.rmtree(data, ignore_errors=True)

    def _await_ready(self, tree: "subprocess.Popen[bytes]", log: Path) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while b"ready http://" not in log.read_bytes():
            if tree.poll() is not None or time.monotonic() > deadline:
                raise CommandError("the exchange did not start:\n" + log.read_text(errors="replace")[-3000:])
            time.sleep(0.1)
