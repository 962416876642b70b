"""What an act of two persons consists of: its payload, the two names, and the entry that says what it does."""

from collections.abc import Callable, Mapping

import msgspec

from rights.kernel.ids import Mint

Payload = Mapping[str, str | None]


class Consent(msgspec.Struct, frozen=True):
    """Two names, the reason that goes on the record, and what an act needs from outside. A rehearsal has one name only."""

    by: str
    approved_by: str | None
    reason: str
    mint: Mint
    now_us: int


class Kind(msgspec.Struct, frozen=True):
    """`scopes`: of these a proposer needs one, when proposing and still when it is approved."""

    title: str
    says: Callable[[Payload], str]
    run: Callable[[Payload, Consent], str]
    scopes: tuple[str, ...] = ("operate",)
