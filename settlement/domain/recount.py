"""What the venue itself can count of an output, whoever says what it is (SPEC §8: facts, not claims). Pure.

Things are counted exactly: an output that is a list of them has as many as are there, any other is one. Tokens are only bounded from
above: no tokenizer makes more tokens of a text than it has bytes, but for the few that a chat template puts around each message.
Time is bounded by how long the node has had the job.
"""

import json
from typing import Any

import msgspec

# Where results of known shapes keep their list.
_LISTS = ("data", "outputs", "choices", "results")
_THINGS = frozenset({"requests", "jobs", "frames"})
_TEMPLATE_TOKENS = 16
_TIMES_US = {"seconds": 1_000_000, "minutes": 60_000_000}


class Count(msgspec.Struct, frozen=True):
    """`exact` where it is certain; `most` what it can't exceed. None: the venue can't tell."""

    exact: int | None = None
    most: int | None = None

    def allows(self, units: int) -> bool:
        return (self.exact is None or units == self.exact) and (self.most is None or units <= self.most)


def recount(*, unit: str, asked: str, output: str, held_us: int | None = None) -> Count:
    """The venue's own count of `output`, the answer to the payload `asked`, by a node that has had the job for `held_us`."""
    if unit in _THINGS:
        return Count(exact=_things(output))
    if unit == "tokens":
        return Count(most=len(asked.encode()) + len(output.encode()) + _TEMPLATE_TOKENS * (1 + _messages(asked)))
    if unit in _TIMES_US and held_us is not None:
        return Count(most=-(-held_us // _TIMES_US[unit]))
    return Count()


def _things(output: str) -> int:
    """The parts of a list that are there: null stands for one that was not done."""
    found = _read(output)
    if isinstance(found, dict):
        found = next((found[name] for name in _LISTS if isinstance(found.get(name), list)), found)
    if isinstance(found, list):
        return sum(part is not None for part in found)
    return int(bool(output.strip()) and found is not None)


def _messages(asked: str) -> int:
    found = _read(asked)
    messages = found.get("messages") if isinstance(found, dict) else None
    return len(messages) if isinstance(messages, list) else 1


def _read(text: str) -> Any:
    """The value of a JSON text; any other text is itself."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
