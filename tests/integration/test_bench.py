"""`manage.py bench` on a running exchange: every mix passes every door, and what was not measured is not given as a number."""

import json

import pytest

from exchange.bench.flows import MIXES
from exchange.bench.report import DOORS, text


@pytest.fixture(scope="module")
def figures(live_exchange) -> dict:
    done = live_exchange.manage("bench", "--attach", str(live_exchange.port), "--seconds", "0.3", "--json", timeout_s=300)
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("mix", MIXES)
def test_a_mix_passes_a_door(figures, door, mix):
    run = figures["runs"][f"{door}/{mix}"]
    assert run["orders"] > 0
    assert run["refused"] == 0
    for what in ("answer", "socket"):
        assert 0 < run[f"{what}_p50_ms"] <= run[f"{what}_p99_ms"]
    assert {"web-1", "matcher-1", "postgres"} <= run["cpu_us_per_order"].keys()


def test_the_ceilings_are_of_the_same_run(figures):
    assert figures["ceiling_raw_batch_commits"]["orders_per_s"] > 0
    assert figures["share_of_raw_ceiling"] > 0
    assert figures["ceiling_pure_core"].keys() == set(MIXES)


def test_a_figure_that_was_not_measured_is_a_dash(figures):
    run = {**figures["runs"]["single/rest"], "socket_p50_ms": None, "socket_p99_ms": None}
    line = text({**figures, "runs": {"single/rest": run}}).splitlines()[1]
    assert line.split()[4:6] == ["-", "-"]
