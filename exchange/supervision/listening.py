"""The socket the web listens on, bound by the supervisor so that connections wait, not fail, while a web process restarts."""

import asyncio
import errno
import socket
import time
from collections.abc import Callable

_PATIENCE_S = 10.0


class ListeningError(RuntimeError):
    """The web cannot listen where it was told to; the message says what to do."""


async def bind(host: str, port: int, say: Callable[[str], None]) -> socket.socket:
    """A listening socket. Somebody else's hold on the port is waited out for a while: it may be our own, just killed."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except socket.gaierror as problem:
        raise ListeningError(f"no address for --host {host}: {problem.strerror}") from problem
    deadline = time.monotonic() + _PATIENCE_S
    waits = False
    while True:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(2048)
        except OSError as problem:
            listener.close()
            if problem.errno != errno.EADDRINUSE:
                raise ListeningError(f"cannot listen on port {port} of {host}: {problem.strerror}") from problem
            if time.monotonic() > deadline:
                raise ListeningError(
                    f"port {port} of {host} is taken by another program: stop it, or choose another (make run PORT=8001, up --port 8001)"
                ) from problem
            if not waits:
                say(f"port {port} of {host} is taken; waiting up to {_PATIENCE_S:g} s for it")
            waits = True
            await asyncio.sleep(0.1)
        else:
            return listener


def url(host: str, listener: socket.socket) -> str:
    """How a browser on this machine reaches the listener."""
    shown = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{listener.getsockname()[1]}"
