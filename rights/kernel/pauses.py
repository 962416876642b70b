"""Who could not be done is left alone for a while, longer each time, so that what always fails holds back nobody behind it."""

FIRST_US, MOST_US = 1_000_000, 300_000_000


class Pauses:
    """By its id. Of this process alone, and in no table: another one, or this one begun anew, tries each once more."""

    def __init__(self, most_us: int = MOST_US) -> None:
        self._most_us = most_us
        self._failed: dict[str, tuple[int, int]] = {}  # so many times, and alone until then

    def resting(self, now_us: int) -> list[str]:
        """Who is not to be tried at this moment. What has not been seen for a long time is forgotten."""
        self._failed = {key: held for key, held in self._failed.items() if now_us < held[1] + 2 * MOST_US}
        return [key for key, (_, until_us) in self._failed.items() if now_us < until_us]

    def note(self, key: str, *, is_done: bool, now_us: int) -> None:
        """What came of a try: the first that failed waits only for the next look, each one more twice as long as before."""
        if is_done:
            self._failed.pop(key, None)
            return
        times = self._failed.get(key, (0, 0))[0] + 1
        pause_us = 0 if times == 1 else min(FIRST_US << min(times - 2, 32), self._most_us)
        self._failed[key] = (times, now_us + pause_us)
