"""The web application on a port of its own in a thread, for clients that block: the official one is used as people use it."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator

import uvicorn

from exchange.asgi import application
from exchange.supervision.serve import Server


class _Server(Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals are pytest's


@contextlib.contextmanager
def web() -> Iterator[str]:
    """The address of the site's root."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    server = _Server(uvicorn.Config(application, log_level="warning", lifespan="on", access_log=False, ws="websockets-sansio"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the web application did not start"
        thread.join(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()
