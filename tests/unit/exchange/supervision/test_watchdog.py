"""When a worker counts as deaf."""

from exchange.supervision.tree import Shape, worker_queues
from exchange.supervision.watchdog import LANE_PATIENCE_S, TASK_PATIENCE_S, Ear, ears


def test_a_ring_that_stays_means_deaf() -> None:
    ear = Ear(("match.00", "match.01"), patience_s=6)
    assert [ear.is_deaf({"match.00": b"a", "match.01": None}, now) for now in (0.0, 3.0, 6.0, 6.1)] == [False, False, False, True]


def test_a_long_queue_that_moves_is_not_deaf() -> None:
    ear = Ear(("match.00",), patience_s=6)
    assert not any(ear.is_deaf({"match.00": str(now).encode()}, float(now)) for now in range(100))


def test_an_empty_queue_starts_the_count_again() -> None:
    ear = Ear(("match.00",), patience_s=6)
    assert not ear.is_deaf({"match.00": b"a"}, 0.0)
    assert not ear.is_deaf({"match.00": None}, 5.0)
    assert not ear.is_deaf({"match.00": b"a"}, 6.0)
    assert not ear.is_deaf({"match.00": b"a"}, 12.0)
    assert ear.is_deaf({"match.00": b"a"}, 12.5)


def test_one_that_was_just_started_is_excused() -> None:
    ear = Ear(("match.00",), patience_s=6)
    ear.is_deaf({"match.00": b"a"}, 0.0)
    assert ear.is_deaf({"match.00": b"a"}, 7.0)
    ear.excuse(7.0)
    assert not any(ear.is_deaf({"match.00": b"a"}, now) for now in (8.0, 15.0, 21.0))
    assert ear.is_deaf({"match.00": b"a"}, 22.5)


def test_lanes_are_shared_out_and_held_to_their_pace() -> None:
    queues = worker_queues(Shape(webs=1, matchers=3, lanes=tuple(range(16))))
    lanes = [lane for name, share in queues.items() if name.startswith("matcher") for lane in share]
    assert sorted(lanes) == [f"match.{lane:02d}" for lane in range(16)]
    paces = {name: ear.patience_s for name, ear in ears(queues).items()}
    assert paces == {
        "matcher-1": LANE_PATIENCE_S,
        "matcher-2": LANE_PATIENCE_S,
        "matcher-3": LANE_PATIENCE_S,
        "tasks": TASK_PATIENCE_S,
        "executor": TASK_PATIENCE_S,
    }


def test_more_matchers_than_lanes_start_no_idle_ones() -> None:
    assert list(worker_queues(Shape(webs=1, matchers=3, lanes=(4, 5)))) == ["matcher-1", "matcher-2", "tasks", "executor"]
