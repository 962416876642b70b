"""Calls whose route is a network of nodes: the work is offered to them, and their one answer is waited for."""

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec

from exchange.api.problems import Problem
from exchange.services.offer_jobs import ring_for
from rights.kernel.clock import now_us
from settlement.domain.work import Work
from settlement.models import RequestPayload, Settlement
from settlement.services.execute import share_with_nodes
from settlement.services.off_loop import in_thread

PATIENCE_US = 120_000_000
LOOK_S, LONGEST_LOOK_S = 0.05, 0.5
Answer = dict[str, Any]


async def nodes_answer(work: Work, payload: str) -> tuple[Settlement, Answer | None]:
    """The settlement and what came out, once there is a receipt. Raises Problem `work_under_way` when a caller has waited long enough."""
    await share_with_nodes(work, payload)
    await asyncio.to_thread(ring_for, [work])
    until_us = min(now_us() + PATIENCE_US, work.deadline_us)
    pause_s = LOOK_S
    while True:
        found = await in_thread(_ended, request_id=work.request_id)
        if found is not None:
            return found
        if now_us() >= until_us:
            raise Problem("work_under_way", f"nodes are still at it: GET /api/v1/requests/req_{work.request_id}/output")
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, LONGEST_LOOK_S)


def _ended(*, request_id: str) -> tuple[Settlement, Answer | None] | None:
    settlement = Settlement.objects.filter(request_id=request_id).first()
    if settlement is None:
        return None
    output = RequestPayload.objects.filter(request_id=request_id).values_list("output", flat=True).first()
    return settlement, None if output is None else _read(output)


def _read(output: str) -> Answer:
    """The answer's object; any other text as it is."""
    try:
        found = msgspec.json.decode(output)
    except msgspec.DecodeError:
        found = None
    return found if isinstance(found, dict) else {"object": "output", "output": output}


def events_in(answer: Answer) -> Iterator[Answer]:
    """A whole answer as the events of a stream: one for each choice."""
    head = {name: value for name, value in answer.items() if name not in ("choices", "usage", "object")}
    kind = "text_completion" if answer.get("object") == "text_completion" else "chat.completion.chunk"
    for choice in answer.get("choices") or ():
        piece = {**choice, "delta": choice.get("message")} if "message" in choice else choice
        yield {**head, "object": kind, "choices": [{name: value for name, value in piece.items() if name != "message"}]}
