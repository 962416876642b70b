"""Imports only run down: the contracts of .importlinter hold."""

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports


def test_floors_and_rooms():
    assert lint_imports(cache_dir=None) == EXIT_STATUS_SUCCESS
