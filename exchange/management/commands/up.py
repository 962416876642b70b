"""`manage.py up`: the whole exchange as one process tree."""

import os
import sys
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import get_commands
from django.core.management.base import BaseCommand, CommandError

from exchange.embedded.account import EmbeddedError
from exchange.supervision.listening import ListeningError
from exchange.supervision.run import Plan, run
from exchange.supervision.tree import Shape

_LAST_PORT = 65535


def _lanes(text: str) -> tuple[int, ...]:
    """`0-7` or `3`: the lanes worked on this machine."""
    first, _, last = text.partition("-")
    try:
        lanes = tuple(range(int(first), int(last or first) + 1))
    except ValueError:
        lanes = ()
    if not lanes or lanes[-1] >= settings.LANES:
        raise ArgumentTypeError(f"expected lanes such as 0-{settings.LANES - 1}")
    return lanes


def _port(text: str) -> int:
    """`8000`; the resolver would take a number beyond the last port modulo 65536."""
    try:
        port = int(text)
    except ValueError:
        port = -1
    if not 0 <= port <= _LAST_PORT:
        raise ArgumentTypeError(f"expected a port from 0 to {_LAST_PORT}")
    return port


class Command(BaseCommand):
    help = "Run everything: embedded PostgreSQL and Valkey (unless DATABASE_URL, REDIS_URL), web, matchers, sweeper, scheduler."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        half = max(1, (os.cpu_count() or 2) // 2)
        parser.add_argument("--port", type=_port, default=8000, help="0: any free one, named in the ready line")
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--data", type=Path, default=settings.DATA_DIR, help="where data and logs are kept (default %(default)s)")
        parser.add_argument("--demo", action="store_true", help="seed participants, rights and instruments, and let bots trade")
        parser.add_argument("--matchers", type=int, default=min(half, settings.LANES), help="matching processes (default %(default)s)")
        parser.add_argument("--webs", type=int, default=min(half, 4), help="web processes (default %(default)s)")
        parser.add_argument("--lanes", type=_lanes, default=tuple(range(settings.LANES)), help="of several machines, the lanes of this one")

    def handle(self, **options: Any) -> None:
        plan = Plan(
            data_dir=options["data"].resolve(),
            host=options["host"],
            port=options["port"],
            shape=Shape(webs=options["webs"], matchers=options["matchers"], lanes=options["lanes"]),
            demo=options["demo"],
            database_url=os.environ.get("DATABASE_URL", ""),
            redis_url=os.environ.get("REDIS_URL", ""),
            commands=frozenset(get_commands()),
        )
        try:
            code = run(plan)
        except (EmbeddedError, ListeningError) as problem:
            raise CommandError(str(problem)) from problem
        sys.exit(code)
