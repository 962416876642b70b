"""What became of the parts of a request's work, and what an executor tells of it. Values only; the calls are in execute.py."""

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from settlement.adapters.base import Report
from settlement.domain.metering import shared, units_of
from settlement.domain.parts import Part, Piece
from settlement.domain.receipt_body import LegTold, Told
from settlement.domain.work import Work

Answer = dict[str, Any]


class PartDone(msgspec.Struct):
    """A part with the pieces that are done, the last report, and the inputs that are not done. `units`: delivered, None where not told."""

    part: Part
    done: list[tuple[Piece, Answer]]
    left: tuple[int, ...]
    last: Report
    units: int = 0
    took_us: int = 0
    first_us: int = 0
    hashes: list[str] = []

    @property
    def is_whole(self) -> bool:
        return self.last.is_done

    def take(self, piece: Piece, answer: Answer, report: Report, units: int) -> None:
        """One piece more is done."""
        self.done.append((piece, answer))
        self.left = tuple(place for place in self.left if place not in piece.places)
        self.last = report
        self.units += units
        self.took_us += report.took_us
        self.first_us = self.first_us or report.first_us
        self.hashes.append(report.output_hash)


def delivered_units(*, unit: str, report: Report) -> int | None:
    """What one report delivered: as it says, or, where it was cut, the pieces that arrived, each of which is a token at least."""
    if report.is_done:
        return units_of(unit=unit, usage=report.usage, took_us=report.took_us)
    return report.pieces if unit == "tokens" else 0


def told_of(work: Work, parts: Sequence[PartDone], *, started_us: int, now_us: int) -> Told:
    """The end of the request. Units that go beyond what a leg had locked are nobody's."""
    legs = [told for done in parts for told in _legs_told(done)]
    status = _status(work, parts, legs, now_us)
    is_success = status in {"completed", "fallback_completed", "partially_completed"}
    return Told(status=status, started_us=started_us, completed_us=now_us if is_success else None, legs=tuple(legs))


def _status(work: Work, parts: Sequence[PartDone], legs: Sequence[LegTold], now_us: int) -> str:
    has_work = any(done.units for done in parts)
    if is_all_done(parts):
        working = [leg for leg in legs if leg.delivered_units]
        return "fallback_completed" if any(leg.fallbacks for leg in working) else "completed"
    if now_us >= work.deadline_us:
        return "expired"
    return "partially_completed" if has_work and work.is_partial_allowed else "failed"


def is_all_done(parts: Sequence[PartDone]) -> bool:
    """Whether nothing of the request is left: what a part did not do, a later one did."""
    places = {place for done in parts for place in done.part.places}
    if places:
        finished = {place for done in parts for piece, _ in done.done for place in piece.places}
        finished |= {place for done in parts if done.is_whole and not done.left for place in done.part.places}  # a stream has no pieces
        return places <= finished
    return any(done.is_whole for done in parts)


def _legs_told(done: PartDone) -> list[LegTold]:
    legs = done.part.legs
    units = shared(done.units, [leg.units for leg in legs])
    output_hash = _hash_of(done.hashes)
    error = "" if done.is_whole else f"{done.last.fault}: {done.last.detail}"[:300]
    return [
        LegTold(
            route_id=leg.route_id,
            delivered_units=part,
            billable_units=part,
            latency_us=done.took_us or done.last.took_us,
            queue_us=done.first_us,
            fallbacks=leg.fallbacks,
            quality_loss_bps=leg.quality_loss_bps,
            output_ref=f"sha256:{output_hash}" if part else "",
            output_hash=output_hash if part else "",
            error=error,
            is_callers=not done.is_whole and done.last.is_callers,
        )
        for leg, part in zip(legs, units, strict=True)
    ]


def _hash_of(hashes: Sequence[str]) -> str:
    """Of an answer that came in one piece its own, of one that came in several that of their hashes."""
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest() if hashes else ""
