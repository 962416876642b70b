"""`manage.py bench --use` on a running exchange: every part is done, nothing is lost, and the ceilings are of the same run."""

import json

import pytest

from benchmarks.use import PARTS, text


@pytest.fixture(scope="module")
def figures(live_exchange) -> dict:
    asked = ("--use", "--seconds", "0.3", "--nodes", "2", "--streams", "8", "--json")
    done = live_exchange.manage("bench", "--attach", str(live_exchange.port), *asked, timeout_s=300)
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_done_and_nothing_is_lost(figures, part):
    found = figures["parts"][part]
    assert found["done"] > 0
    assert found["lost"] == 0
    times = [value for value in found.values() if isinstance(value, dict) and "p50_ms" in value]
    assert times
    assert all(0 < value["p50_ms"] <= value["p99_ms"] for value in times)
    assert {"web-1", "postgres"} <= found["cpu_us"].keys()


def test_the_ceilings_are_of_the_same_run(figures):
    assert figures["ceiling_rows"]["per_s_by_itself"] > 0
    assert figures["ceiling_rows"]["per_s_in_batches"] > 0
    assert figures["ceiling_supplier"]["done"] > 0


def test_the_report_tells_of_every_part(figures):
    assert [line.split()[0] for line in text(figures).splitlines() if line[0] != " " and not line.startswith("ceiling")] == list(PARTS)
