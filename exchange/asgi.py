"""What a web process serves: order entry, requests, the gateway and the work of nodes on short paths of their own, sockets by Channels, pages and the rest of the API by Django."""

import asyncio
import os
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exchange.settings")
_django = get_asgi_application()

# Only now are the settings and the apps ready for what follows.
from exchange.api import gateway, node_entry, order_entry, request_entry  # noqa: E402
from exchange.services.rate_limit import limiter  # noqa: E402
from exchange.sockets import fanout  # noqa: E402
from exchange.sockets.consumer import VenueConsumer  # noqa: E402
from rights.kernel.memory import ANSWERING, settle  # noqa: E402
from settlement.adapters.lines import close_lines  # noqa: E402
from settlement.services.off_loop import give_threads  # noqa: E402

SOCKET_PATH = "/ws/v1"
_socket: Any = VenueConsumer.as_asgi()
_ROOMS: tuple[Any, ...] = (gateway, order_entry, request_entry, node_entry)


async def application(scope: Any, receive: Any, send: Any) -> None:
    """The ASGI entry point."""
    if scope["type"] == "http":
        served = next((room.application for room in _ROOMS if room.serves(scope)), _django)
        await served(scope, receive, send)
    elif scope["type"] == "websocket":
        await (_socket if scope["path"] == SOCKET_PATH else _no_socket)(scope, receive, send)
    elif scope["type"] == "lifespan":
        await _lifespan(receive, send)


async def _no_socket(_scope: Any, receive: Any, send: Any) -> None:
    """Refuse the handshake: there is one socket address."""
    await receive()
    await send({"type": "websocket.close"})


async def _lifespan(receive: Any, send: Any) -> None:
    """The hub and the sockets live as long as the process serves."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            settle(ANSWERING)
            give_threads(asyncio.get_running_loop())
            await fanout.fanout()
            await send({"type": "lifespan.startup.complete"})
        else:
            await fanout.stop()
            await close_lines()
            await limiter().close_async()
            await send({"type": "lifespan.shutdown.complete"})
            return
