"""docs/errors.md is what the error table says."""

from pathlib import Path

from exchange.api.error_page import error_page
from exchange.api.error_table import TABLE

PAGE = Path(__file__).resolve().parents[4] / "docs" / "errors.md"


def test_the_page_is_the_tables():
    assert PAGE.read_text(encoding="utf-8") == error_page(), "python manage.py error_page > docs/errors.md"


def test_every_code_stands_on_it_once():
    text = error_page()
    assert [code for code in TABLE if text.count(f"| `{code}` |") != 1] == []
