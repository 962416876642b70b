"""Asks the web whether it is ready, as a client would."""

import asyncio
import contextlib
import json
from urllib.parse import urlsplit

_TIMEOUT_S = 5.0


async def is_ready(base_url: str) -> bool:
    """Whether `/api/v1/status` answers 200 and does not say otherwise."""
    try:
        code, body = await asyncio.wait_for(_get(base_url, "/api/v1/status"), _TIMEOUT_S)
    except (OSError, TimeoutError, ValueError, IndexError):
        return False
    with contextlib.suppress(ValueError):
        answer = json.loads(body)
        if isinstance(answer, dict) and answer.get("ready") is False:
            return False
    return code == 200


async def _get(base_url: str, path: str) -> tuple[int, bytes]:
    place = urlsplit(base_url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        writer.write(f"GET {path} HTTP/1.0\r\nHost: {place.netloc}\r\n\r\n".encode())
        await writer.drain()
        answer = await reader.read()
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), body
