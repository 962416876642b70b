"""Requests from files: any CSV whose columns are a time, tokens read and tokens written, in this order or by the trace's names."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from exchange.demo.bots.trace import Call

_NAMES = (("timestamp", "time", "at"), ("contexttokens", "context_tokens", "context"), ("generatedtokens", "generated_tokens", "generated"))
SECOND_US = 1_000_000


class Unreadable(Exception):
    """A file that holds no requests, in words."""


def read_requests(where: Path) -> list[Call]:
    """The requests of a CSV, or of every CSV in a folder (each a service), in order of time from the first one of all. Raises Unreadable."""
    files = sorted(where.glob("*.csv")) if where.is_dir() else [where]
    found = [(at, context, generated, file.stem) for file in files for at, context, generated in _rows(file)]
    if not found:
        raise Unreadable(f"{where} holds no requests")
    first = min(row[0] for row in found)
    return sorted(Call(at - first, context, generated, service) for at, context, generated, service in found)


def _rows(file: Path) -> Iterator[tuple[int, int, int]]:
    with file.open(encoding="utf-8", newline="") as opened:
        reader = csv.reader(opened)
        columns = None
        for number, row in enumerate(reader, 1):
            if columns is None:
                columns = _columns(row)
                if columns is not None:
                    continue
                columns = (0, 1, 2)
            try:
                yield _moment_us(row[columns[0]]), max(0, int(row[columns[1]])), max(0, int(row[columns[2]]))
            except (IndexError, ValueError) as error:
                raise Unreadable(f"{file.name}, line {number}: a time, tokens read and tokens written are expected") from error


def _columns(header: list[str]) -> tuple[int, int, int] | None:
    """Where the three stand, by their names; None when the first line is a request already."""
    names = [name.strip().lower() for name in header]
    found = [next((names.index(name) for name in alike if name in names), -1) for alike in _NAMES]
    return (found[0], found[1], found[2]) if min(found) >= 0 else None


def _moment_us(text: str) -> int:
    """Seconds since any moment, or a date and time with up to seven decimals."""
    if text.replace(".", "", 1).isdigit():
        seconds, _, part = text.partition(".")
        return int(seconds) * SECOND_US + int(part[:6].ljust(6, "0"))
    moment = datetime.fromisoformat(text.strip()[:26])
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(aware.timestamp()) * SECOND_US + moment.microsecond
