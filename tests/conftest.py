"""Fixtures for all tests. Servers and the running exchange are plugins (`tests/plugins`), named in pyproject.toml."""
