"""The demand: one hour of real requests to two services of a large cloud, or a generator of the same shape.

The trace is the Azure LLM inference trace 2023 (CC-BY 4.0; Patel et al., "Splitwise", ISCA 2024), read from where it is;
it is not part of this repository. The constants below were measured on it: rates over the whole span, mean and standard
deviation of the logarithm of the token counts, and for the coding service the share of ten-second spans without a request.
"""

import csv
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import msgspec

SPAN_US = 3_500 * 1_000_000
FOLDER = "azure-llm-2023"


class Call(msgspec.Struct, frozen=True, order=True):
    """One request: when after the start, tokens read and written, and which service it went to."""

    at_us: int
    context: int
    generated: int
    service: str


class Shape(msgspec.Struct, frozen=True):
    """Measured: requests per second, ln-normal token counts, and how bursty (share of quiet spans)."""

    service: str
    per_1000_s: int
    context_ln: tuple[float, float]
    generated_ln: tuple[float, float]
    most_context: int
    most_generated: int
    quiet_percent: int


# conv.csv: 19,366 requests in 3,502 s; code.csv: 8,819 in 3,436 s, in bursts.
CONVERSATION = Shape("conv", 5_530, (6.633, 0.985), (5.019, 0.859), 14_050, 1_000, 0)
CODING = Shape("code", 2_567, (6.999, 1.360), (2.788, 0.847), 7_437, 1_899, 50)


def trace_folder() -> Path | None:
    """Where the trace lies: under SHARED_DATA, or beside the repository in shared/data."""
    given = os.environ.get("SHARED_DATA", "")
    beside = Path(__file__).resolve().parents[4] / "shared" / "data"
    for folder in ([Path(given)] if given else []) + [beside]:
        found = folder if folder.name == FOLDER else folder / FOLDER
        if (found / "conv.csv").is_file() and (found / "code.csv").is_file():
            return found
    return None


def read_trace(folder: Path) -> list[Call]:
    """Both services' requests in the order of time."""
    calls: list[Call] = []
    for service in ("conv", "code"):
        with (folder / f"{service}.csv").open(encoding="utf-8", newline="") as file:
            found = [(_moment(row["TIMESTAMP"]), int(row["ContextTokens"]), int(row["GeneratedTokens"])) for row in csv.DictReader(file)]
        calls += [Call(at - found[0][0], context, generated, service) for at, context, generated in found]
    return sorted(calls)


def _moment(text: str) -> int:
    """Microseconds; the trace writes seven decimals."""
    moment = datetime.strptime(text[:26], "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond


def generate(seed: int) -> list[Call]:
    """A span of requests of the same shape, the same for the same seed."""
    chance = Random(f"{seed}:trace")
    return sorted(call for shape in (CONVERSATION, CODING) for call in _requests(shape, chance))


def _requests(shape: Shape, chance: Random) -> Iterator[Call]:
    burst_us = 10 * 1_000_000
    gap_us = 1_000_000_000 // shape.per_1000_s * (100 - shape.quiet_percent) // 100
    for start in range(0, SPAN_US, burst_us):
        if chance.randrange(100) < shape.quiet_percent:
            continue
        at = start + round(chance.expovariate(1) * gap_us)
        while at < start + burst_us:
            context = min(shape.most_context, max(1, round(chance.lognormvariate(*shape.context_ln))))
            generated = min(shape.most_generated, max(1, round(chance.lognormvariate(*shape.generated_ln))))
            yield Call(at, context, generated, shape.service)
            at += max(1, round(chance.expovariate(1) * gap_us))
