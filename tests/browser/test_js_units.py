"""The page's own libraries, under node's test runner."""

import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent


def test_javascript_units() -> None:
    node = shutil.which("node")
    assert node, "node is a prerequisite of the tests (see README.md)"
    files = sorted(str(path) for path in (HERE / "js").glob("*.test.mjs"))
    done = subprocess.run([node, "--no-warnings", "--test", *files], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
