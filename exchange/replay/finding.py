"""A difference found by reading the memory again."""

from typing import Any

import msgspec

LIMIT = 20  # rows listed per check; more say nothing new


class Finding(msgspec.Struct, frozen=True):
    """`check` names what was looked at, `row` what is wrong there, in values that JSON can hold."""

    check: str
    row: dict[str, Any]


class Findings:
    """The first `LIMIT` findings of every check, and how many there were."""

    def __init__(self) -> None:
        self.listed: list[Finding] = []
        self.counts: dict[str, int] = {}

    def add(self, check: str, **row: Any) -> None:
        count = self.counts[check] = self.counts.get(check, 0) + 1
        if count <= LIMIT:
            self.listed.append(Finding(check, row))

    def of(self, check: str) -> list[dict[str, Any]]:
        return [finding.row for finding in self.listed if finding.check == check]

    def __bool__(self) -> bool:
        return bool(self.counts)
