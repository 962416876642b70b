"""`node --key FILE --url URL --run COMMAND`: do a supplier's work on this machine (docs/nodes.md)."""

import asyncio
import json
import logging
import os
import shlex
import signal
from pathlib import Path
from typing import Any

import httpx
from django.core.management.base import BaseCommand, CommandError, CommandParser

from exchange.management.node.agent import Agent
from exchange.management.node.client import NodeClient, Refused
from exchange.management.node.command import CommandWork
from exchange.management.node.key_file import NodeKey, node_key


class Command(BaseCommand):
    help = "Lease a supplier's jobs, run a command for each, hand in signed results. Needs no database."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--key", required=True, type=Path, help="the node's key file; made on first use")
        parser.add_argument("--url", default=os.environ.get("EXCHANGE_URL", "http://127.0.0.1:8000"))
        parser.add_argument("--run", help="the command; without one only the public key is shown")
        parser.add_argument("--jobs", type=int, default=1, help="how many at a time (default %(default)s)")
        parser.add_argument("--workload", action="append", default=[], help="only jobs of this workload; may be given several times")
        parser.add_argument("--node", help="the id that the exchange gave it, nod_…; kept in the key file")
        parser.add_argument(
            "--supplier", help="register it with this supplier (sup_…) first, by the key with the scope supply in EXCHANGE_TOKEN"
        )
        parser.add_argument("--name", default=os.uname().nodename[:80], help="what the supplier calls it")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            key = node_key(options["key"])
        except (OSError, ValueError) as error:
            raise CommandError(str(error)) from None
        if options["node"]:
            key.node_id = options["node"]
            key.keep(options["key"])
        elif options["supplier"] and not key.node_id:
            key.node_id = _register(options["url"], options["supplier"], options["name"], key)
            key.keep(options["key"])
        self.stdout.write(json.dumps({"node": key.node_id or None, "public_key": key.public_key}))
        self.stdout.flush()
        if not options["run"]:
            return
        if not key.node_id:
            raise CommandError("the node is not registered: see --supplier, or register its public key and give --node")
        if not 1 <= options["jobs"] <= 1000:
            raise CommandError("--jobs is 1 to 1000")
        logging.basicConfig(format="%(levelname)s %(message)s")
        try:
            asyncio.run(_work(options["url"], key, shlex.split(options["run"]), options["jobs"], tuple(options["workload"])))
        except Refused as refused:
            raise CommandError(str(refused)) from None


async def _work(url: str, key: NodeKey, argv: list[str], jobs: int, workloads: tuple[str, ...]) -> None:
    client = NodeClient(url, key)
    agent = Agent(client, CommandWork(argv), parallel=jobs, workloads=workloads)
    loop = asyncio.get_running_loop()
    for order in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(order, agent.stop)
    try:
        await agent.run()
    finally:
        await client.close()


def _register(url: str, supplier: str, name: str, key: NodeKey) -> str:
    token = os.environ.get("EXCHANGE_TOKEN", "")
    try:
        answer = httpx.post(
            f"{url.rstrip('/')}/api/v1/suppliers/{supplier}/nodes",
            json={"name": name, "public_key": key.public_key},
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        )
        told = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise CommandError(f"the exchange does not answer: {error}") from None
    if answer.status_code != 201:
        raise CommandError(f"{answer.status_code} {told.get('code')}: {told.get('detail')}")
    return str(told["id"])
