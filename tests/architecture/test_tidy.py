"""Style that no linter knows: sizes, names, floats, words the project does not use."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MOST_LINES = 400
MOST_FUNCTION_LINES = 70
BANNED_NAMES = {"utils", "helpers", "common", "manager", "misc", "util", "helper"}
# Amounts are integers; a float may only measure seconds and shares, and only in rooms that do.
MEASURING = (
    "bench",
    "supervision",
    "embedded",
    "feed",
    "sockets",
    "demo",
    "management",
    "audit",
    "replay",
    "api",
    "admin",
    "web",
    "settings",
    "tasks",
    "adapters",
    "services/rate_limit",
    "services/sweeping",
)
TRACKED = [
    ROOT / line for line in subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True).splitlines()
]
PYTHON = [p for p in TRACKED if p.suffix == ".py" and "migrations" not in p.parts and p.exists()]
PRODUCT = [p for p in PYTHON if p.relative_to(ROOT).parts[0] in ("exchange", "rights", "settlement")]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_a_file_is_one_thing(path):
    assert len(path.read_text().splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_functions_fit_a_screen(path):
    tree = ast.parse(path.read_text())
    long = [
        n.name
        for n in ast.walk(tree)
        if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) and (n.end_lineno or 0) - n.lineno > MOST_FUNCTION_LINES
    ]
    assert long == []


@pytest.mark.parametrize("path", PYTHON, ids=name_of)
def test_names_say_what_is_inside(path):
    assert not BANNED_NAMES & {part.removesuffix(".py") for part in path.relative_to(ROOT).parts}


@pytest.mark.parametrize("path", [p for p in PRODUCT if not any(f"/{room}" in name_of(p) for room in MEASURING)], ids=name_of)
def test_no_floats_where_amounts_live(path):
    tree = ast.parse(path.read_text())
    found = [n.lineno for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, float)]
    found += [n.lineno for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id == "float"]
    found += [n.lineno for n in ast.walk(tree) if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Div) and "Path" not in path.read_text()]
    assert found == []


def test_nothing_private_or_foreign_is_tracked():
    secret = re.compile(
        r"BEGIN (?:RSA |EC |OPENSSH )?PRIVATE KEY|registry\.npmjs\.org|pypi\.org/simple|files\.pythonhosted|/root/|/home/[a-z]+/"
    )
    texts = [
        p
        for p in TRACKED
        if p.exists()
        and p.suffix in {".py", ".md", ".json", ".js", ".mjs", ".css", ".html", ".toml", ".txt", ".yml", ""}
        and p != Path(__file__)
    ]
    assert [name_of(p) for p in texts if p.is_file() and secret.search(p.read_text(errors="ignore"))] == []


def test_assets_are_not_vendored():
    assert [name_of(p) for p in TRACKED if "vendor" in p.parts or p.name.endswith(".min.js")] == []
