"""The web application on a port of its own, in the test's event loop, beside rows that the test writes."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn

from exchange.asgi import application
from exchange.supervision.serve import Server


class _Server(Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals are pytest's


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[str]:
    """The address of /ws/v1."""
    listener = socket.create_server(("127.0.0.1", 0))
    # Small buffers, so that a reader who stops is noticed after kilobytes and not after megabytes.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)
    config = uvicorn.Config(
        application, log_level="warning", ws="websockets-sansio", ws_max_size=64 * 1024, ws_per_message_deflate=False, lifespan="on"
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        if task.done():
            task.result()
        await asyncio.sleep(0.01)
    try:
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}/ws/v1"
    finally:
        server.should_exit = True
        await task
        listener.close()
