"""A bot's own rhythm: an action every so often, never exactly."""

import asyncio
from random import Random


class Pace:
    """`per_minute` turns on average; a turn that comes late is not made up for."""

    def __init__(self, per_minute: int, chance: Random) -> None:
        self._interval_s = 60 / max(1, per_minute)
        self._chance = chance
        self._due: float | None = None

    async def turn(self) -> None:
        """Wait for the next turn."""
        clock = asyncio.get_running_loop().time
        jittered = self._interval_s * (600 + self._chance.randrange(800)) / 1000
        self._due = clock() + jittered if self._due is None else max(self._due + jittered, clock())
        await asyncio.sleep(self._due - clock())
