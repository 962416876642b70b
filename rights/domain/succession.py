"""Where what remains of a right at its end goes by its terms (SPEC §2, `expiry_policy`): nowhere, into the next window, into the issuer's next. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from rights.domain.moment import text_of

BURN, ROLL, REISSUE = "burn", "roll", "reissue"
# How the right it goes into is linked.
LINKS: Mapping[str, str] = {ROLL: "rolled", REISSUE: "reissued"}
# Why not all of it went over, beside the codes by which issuing refuses.
NO_WINDOW, NO_ROOM, UNFIT = "next_window_missing", "capacity_exhausted", "terms_unfit"


class Room(msgspec.Struct, frozen=True):
    """An assurance of the issuer for the class in a coming window, and how many units of it nobody has been given."""

    window_start_us: int
    window_end_us: int
    free_units: int
    reference: str


def next_window(start_us: int, end_us: int) -> tuple[int, int]:
    """The window of the same length that begins where this one ends."""
    return end_us, 2 * end_us - start_us


def in_turn(rooms: Sequence[Room], units: int, reference: str) -> list[tuple[Room, int]]:
    """Which rooms to try for `units`, and for how many: the earliest that has room for all; behind them whatever holds most.

    Of several for one window the one that the terms name (`reference`) comes first.
    """
    early = sorted(rooms, key=lambda room: (room.window_start_us, room.window_end_us, room.reference != reference, room.reference))
    whole = [room for room in early if room.free_units >= units]
    part = sorted((room for room in early if 0 < room.free_units < units), key=lambda room: -room.free_units)
    return [(room, min(units, room.free_units)) for room in (*whole, *part)]


def moved_into(document: Mapping[str, Any], room: Room) -> dict[str, Any]:
    """The same terms in the room's window, on its assurance. What kind of assurance that is stays as the terms say."""
    window = {**document["window"], "start": text_of(room.window_start_us), "end": text_of(room.window_end_us)}
    return {**document, "window": window, "assurance": {**document["assurance"], "reference": room.reference}}
