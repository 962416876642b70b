"""The body of a command row: canonical JSON of typed fields. What was asked, in the book's own units."""

import msgspec

from exchange.domain.command import Phase


class PlacePayload(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A new order. `price_ticks` is None for a market order; moments in microseconds, 0: none."""

    side: int
    type: int
    quantity_lots: int
    price_ticks: int | None = None
    tif: int = 0
    post_only: int = 0
    stp: int = 0
    expire_us: int = 0
    deadline_us: int = 0
    group: str = ""
    rights: list[str] | None = None
    issuers_allow: list[str] | None = None
    issuers_deny: list[str] | None = None


class AmendPayload(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    price_ticks: int | None = None
    quantity_lots: int | None = None
    expire_us: int | None = None
    deadline_us: int = 0


class CancelPayload(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """`reason` is a Reason number; other than USER only the venue gives it."""

    reason: int = 1
    note: str = ""


class CancelManyPayload(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    side: int | None = None
    group: str | None = None
    reason: int = 1


class PhasePayload(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    phase: int
    reason: str = ""

    @property
    def name(self) -> str:
        return Phase(self.phase).name.lower()


class PostOnlyPayload(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """1: only orders that rest may enter from now on; 0: takers may again. `reason` in words."""

    on: int
    reason: str = ""


Payload = PlacePayload | AmendPayload | CancelPayload | CancelManyPayload | PhasePayload | PostOnlyPayload
TYPES: tuple[type[Payload], ...] = (PlacePayload, AmendPayload, CancelPayload, CancelManyPayload, PhasePayload, PostOnlyPayload)
_encode = msgspec.json.Encoder(order="sorted").encode
_decoders = [msgspec.json.Decoder(kind) for kind in TYPES]


def encode(payload: Payload) -> str:
    return _encode(payload).decode()


def decode(kind: int, text: str) -> Payload:
    """The payload of a command of `kind` (CommandKind, in the order of TYPES)."""
    return _decoders[kind].decode(text)
