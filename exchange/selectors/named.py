"""Statements with named parameters."""

from collections.abc import Mapping
from typing import Any, cast

from rights.kernel import rows


def fetch_all(sql: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    return rows.fetch_all(sql, cast("Any", values))


def fetch_one(sql: str, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
    return rows.fetch_one(sql, cast("Any", values))


def moment(column: str) -> str:
    """A timestamptz column as microseconds since the epoch."""
    return f"(extract(epoch from {column}) * 1000000)::bigint"
