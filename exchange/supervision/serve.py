"""One web process: `python -m exchange.supervision.serve FD`, where FD is a listening socket it was given.

`uvicorn --fd` takes every descriptor for a Unix socket and so leaves Nagle's delay on; the socket is opened here, as what it is.
"""

import os
import socket
import sys

import uvicorn


class Server(uvicorn.Server):
    """Uvicorn, but sockets are told to go elsewhere (4010) before their lines are cut, and nodes that wait for a job are answered."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        from exchange.api import node_entry  # noqa: PLC0415 - the application has set Django up by now
        from exchange.sockets import fanout  # noqa: PLC0415

        node_entry.let_go()
        await fanout.say_goodbye()
        await super().shutdown(sockets)


def main() -> None:
    listener = socket.socket(fileno=int(sys.argv[1]))
    trusted_proxies = os.environ.get("FORWARDED_ALLOW_IPS", "")
    config = uvicorn.Config(
        "exchange.asgi:application",
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=64 * 1024,
        ws_per_message_deflate=False,  # a frame goes to many sockets: compressing it for each costs more than it saves
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=3,
        timeout_keep_alive=75,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=trusted_proxies or None,
    )
    Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
