"""What a node says to the exchange: signed requests (API.md, Using rights)."""

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import msgspec

from exchange.domain.signed_request import signed_request
from exchange.management.node.key_file import NodeKey
from settlement.domain.node_results import hash_of, signed_bytes

BASE = "/api/v1"
PATIENCE_S = 30.0


class Refused(Exception):
    """The exchange said no, and will say it again: `code` is of its error table."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status, self.code = status, code


class Lost(Exception):
    """No answer, or none that says anything: to be tried again."""


class Done(msgspec.Struct, frozen=True):
    """What was made of a job; `units` as they were counted here."""

    output: str
    units: int
    is_partial: bool = False


def signed_result(key: NodeKey, job_id: str, done: Done) -> dict[str, Any]:
    """What was done of a job (its public id), as it is handed in."""
    digest = hash_of(done.output)
    signature = key.sign(signed_bytes(job_id=job_id.removeprefix("job_"), units=done.units, output_hash=digest))
    told = {"job_id": job_id, "units": str(done.units), "output": done.output, "output_hash": digest, "signature": signature}
    return {**told, "partial": True} if done.is_partial else told


class NodeClient:
    """One node's line to the exchange. Every call is safe to repeat."""

    def __init__(self, url: str, key: NodeKey) -> None:
        self.key = key
        self._url = url.rstrip("/")
        self._http: aiohttp.ClientSession | None = None  # made in the loop that it belongs to

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    async def lease(self, most: int, workloads: Sequence[str] = (), *, wait_s: int = 0) -> list[dict[str, Any]]:
        """At most so many jobs, the oldest first; where there are none, the exchange may wait so long for one."""
        asked = {"max_jobs": most, **({"workloads": list(workloads)} if workloads else {})}
        return list((await self._call("nodes/lease", asked, {"Prefer": f"wait={wait_s}"} if wait_s else {}))["data"])

    async def keep(self, job_ids: Sequence[str]) -> dict[str, str]:
        """Job → until when it is this node's; those that are lost are missing."""
        kept = await self._call("nodes/heartbeat", {"job_ids": list(job_ids)})
        return {row["job_id"]: row["lease_expires_at"] for row in kept["data"]}

    async def complete(self, results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """One verdict for each result."""
        return list((await self._call("nodes/complete", {"results": list(results)}))["data"])

    async def fail(self, job_id: str, reason: str) -> str:
        """The verdict."""
        return str((await self._call(f"nodes/leases/{job_id}/fail", {"reason": reason[:200] or "failed"}))["verdict"])

    def result(self, job_id: str, done: Done) -> dict[str, Any]:
        return signed_result(self.key, job_id, done)

    async def _call(self, path: str, body: dict[str, Any], also: Mapping[str, str] | None = None) -> Any:
        """The answer's object; `also` are headers that are not signed. Raises Refused, Lost."""
        target, raw = f"{BASE}/{path}", json.dumps(body).encode()
        timestamp, nonce = str(time.time_ns() // 1_000_000), secrets.token_urlsafe(12)
        said = signed_request(timestamp=timestamp, nonce=nonce, method="POST", target=target, body=raw)
        headers = {
            "Content-Type": "application/json",
            "X-Key": self.key.node_id,
            "X-Timestamp": timestamp,
            "X-Nonce": nonce,
            "X-Recv-Window": "30000",
            "X-Signature": self.key.sign(said),
            **(also or {}),
        }
        if self._http is None:
            self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(PATIENCE_S))
        try:
            async with self._http.post(self._url + target, data=raw, headers=headers) as answer:
                status, told = answer.status, json.loads(await answer.read())
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Lost(str(error) or type(error).__name__) from error
        if status >= 500 or status == 429:
            raise Lost(f"{status} {told.get('code', '')}")
        if status >= 400:
            raise Refused(status, str(told.get("code")), str(told.get("detail")))
        return told
