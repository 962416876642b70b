"""Requests whose callers wait for them are submitted and begun in one transaction (SPEC §8)."""

from collections.abc import Mapping, Sequence

import msgspec

from rights.kernel import rows
from rights.kernel.ids import Mint
from settlement.domain.work import Work
from settlement.services.begin import begin_together
from settlement.services.remember import remember_use
from settlement.services.request_refusal import EnvelopeRefused, RequestRefused
from settlement.services.submit import Ask, Submitted, submit_unremembered
from settlement.services.unit_moves import Fact

Entered = Work | None | EnvelopeRefused | RequestRefused


def enter_requests(*, asks: Sequence[Ask], payloads: Mapping[str, str], mint: Mint, now_us: int) -> list[Entered]:
    """The work of each, in the caller's transaction; None of one that is not to be begun now: it was put off, or nobody can be called.

    `payloads` by request: what its caller has in hand, and nodes are to be given. Asks and errors as for `submit_requests`.
    """
    outcomes, told = submit_unremembered(asks=asks, mint=mint, now_us=now_us)
    matched = [ask.request_id for ask, made in zip(asks, outcomes, strict=True) if isinstance(made, Submitted) and made.is_matched]
    with rows.together():
        begun = begin_together(request_ids=matched, payloads=payloads, now_us=now_us) if matched else {}
        facts: list[Fact] = []
        for ask in asks:
            facts += told.get(ask.request_id, ())
            if ask.request_id in begun:
                _, (stream_id, event) = begun[ask.request_id]
                facts.append((stream_id, msgspec.structs.replace(event, actor=ask.actor)))
        if facts:
            remember_use(events=facts, actor=asks[0].actor, now_us=now_us)
    works = {request_id: work for request_id, (work, _) in begun.items()}
    return [works.get(made.ask.request_id) if isinstance(made, Submitted) else made for made in outcomes]
