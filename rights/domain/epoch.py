"""Windows of mode `epoch` (SPEC §2): usage starts anew every `epoch_size_seconds`, counted from the window's start.

`resource.amount` stays the most that can ever be delivered; an epoch lets at most its allowance be used.
"""

from typing import TypeVar

import msgspec

from rights.domain.manifest import Manifest

Moment = TypeVar("Moment", int, str)


class Usage(msgspec.Struct, frozen=True):
    """The epoch that began at `epoch_us`, and what has been used in it. `epoch_us` 0: the window has no epochs."""

    epoch_us: int
    used_units: int


def allowance_units(manifest: Manifest, max_units: int) -> int:
    """What one epoch lets a right of `max_units` use: its share of `limits.max_burst`, or of the amount; all of it without epochs.

    Shares are rounded up, so that a right that was split can be used to the end.
    """
    if manifest.document["window"]["mode"] != "epoch":
        return max_units
    burst = manifest.document["limits"]["max_burst"]
    if burst is not None:
        return -(-int(burst) * max_units // manifest.units)
    length_s = (manifest.window_end_us - manifest.window_start_us) // 1_000_000
    epochs = -(-length_s // manifest.period_s)
    return -(-max_units // epochs)


def epoch_of(manifest: Manifest, now_us: int) -> int:
    """The beginning of the epoch that holds `now_us` (the first one before the window starts); 0 without epochs."""
    if manifest.document["window"]["mode"] != "epoch":
        return 0
    size_us = manifest.period_s * 1_000_000
    return manifest.window_start_us + max(0, (now_us - manifest.window_start_us) // size_us) * size_us


def usage_after(*, manifest: Manifest, max_units: int, epoch_us: int, used_units: int, units: int, now_us: int) -> Usage | None:
    """Usage after `units` more, or None when the epoch's allowance does not let them be used now."""
    current = epoch_of(manifest, now_us)
    used = (used_units if current and current == epoch_us else 0) + units
    if current == 0:
        return Usage(0, 0)
    return Usage(current, used) if used <= allowance_units(manifest, max_units) else None


def divided(used_units: int, *, units: int, max_units: int) -> tuple[int, int]:
    """The usage that stays with a right and the one that goes with `units` out of its `max_units`.

    Both are rounded up, as allowances are: cut into however many parts, an epoch lets no more be used.
    """
    return -(-used_units * (max_units - units) // max_units), -(-used_units * units // max_units)


def together(first: tuple[Moment, int], second: tuple[Moment, int]) -> tuple[Moment, int]:
    """The usage of what was put together, each an (epoch, used units): of the later epoch, for the former one's is over."""
    if first[0] == second[0]:
        return first[0], first[1] + second[1]
    return max(first, second)
