"""docs/invariants.md is what the registry says."""

from pathlib import Path

from exchange.audit.page import page
from exchange.audit.registry import CHECKS, SENTENCES

DOCUMENT = Path(__file__).parents[3] / "docs" / "invariants.md"


def test_the_page_is_up_to_date() -> None:
    assert DOCUMENT.read_text() == page(), "python -m exchange.audit.page > docs/invariants.md"


def test_every_code_has_checks_of_different_names() -> None:
    assert {check.code for check in CHECKS} == set(SENTENCES)
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    assert all(bool(check.sql) != bool(check.walk) for check in CHECKS)
