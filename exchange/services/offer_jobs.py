"""What nodes do of what has begun is offered to them, with one commit and one ring for all of it."""

import logging
from collections import Counter
from collections.abc import Sequence

from django.db import Error

from exchange.services import job_bell
from rights.kernel.clock import now_us
from settlement.domain.work import Work
from settlement.services.node_jobs import ADAPTER, open_jobs_of
from settlement.services.off_loop import again_in_thread

_LOG = logging.getLogger(__name__)


async def offered(works: Sequence[Work]) -> list[Work]:
    """Offer to nodes what they do alone; the rest is for somebody else to do, and so is all of it where that fails."""
    theirs = [work for work in works if all(leg.endpoint.adapter == ADAPTER for leg in work.legs)]
    if not theirs:
        return list(works)
    try:
        await again_in_thread(_offer, works=theirs)
    except Error:
        _LOG.exception("%d requests could not be offered to nodes together", len(theirs))
        return list(works)
    return [work for work in works if work not in theirs]


def _offer(*, works: Sequence[Work]) -> None:
    open_jobs_of(request_ids=[work.request_id for work in works], now_us=now_us())
    ring_for(works)


def ring_for(works: Sequence[Work]) -> None:
    """Tell the nodes of those suppliers what they may lease now."""
    for supplier, count in Counter(leg.supplier for work in works for leg in work.legs if leg.endpoint.adapter == ADAPTER).items():
        job_bell.ring(supplier, count)
