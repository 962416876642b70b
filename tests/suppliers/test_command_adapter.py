"""The local command runtime: JSON in, JSON out, and nothing left running."""

import sys
from pathlib import Path

import msgspec
import pytest

from settlement.adapters import command
from tests.plugins.live import wait_until
from tests.suppliers.legs import a_leg, soon

_COUNT = """
import json, sys
asked = json.load(sys.stdin)
print(json.dumps({"items": len(asked["body"]["jobs"]), "said": asked["operation"], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}))
"""
_SLEEPER = "import subprocess, sys, pathlib; p = subprocess.Popen(['sleep', '600']); pathlib.Path({!r}).write_text(str(p.pid)); p.wait()"
_JOBS = {"jobs": ["one", "two", "three"]}


@pytest.fixture
def program(settings):
    def make(text):
        settings.COMMAND_RUNTIMES = {"tool": [sys.executable, "-c", text]}
        return a_leg("", "jobs.run", adapter="command", model="tool", unit="jobs")

    return make


async def test_what_it_answers_is_the_report(program):
    report = await command.call(program(_COUNT), _JOBS, soon())
    assert (report.fault, report.usage.items, report.usage.tokens) == ("", 3, 7)
    assert msgspec.json.decode(report.output)["said"] == "jobs.run"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("raise SystemExit(3)", "command_failed"),
        ("print('no JSON')", "answer_malformed"),
        ("print('[1]')", "answer_malformed"),
        ("print('{\"items\": -1}')", "answer_malformed"),
        ('print(\'{"usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 9}}\')', "answer_malformed"),
        ("import sys; sys.stdout.write('x' * 9_000_000)", "answer_malformed"),
    ],
)
async def test_what_is_no_answer_has_a_name(program, text, fault):
    report = await command.call(program(text), _JOBS, soon())
    assert (report.fault, report.output) == (fault, b"")


async def test_only_what_the_settings_name_is_run(program, settings):
    leg = program(_COUNT)
    settings.COMMAND_RUNTIMES = {}
    assert (await command.call(leg, _JOBS, soon())).fault == "command_unknown"
    settings.COMMAND_RUNTIMES = {"tool": ["/nowhere/at/all"]}
    assert (await command.call(leg, _JOBS, soon())).fault == "command_unknown"


async def test_what_it_started_ends_with_it(program, tmp_path):
    note = tmp_path / "pid"
    leg = program(_SLEEPER.format(str(note)))
    leg = msgspec.structs.replace(leg, endpoint=msgspec.structs.replace(leg.endpoint, timeout_ms=2_000))
    report = await command.call(leg, _JOBS, soon())
    assert report.fault == "supplier_timeout"
    wait_until(lambda: not _lives(int(note.read_text())), 10, "the child to end")


def _lives(pid):
    """Whether the process runs; one that waits to be fetched has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
