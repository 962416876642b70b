"""Every code that can be said is listed."""

import ast
import re
from pathlib import Path

from exchange.api.error_table import TABLE
from exchange.domain.command import Reason
from rights.domain.gates import CODES

ROOT = Path(__file__).resolve().parents[4]


def test_reasons_and_gates_are_listed():
    assert {reason.name.lower() for reason in Reason} - {"none"} <= TABLE.keys()
    assert set(CODES) <= TABLE.keys()


def test_codes_of_the_registry_are_listed():
    source = "".join(p.read_text() for name in ("services", "domain") for p in (ROOT / "rights" / name).glob("*.py"))
    source += (ROOT / "settlement/services/issuance.py").read_text()
    said = set(re.findall(r"(?:Refusal|(?:lifecycle|supply)_refused)\(\s*\[?(?:Refusal\()?\"([a-z_]+)\"", source))
    assert len(said) > 15
    assert said <= TABLE.keys()


def test_every_problem_in_the_sources_has_a_listed_code():
    said = set()
    for path in (ROOT / "exchange").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "Problem":
                first = node.args[0] if node.args else None
                if isinstance(first, ast.Constant):
                    said.add(first.value)
    assert len(said) > 10
    assert said <= TABLE.keys(), said - TABLE.keys()


def test_titles_are_sentences_and_statuses_errors():
    for code, row in TABLE.items():
        assert re.fullmatch(r"[a-z][a-z_]*", code)
        assert row.title[0].isupper()
        assert not row.title.endswith(".")
        assert 400 <= row.status < 600
