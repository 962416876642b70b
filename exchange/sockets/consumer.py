"""The socket at /ws/v1: handshake, frames in, frames out. What an operation does is in `operations`."""

import asyncio
from typing import Any, cast

from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import DatabaseError, InterfaceError
from psycopg_pool import PoolTimeout

from exchange.api.problems import Problem
from exchange.api.strict_json import Malformed, parse_object
from exchange.sockets import access, operations
from exchange.sockets.closing import Close
from exchange.sockets.connection import Connection
from exchange.sockets.fanout import fanout
from exchange.sockets.reply import Reply

MOST_BYTES = 64 * 1024
LINGER_S = 10.0  # how long a slow reader may take to read its closing frame


class VenueConsumer(AsyncWebsocketConsumer):
    """One socket. Frames are handled one after the other, so a client's commands keep their order."""

    connection: Connection | None = None
    writer: asyncio.Task[None] | None = None

    async def dispatch(self, message: Any) -> None:
        """Channels' own, without a hop to a database thread per frame: no ORM connection is opened here."""
        if message["type"] == "websocket.receive":
            await self.receive(message.get("text"), message.get("bytes"))
        elif message["type"] == "websocket.connect":
            await self.connect()
        else:
            await self.websocket_disconnect(message)

    async def connect(self) -> None:
        scope = cast("access.Scope", self.scope)
        allowed = access.origin_allowed(scope)
        if allowed is False:
            await self.close()
            return
        shared = await fanout()
        self.connection = connection = Connection(shared.hub, self._send_text, access.address(scope))
        try:
            await self._identify(connection, scope, from_page=bool(allowed))
        except (DatabaseError, InterfaceError, PoolTimeout, OSError):
            connection.end(Close.GOING_AWAY, "nobody can be recognised now; try again")
        if shared.is_leaving:
            connection.end(Close.GOING_AWAY, "this process stops")
        await self.accept()
        shared.connections.add(connection)
        self.writer = asyncio.create_task(self._write(connection))

    @staticmethod
    async def _identify(connection: Connection, scope: access.Scope, *, from_page: bool) -> None:
        """Who opens the socket, by the handshake's key or the browser's session; nobody is right too."""
        given = access.header(scope, b"authorization")
        if given is not None:
            kind, _, key = given.partition(" ")
            connection.who = await access.by_key(key, connection.address) if kind.lower() == "bearer" and key.isascii() else None
            if connection.who is None:
                connection.end(Close.UNAUTHENTICATED, "the key is not valid")
        elif from_page:
            found = await access.by_session(scope)
            if found is not None:
                connection.who, connection.session = found

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:  # noqa: ARG002 - Channels' signature
        connection = self.connection
        if connection is None or connection.closing is not None:
            return
        if text_data is None:
            connection.end(Close.UNSUPPORTED, "frames are text")
            return
        body = text_data.encode("utf-8", "surrogatepass")
        if len(body) > MOST_BYTES:
            connection.end(Close.TOO_LARGE, f"a frame has at most {MOST_BYTES} bytes")
            return
        reply = Reply(connection)
        try:
            await operations.handle(connection, reply, parse_object(body))
        except Malformed as malformed:
            try:
                connection.draw()
            except Problem as limited:
                reply.refuse(limited)
            else:
                reply.refuse(malformed)
        except Exception as error:  # noqa: BLE001 - whatever happens, the client hears a problem
            reply.refuse(error)

    async def disconnect(self, code: int) -> None:  # noqa: ARG002 - Channels' signature
        if self.connection is not None:
            self.connection.end(Close.GOING_AWAY, "")
            (await fanout()).connections.discard(self.connection)
        if self.writer is not None:
            self.writer.cancel()

    async def _send_text(self, text: str) -> None:
        await self.base_send(cast("Any", {"type": "websocket.send", "text": text}))

    async def _write(self, connection: Connection) -> None:
        """Send until the socket ends, then close it with the code and reason it ended by."""
        try:
            await connection.outbox.run()
            if connection.closing is not None:
                code, reason = connection.closing
                async with asyncio.timeout(LINGER_S):
                    await self.base_send(cast("Any", {"type": "websocket.close", "code": int(code), "reason": reason}))
        except (OSError, RuntimeError, TimeoutError):
            pass  # the client has gone
        finally:
            connection.ended.set()
