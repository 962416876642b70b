"""What a batch writes about itself: the exact inputs of the core, and the public part.

`Batch.inputs` replays alone: set `blocked`, call `expire(at)`, then feed each step. A refused step never reached the core.
"""

import hashlib

import msgspec

from exchange.domain.command import Amend, Cancel, CancelMany, Command, Place, SetPhase, SetPostOnly

KINDS: tuple[type, ...] = (Place, Amend, Cancel, CancelMany, SetPhase, SetPostOnly)
_KIND_OF = {kind: number for number, kind in enumerate(KINDS)}


class Step(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Command `n` as it was admitted (its fields, in order), or the Reason it was refused for."""

    n: int
    kind: int
    refused: int
    fields: list[int | str | None]


class BatchInputs(msgspec.Struct, frozen=True, array_like=True, gc=False):
    blocked: list[tuple[int, int]]
    steps: list[Step]


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(BatchInputs).decode


def admitted(n: int, command: Command) -> Step:
    return Step(n, _KIND_OF[type(command)], 0, list(msgspec.structs.astuple(command)))


def refused(n: int, kind: int, reason: int) -> Step:
    return Step(n, kind, reason, [])


def command_of(step: Step) -> Command:
    """The core command of an admitted step."""
    return KINDS[step.kind](*step.fields)  # type: ignore[no-any-return]


def chain(previous: str, *, book_id: int, seq: int, at: str, inputs: bytes, public: bytes, checksum: int) -> str:
    """The batch's link in its book's hash chain."""
    head = f"{previous}|{book_id}|{seq}|{at}|{checksum}|".encode()
    return hashlib.sha256(head + hashlib.sha256(inputs).digest() + hashlib.sha256(public).digest()).hexdigest()
