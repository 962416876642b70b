"""What was measured of endpoints lately, and their circuit breakers: no memory of record, so it is written outside every other transaction."""

import time

from django.db import transaction

from rights.kernel.clock import to_datetime
from settlement.domain.breaker import average_us, open_us
from settlement.models import EndpointHealth

QUIET_NS = 1_000_000_000  # so long after a good call nothing is written of the next one
_good: dict[int, int] = {}  # endpoint → when this process last wrote that it was well


def is_quiet(endpoint_id: int) -> bool:
    """Whether a good call more would not be written."""
    return time.monotonic_ns() - _good.get(endpoint_id, -QUIET_NS) < QUIET_NS


def note_call(*, endpoint_id: int, is_failure: bool, latency_us: int, now_us: int) -> None:
    """One call more. Good calls are written once a second, each failure at once."""
    if not is_failure and is_quiet(endpoint_id):
        return
    with transaction.atomic():
        at = to_datetime(now_us)
        EndpointHealth.objects.get_or_create(endpoint_id=endpoint_id, defaults={"updated_at": at})
        row = EndpointHealth.objects.select_for_update(no_key=True).get(pk=endpoint_id)
        row.failures_in_a_row = row.failures_in_a_row + 1 if is_failure else 0
        wait_us = open_us(row.failures_in_a_row)
        row.opened_until = to_datetime(now_us + wait_us) if wait_us else None
        if not is_failure:
            row.latency_us = average_us(row.latency_us, latency_us)
        row.updated_at = at
        row.save()
    if is_failure:
        _good.pop(endpoint_id, None)
    else:
        _good[endpoint_id] = time.monotonic_ns()
