"""The doorbell of requests that are executed in the background: after the commit, with the request's id and nothing else.

A lost ring costs a second or two: the timetable rings again what waits.
"""

from typing import cast

import redis
from django.db import transaction
from kombu.exceptions import OperationalError

from exchange.celery import app
from exchange.services import bell
from rights.kernel import rows
from rights.kernel.clock import rfc3339
from settlement.domain.work import OWN_ADAPTERS

QUEUE = "redeem"
WAITED_US = 2_000_000
MOST = 200
AGAIN_MS = 5_000  # so long nobody is rung for the same request again
# Of those that have not ended (a partial index holds just them): what is matched and whose payload is kept waits for a worker; what its caller executes himself has none,
# and what suppliers do by themselves they begin themselves.
_WAITING = """
SELECT q.id::text FROM settlement_request q JOIN settlement_requestpayload p ON p.request_id = q.id
WHERE q.state = 'matched' AND q.ended_at IS NULL AND q.updated_at <= %s AND EXISTS (
    SELECT 1 FROM settlement_route t LEFT JOIN settlement_endpoint e ON e.capability_id = t.capability_id AND e.status = 'active'
    WHERE t.request_id = q.id AND t.state = 'locked' AND (e.adapter IS NULL OR e.adapter <> ALL(%s::text[])))
ORDER BY q.updated_at LIMIT %s
"""


def ring_request(request_id: str) -> bool:
    """Ask a worker to execute the request, once in a while. False when the doorbell is out of order."""
    try:
        if bell.client().set(f"redeem:{request_id}", 1, nx=True, px=AGAIN_MS):
            app.send_task("exchange.tasks.run_request", args=[request_id], queue=QUEUE, retry=False)
    except (redis.RedisError, OperationalError, OSError):
        return False
    return True


def ring_after_commit(request_id: str) -> None:
    """Ring once the present transaction has committed."""
    transaction.on_commit(lambda: cast("None", ring_request(request_id)))


def ring_waiting(*, now_us: int) -> int:
    """Ring again for what has waited; how many."""
    return sum(
        ring_request(row[0]) for row in rows.fetch_all(_WAITING, [rfc3339(now_us - WAITED_US), rows.array(sorted(OWN_ADAPTERS)), MOST])
    )
