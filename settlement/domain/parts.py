"""The work of a request shared out over its legs (SPEC §8), and its answers put together again. Pure.

Legs that reach the same endpoint are one part: several rights may pay for one call. Only work of many inputs is divided between suppliers;
of other work the first supplier does all, and the other legs stay unused. Long lists of inputs are sent in several calls, so that what was
done stays done when the supplier dies.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from settlement.domain.metering import ceiling_of, inputs_of, prompts_of
from settlement.domain.work import Leg

Body = Mapping[str, Any]
Answer = dict[str, Any]
PER_CALL = 64  # inputs
_INPUTS = {"embeddings": "input", "completions": "prompt"}


class Part(msgspec.Struct, frozen=True):
    """What one endpoint is to do: `places` are those of its inputs in the request's own body; empty for work that is not divided."""

    legs: tuple[Leg, ...]
    places: tuple[int, ...] = ()


class Piece(msgspec.Struct, frozen=True):
    """One call of a part."""

    body: dict[str, Any]
    places: tuple[int, ...]


def inputs_in(operation: str, body: Body) -> list[Any]:
    """The inputs, where the work is a list of them; [] where it is one thing."""
    if operation not in _INPUTS or not isinstance(body.get(_INPUTS[operation]), list):
        return []
    found = inputs_of(body) if operation == "embeddings" else prompts_of(body)
    return found if found == body[_INPUTS[operation]] else []


def parts_of(operation: str, body: Body, legs: Sequence[Leg], places: Sequence[int] | None = None) -> list[Part]:
    """Who does what of the inputs at `places` (all of them unless given). The parts' places are disjoint and none is left out."""
    groups: dict[int, list[Leg]] = {}
    for leg in legs:
        groups.setdefault(leg.endpoint.endpoint_id, []).append(leg)
    inputs = inputs_in(operation, body)
    wanted = tuple(range(len(inputs)) if places is None else places)
    sharers = [tuple(found) for found in groups.values()]
    if not inputs or len(sharers) == 1:
        return [Part(sharers[0], wanted)]
    weights = [ceiling_of(operation, {**body, _INPUTS[operation]: [inputs[place]]}).units(legs[0].unit) for place in wanted]
    return [Part(sharer, tuple(found)) for sharer, found in zip(sharers, _dealt(sharers, wanted, weights), strict=True) if found]


def _dealt(sharers: Sequence[Sequence[Leg]], places: Sequence[int], weights: Sequence[int]) -> list[list[int]]:
    """In order, each sharer until its share of the units is reached; the last one takes the rest."""
    shares = [sum(leg.units for leg in sharer) for sharer in sharers]
    whole, weight = sum(shares), sum(weights)
    dealt: list[list[int]] = [[] for _ in sharers]
    turn = given = promised = 0
    for place, heavy in zip(places, weights, strict=True):
        while turn < len(sharers) - 1 and given * whole >= (promised + shares[turn]) * weight:
            promised += shares[turn]
            turn += 1
        dealt[turn].append(place)
        given += heavy
    return dealt


def pieces_of(operation: str, body: Body, places: Sequence[int]) -> list[Piece]:
    """The calls in which these inputs are sent; the body as it is, where the work is one thing."""
    inputs = inputs_in(operation, body)
    if not inputs:
        return [Piece(dict(body), ())]
    name, step = _INPUTS[operation], PER_CALL if operation == "embeddings" else len(places)
    chunks = [tuple(places[start : start + step]) for start in range(0, len(places), step or 1)]
    return [Piece({**body, name: [inputs[place] for place in chunk]}, chunk) for chunk in chunks]


def is_mergeable(operation: str, body: Body, piece: Piece, answer: Any) -> bool:
    """Whether `merged` can put the answer to a piece in its place: a list whose items say which they are, each once; anything for work that is one thing."""
    if not piece.places:
        return True
    items = answer.get(_name_of(operation)) if isinstance(answer, dict) else None
    if not isinstance(items, list) or not isinstance(answer.get("usage") or {}, dict):
        return False
    places = [item.get("index") if isinstance(item, dict) else None for item in items]
    most = len(piece.places) * _choices_of(operation, body)
    return all(type(place) is int and 0 <= place < most for place in places) and len(set(places)) == len(places)


def merged(operation: str, body: Body, done: Sequence[tuple[Piece, Answer]]) -> Answer:
    """One answer of all that was done, in the order of the request's own inputs; its usage is the sum."""
    if len(done) == 1 and not done[0][0].places:
        return done[0][1]
    name, choices = _name_of(operation), _choices_of(operation, body)
    items: list[Answer] = []
    usage: dict[str, int] = {}
    for piece, answer in done:
        for item in answer[name]:
            place, choice = divmod(item["index"], choices)
            items.append({**item, "index": piece.places[place] * choices + choice if piece.places else item["index"]})
        for kind, count in (answer.get("usage") or {}).items():
            if type(count) is int:
                usage[kind] = usage.get(kind, 0) + count
    return {**done[0][1], name: sorted(items, key=lambda item: int(item["index"])), "usage": usage}


def _name_of(operation: str) -> str:
    """Where an answer keeps its items."""
    return "data" if operation == "embeddings" else "choices"


def _choices_of(operation: str, body: Body) -> int:
    """The items of one input."""
    return 1 if operation == "embeddings" else max(1, body.get("n") or 1)
