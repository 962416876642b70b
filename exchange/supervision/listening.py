"""The socket the web listens on, bound by the supervisor so that connections wait, not fail, while a web process restarts."""

import asyncio
import errno
import socket
import time

_PATIENCE_S = 10.0


async def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Somebody else's hold on the port is waited out for a while: it may be our own, just killed."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(2048)
        except OSError as problem:
            listener.close()
            if problem.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)
        else:
            return listener


def url(host: str, listener: socket.socket) -> str:
    """How a browser on this machine reaches the listener."""
    shown = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{listener.getsockname()[1]}"
