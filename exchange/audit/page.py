"""docs/invariants.md, written from the registry (a test compares)."""

from exchange.audit.registry import CHECKS, SENTENCES

_HEAD = """# What holds always

`python manage.py audit` asks every question below in one read-only snapshot, without a lock, and exits 1 with the offending rows when
an answer is wrong; `--json` for programs. `--quick` leaves out the questions marked *journal*, which read the whole memory again.
Each question has a deliberate breakage among the tests (`tests/integration/audit`, `tests/replay`) that sees it fail.

Written from `exchange/audit/registry.py` by `python -m exchange.audit.page > docs/invariants.md`.
"""


def page() -> str:
    """The whole document."""
    parts = [_HEAD]
    for code, sentence in SENTENCES.items():
        parts.append(f"## {code}: {sentence}\n")
        parts += [f"- `{c.name}`{' (*journal*)' if c.walk else ''} {c.says}" for c in CHECKS if c.code == code]
        parts.append("")
    return "\n".join(parts).rstrip() + "\n"


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - the document is what this module prints
