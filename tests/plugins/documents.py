"""The commands that documents tell their readers to type: fenced blocks under `<!-- run: name -->`, typed as they stand.

Blocks of one document share one terminal, as the documents say. What is changed is the address alone: a test's exchange has a port of
its own.
"""

import re
import subprocess
from pathlib import Path

from tests.plugins.live import ROOT, LiveExchange

_ADDRESS = "http://127.0.0.1:8000"
_BLOCK = re.compile(r"^<!-- run: (?P<name>[a-z]+)[a-z ]* -->\n```sh\n(?P<commands>.*?)^```$", re.MULTILINE | re.DOTALL)
_PATIENCE_S = 300.0


def with_blocks() -> list[str]:
    """Every document that has marked commands."""
    documents = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [str(each.relative_to(ROOT)) for each in documents if blocks(each)]


def blocks(document: Path) -> dict[str, str]:
    """The marked commands of a document by name, in its order."""
    return {found["name"]: found["commands"] for found in _BLOCK.finditer(document.read_text(encoding="utf-8"))}


def type_in(document: str, exchange: LiveExchange) -> dict[str, str]:
    """Type a document's marked blocks into one terminal in the project's directory; answers what each printed. No command may fail."""
    script = "".join(f"echo '@@ {name}'\n{commands}" for name, commands in blocks(ROOT / document).items())
    done = subprocess.run(
        ["bash", "-e", "-c", script.replace(_ADDRESS, exchange.base_url)],
        cwd=ROOT,
        env=exchange.env | {"EXCHANGE_URL": exchange.base_url},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, f"a command of {document} failed:\n{done.stdout}"
    assert "/errors#" not in done.stdout, f"the venue refused what {document} says:\n{done.stdout}"
    parts = re.split(r"^@@ ([a-z]+)\n", done.stdout, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))
