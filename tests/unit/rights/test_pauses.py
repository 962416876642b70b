"""What always fails is tried ever more seldom."""

from rights.kernel.pauses import FIRST_US, MOST_US, Pauses


def test_a_pause_doubles_up_to_the_longest() -> None:
    pauses, now_us, gaps = Pauses(), 0, []
    for _ in range(14):
        pauses.note("r1", is_done=False, now_us=now_us)
        last_us = now_us
        while pauses.resting(now_us):
            now_us += FIRST_US
        gaps.append((now_us - last_us) // FIRST_US)
    assert gaps == [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, *[MOST_US // FIRST_US] * 4]


def test_each_has_its_own_until_it_is_done() -> None:
    pauses = Pauses()
    for _ in range(2):
        pauses.note("r1", is_done=False, now_us=0)
    pauses.note("r2", is_done=False, now_us=0)
    assert (pauses.resting(FIRST_US - 1), pauses.resting(FIRST_US)) == (["r1"], [])
    pauses.note("r1", is_done=True, now_us=FIRST_US)
    pauses.note("r1", is_done=False, now_us=FIRST_US)
    assert pauses.resting(FIRST_US) == []


def test_what_is_seen_no_more_is_forgotten() -> None:
    pauses = Pauses()
    for _ in range(30):
        pauses.note("r1", is_done=False, now_us=0)
    assert pauses.resting(3 * MOST_US) == []
    pauses.note("r1", is_done=False, now_us=3 * MOST_US)
    assert pauses.resting(3 * MOST_US) == []
