"""Executors show that they live: a request whose executor is silent for too long has lost it, and is ended without a charge.

The same deadline for a quick answer and for a stream of an hour: what counts is not how long it takes but that somebody is at it.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from weakref import WeakKeyDictionary

from django.db import Error

from rights.kernel import rows
from rights.kernel.apart import apart
from rights.kernel.clock import now_us, rfc3339, to_us
from rights.kernel.ids import Mint
from settlement.domain.receipt_body import LegTold, Told
from settlement.domain.venue_proofs import venue_proofs
from settlement.models import Request
from settlement.services.off_loop import in_thread
from settlement.services.proof_rows import ReceiptConflict, ReceiptRefused
from settlement.services.receipt import record_receipt

BEAT_S = 5
SILENT_US = 30_000_000
# In order, as they are locked by whoever records receipts of several of them. Whoever has one under lock is at work at it himself.
_BEAT = """
WITH locked AS (SELECT id FROM settlement_request WHERE id = ANY(%s::uuid[]) AND state = 'executing' ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)
UPDATE settlement_request q SET updated_at = %s FROM locked WHERE q.id = locked.id
"""
# Work that nodes have is theirs to keep alive, by their leases, whatever their endpoint is by now; what they are still to get is offered soon.
_SILENT = """
SELECT q.id::text, q.envelope_hash FROM settlement_request q WHERE q.state = 'executing' AND q.ended_at IS NULL AND q.updated_at < %s
  AND NOT EXISTS (SELECT 1 FROM settlement_route t JOIN settlement_endpoint e ON e.capability_id = t.capability_id AND e.adapter = 'node-network'
                  WHERE t.request_id = q.id AND t.state = 'executing' AND e.status = 'active'
                    AND NOT EXISTS (SELECT 1 FROM settlement_job o WHERE o.route_id = t.id))
  AND NOT EXISTS (SELECT 1 FROM settlement_job j WHERE j.request_id = q.id
                    AND (j.state IN ('open', 'leased') OR (j.ended_at IS NOT NULL AND j.gathered_at IS NULL)))
ORDER BY q.updated_at LIMIT %s
"""
_running: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, int]] = WeakKeyDictionary()
_beaters: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[None]] = WeakKeyDictionary()


@asynccontextmanager
async def alive(request_id: str) -> AsyncIterator[None]:
    """While inside, the request is known to be worked at."""
    loop = asyncio.get_running_loop()
    running = _running.setdefault(loop, {})
    running[request_id] = now_us()
    if loop not in _beaters or _beaters[loop].done():
        _beaters[loop] = asyncio.create_task(_beat_on(running))
    try:
        yield
    finally:
        del running[request_id]
        if not running:
            beater = _beaters.pop(loop)
            beater.cancel()
            with suppress(asyncio.CancelledError):
                await beater


async def _beat_on(running: dict[str, int]) -> None:
    while True:
        await asyncio.sleep(BEAT_S)
        with suppress(Error, OSError):  # the next beat comes soon, long before anybody is given up
            await in_thread(beat, request_ids=list(running), now_us=now_us())


def beat(*, request_ids: Iterable[str], now_us: int) -> int:
    """These are being worked at; how many of them."""
    return rows.execute(_BEAT, [rows.array(request_ids), rfc3339(now_us)])


def abandoned_due(*, mint: Mint, actor: str, now_us: int, most: int = 20) -> int:
    """End executions whose executor is silent: failed, or expired where their time is over; how many. Nothing is charged."""
    done = 0
    for request_id, envelope_hash in rows.fetch_all(_SILENT, [rfc3339(now_us - SILENT_US), most]):
        with apart(f"the end of the abandoned req_{request_id}"), suppress(ReceiptConflict, ReceiptRefused):  # its executor was quicker
            told = _told(request_id, now_us)
            proofs = venue_proofs(request_id=request_id, told=told, envelope_hash=envelope_hash)
            record_receipt(request_id=request_id, told=told, proofs=proofs, mint=mint, actor=actor, now_us=now_us)
            done += 1
    return done


def _told(request_id: str, now_us: int) -> Told:
    request = Request.objects.get(pk=request_id)
    routes = request.routes.filter(state="executing").order_by("number")
    legs = tuple(LegTold(route_id=str(route.pk), delivered_units=0, billable_units=0, error="executor_lost") for route in routes)
    is_late = any(route.expires_at is not None and to_us(route.expires_at) <= now_us for route in routes)
    return Told(status="expired" if is_late else "failed", legs=legs)
