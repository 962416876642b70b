"""The agent that suppliers run: its key, and the command it does its jobs with."""

import json
import stat
import sys

import pytest

from exchange.management.node.agent import JobFailed
from exchange.management.node.client import Done, signed_result
from exchange.management.node.command import CommandWork, read_result
from exchange.management.node.key_file import node_key
from settlement.domain.node_results import Asked, Result, lie_in

JOB = "job_0192e4a0-0000-7000-8000-000000000001"
LEASE = {
    "job_id": JOB,
    "workload": "text.generation",
    "operation": "chat.completions",
    "model": "words",
    "unit": "tokens",
    "units": "40",
    "deadline": "2026-12-01T00:00:00.000000Z",
    "payload": "héllo",
}
COUNTING = """
import json, os, sys
asked = sys.stdin.read()
print(json.dumps({"output": f"{os.environ['JOB_ID']} {os.environ['JOB_UNITS']} {os.environ['JOB_MODEL']} {asked}", "units": "7", "partial": True}))
"""


def test_a_key_is_made_once_and_is_its_owners(tmp_path):
    path = tmp_path / "node.json"
    made = node_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    made.node_id = "nod_x"
    made.keep(path)
    again = node_key(path)
    assert (again.public_key, again.node_id) == (made.public_key, "nod_x")
    for text in ("{}", "[]", "x", '{"seed": 7, "node_id": ""}', '{"seed": "zz", "node_id": ""}'):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"."):
            node_key(path)


def test_what_it_hands_in_holds(tmp_path):
    key = node_key(tmp_path / "node.json")
    told = signed_result(key, JOB, Done("ten tokens", 10))
    result = Result(JOB.removeprefix("job_"), 10, told["output"], told["output_hash"], told["signature"])
    assert lie_in(result, asked=Asked("tokens", 40, ""), public_key=key.public_key) is None
    assert "partial" not in told
    assert signed_result(key, JOB, Done("", 0, is_partial=True))["partial"] is True


async def test_a_command_does_a_job():
    done = await CommandWork([sys.executable, "-c", COUNTING])(LEASE)
    assert done == Done(f"{JOB} 40 words héllo", 7, is_partial=True)


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        ([sys.executable, "-c", "import sys; sys.exit('out of memory')"], "exit code 1: out of memory"),
        ([sys.executable, "-c", "print('done')"], "did not write a result"),
        (["/no/such/command"], "can't be run"),
    ],
)
async def test_a_command_that_fails_gives_the_job_back(argv, why):
    with pytest.raises(JobFailed, match=why):
        await CommandWork(argv)(LEASE)


def test_results_of_commands():
    assert read_result(b'{"output": "x", "units": 3}') == Done("x", 3)
    good = {"output": "x", "units": "3"}
    for wrong in (
        {"units": "-1"},
        {"units": True},
        {"units": "1e3"},
        {"units": "\u0663"},
        {"output": 7},
        {"partial": "no"},
        {"units": None},
    ):
        with pytest.raises(JobFailed):
            read_result(json.dumps({**good, **wrong}).encode())
    for raw in (b"", b"[]", b"7", b"{}", b'{"output": "x"}', b"\xff"):
        with pytest.raises(JobFailed):
            read_result(raw)
