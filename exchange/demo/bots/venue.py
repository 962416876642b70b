"""The venue as a client meets it: HTTP with a bearer key, patient with failures, safe to repeat (API.md)."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import httpx

from rights.kernel.clock import rfc3339

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 8.0
_TIMEOUT = httpx.Timeout(8.0, connect=2.0)


class Denied(Exception):
    """The venue does not know the key."""


class Venue:
    """One HTTP connection pool to one venue. Every call is repeated until the venue answers."""

    def __init__(self, url: str, seed: int) -> None:
        self._http = httpx.AsyncClient(base_url=f"{url}/api/v1", timeout=_TIMEOUT)
        self._chance = Random(f"{seed}:pauses")
        self.repeats = 0

    async def close(self) -> None:
        await self._http.aclose()

    async def get(self, path: str, token: str = "", **query: str) -> Any:
        """The answer's JSON; for anybody, or for who bears the token."""
        return (await self._call("GET", path, token=token, params=query)).json()

    async def post(self, path: str, token: str, body: Mapping[str, Any]) -> Any:
        """The answer's JSON. However often it is sent, it is done once."""
        return (await self._call("POST", path, token=token, json=body, key=secrets.token_hex(16))).json()

    async def listing(self, path: str, token: str = "", **query: str) -> list[dict[str, Any]]:
        """Every row of a list, page after page."""
        rows: list[dict[str, Any]] = []
        while True:
            page = await self.get(path, token, **query)
            rows += page["data"]
            if not page["next_cursor"]:
                return rows
            query["cursor"] = page["next_cursor"]

    async def operate(self, token: str, operations: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """One result per operation. Sending again is safe: a place has its client_order_id, the others say absolute things."""
        body = {"operations": [_wire(operation) for operation in operations]}
        results: list[dict[str, Any]] = (await self._call("POST", "/orders/batch", token=token, json=body)).json()["results"]
        return results

    async def cancel_all(self, token: str) -> None:
        """Take back everything the account has resting."""
        await self._call("DELETE", "/orders", token=token)

    async def _call(self, method: str, path: str, *, token: str = "", key: str = "", **rest: Any) -> httpx.Response:
        headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **({"Idempotency-Key": key} if key else {})}
        pause = FIRST_PAUSE_S
        while True:
            try:
                response = await self._http.request(method, path, headers=headers, **rest)
            except httpx.HTTPError:
                wait = pause
            else:
                if response.status_code == httpx.codes.UNAUTHORIZED:
                    raise Denied(path)
                if response.status_code < 500 and response.status_code != httpx.codes.TOO_MANY_REQUESTS:
                    response.raise_for_status()
                    return response
                wait = max(pause, _retry_after(response))
            self.repeats += 1
            await asyncio.sleep(wait * (500 + self._chance.randrange(1000)) / 1000)
            pause = min(pause * 2, LONGEST_PAUSE_S)


def _retry_after(response: httpx.Response) -> float:
    text = response.headers.get("Retry-After", "")
    return min(float(text), LONGEST_PAUSE_S) if text.isascii() and text.isdecimal() else 0.0


def _wire(operation: Mapping[str, Any]) -> dict[str, Any]:
    """Moments as the wire has them."""
    said = dict(operation)
    if "expire_us" in said:
        said["expire_time"] = rfc3339(said.pop("expire_us"))
    return said
