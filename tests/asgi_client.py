"""Applications that stand in front of Django, asked from a test that blocks: what they do in threads is done on the test's own connection."""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

from asgiref.sync import async_to_sync, sync_to_async

from exchange.api import base
from exchange.asgi import application
from exchange.services.rate_limit import limiter

_THREADS = ("exchange.api.node_entry.access", "exchange.api.node_entry.together", "settlement.services.gathered")
_CLOCKS = ("exchange.api.node_entry.together",)


class Answer:
    """What came back, as Django's test client shows it."""

    def __init__(self, messages: list[dict[str, Any]]) -> None:
        start, *bodies = messages
        self.status_code: int = start["status"]
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}
        self.content = b"".join(message.get("body", b"") for message in bodies)

    def __getitem__(self, name: str) -> str:
        return self.headers[name.lower()]

    def json(self) -> Any:
        return json.loads(self.content)


async def _in_the_test(act, **arguments):
    return await sync_to_async(act, thread_sensitive=True)(**arguments)


def _on_its_connection(act, thread_sensitive: bool):
    return sync_to_async(act, thread_sensitive=True)


async def _asked(scope: dict[str, Any], raw: bytes) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []
    arriving = [{"type": "http.request", "body": raw, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return arriving.pop() if arriving else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await application(scope, receive, send)
    await limiter().close_async()
    return sent


def post(target: str, raw: bytes, headers: Mapping[str, str]) -> Answer:
    """A POST of JSON, at the time that the views live at."""
    path, _, query = target.partition("?")
    told = {"content-type": "application/json", **{name.lower(): value for name, value in headers.items()}}
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in told.items()],
        "client": ("127.0.0.1", 1),
        "server": ("testserver", 80),
    }
    with ExitStack() as changed:
        for module in _THREADS:
            changed.enter_context(patch(f"{module}.in_thread", _in_the_test))
        for module in _CLOCKS:
            changed.enter_context(patch(f"{module}.now_us", base.now_us))
        changed.enter_context(patch("exchange.api.order_entry.access.database_sync_to_async", _on_its_connection))
        return Answer(async_to_sync(_asked)(scope, raw))
