"""How quickly the registry's pages answer when it is large: `python manage.py bench --registry [--rights N] [--events N] [--keep DIR]`.

Pages are asked over HTTP, on one connection, of the web process that `manage.py up` runs; each of many callers about what is his. Figures are
of whole answers. Every statement behind a page is explained, and one that reads a large table from end to end fails the run.
"""

import http.client
import json
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec
from django.test import Client

from benchmarks.registry_fills import BUYERS, sell
from benchmarks.registry_load import Loaded, Sizes, load
from benchmarks.registry_plans import LARGE, whole_reads
from benchmarks.registry_servers import PIDS
from exchange.bench import processes
from exchange.services import keys
from rights.kernel import rows
from rights.kernel.clock import now_us

CALLERS = 40
SEED = 7


class Page(msgspec.Struct, frozen=True):
    """One kind of page: paths that are asked in turn, each with the token of whoever asks."""

    name: str
    asked: list[tuple[str, str]]


class Figure(msgspec.Struct, frozen=True):
    p50_ms: float
    p95_ms: float
    worst_ms: float
    cpu_ms: float  # of database and web, per answer: what the machine's other work does not change
    times: int


Get = Callable[[str, str], dict[str, Any]]


class Over:
    """One connection to the web, kept open."""

    def __init__(self, host: str, port: int) -> None:
        self._link = http.client.HTTPConnection(host, port, timeout=60)

    def __call__(self, path: str, token: str) -> dict[str, Any]:
        self._link.request("GET", f"/api/v1/{path}", headers={"Authorization": f"Bearer {token}"})
        answer = self._link.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body[:300]!r}")
        return json.loads(body)  # type: ignore[no-any-return]


def here(path: str, token: str) -> dict[str, Any]:
    """The same request, answered in this process."""
    answer = Client(raise_request_exception=True).get(
        f"/api/v1/{path}", headers={"Authorization": f"Bearer {token}"}, SERVER_NAME="127.0.0.1"
    )
    if answer.status_code != 200:
        raise RuntimeError(f"{path}: {answer.status_code} {answer.content[:300]!r}")
    return json.loads(answer.content)  # type: ignore[no-any-return]


def _token(account_id: int, *scopes: str) -> str:
    return keys.create(account_id=account_id, scopes=scopes, label="bench", expires_us=None, now_us=now_us()).token


_BUSIEST = "SELECT holder_id FROM rights_right GROUP BY 1 ORDER BY count(*) DESC LIMIT %s"
_BEGUN = "SELECT 1 FROM rights_participant WHERE slug LIKE 'bench-holder-%%' LIMIT 1"
_MOST_TOLD = "SELECT object_id FROM rights_event WHERE object_id LIKE 'rgt_%%' GROUP BY 1 ORDER BY count(*) DESC LIMIT %s"


def pages(loaded: Loaded, get: Get) -> list[Page]:
    """Every page, with what is asked of it. `get` fetches first pages, whose cursors lead on."""
    chance = random.Random(SEED)
    holders = [(account, _token(account, "read")) for account in chance.sample(loaded.holders, min(CALLERS, len(loaded.holders)))]
    busy = [_token(row[0], "read") for row in rows.fetch_all(_BUSIEST, [5])]
    issuers = [_token(account, "read", "issue") for account in loaded.issuers[:5]]
    auditor = _token(loaded.issuers[0], "read", "audit")
    few = [token for _, token in holders]
    classes = chance.sample(loaded.classes, min(8, len(loaded.classes)))
    symbols = chance.sample(loaded.symbols, min(30, len(loaded.symbols)))
    sample = chance.sample(loaded.sample, min(60, len(loaded.sample)))
    told = [row[0] for row in rows.fetch_all(_MOST_TOLD, [5])]
    large = [f"rgt_{root}" for root, _ in loaded.roots] or told
    some = [f"rgt_{right}" for right, _, _ in sample]

    def every(name: str, paths: Sequence[str], tokens: Sequence[str]) -> Page:
        return Page(name, [(path, token) for token in tokens for path in paths])

    def following(path: str, tokens: Sequence[str]) -> list[tuple[str, str]]:
        """The second pages, where there are any."""
        glue = "&" if "?" in path else "?"
        found = ((get(path, token)["next_cursor"], token) for token in tokens)
        return [(f"{path}{glue}cursor={cursor}", token) for cursor, token in found if cursor]

    frozen_and_class = [f"rights?class={key}&status=frozen" for key in classes]
    found = [
        every("listing, a holder's", ["rights?holder=me"], few),
        every("listing, a busy holder's", ["rights?holder=me", "rights"], busy),
        Page("listing, a busy holder's next page", following("rights?holder=me", busy)),
        every("listing, a busy holder's frozen", ["rights?holder=me&status=frozen"], busy),
        every("listing, a busy holder's of a class", [f"rights?holder=me&class={key}" for key in classes], busy),
        every("listing, an issuer's", ["rights", "rights?status=frozen", f"rights?class={classes[0]}"], issuers),
        every("listing, all", ["rights", "rights?status=issued", "rights?status=finalized"], [auditor]),
        every("listing, all of a class", [f"rights?class={key}" for key in classes] + frozen_and_class, [auditor]),
        every("inventory, a holder's", ["positions"], few),
        every("inventory, a busy holder's", ["positions"], busy),
        every("right", [f"rights/{right}" for right in some], [auditor]),
        Page("eligibility", [(f"rights/{right}/eligibility?instrument={symbol}", auditor) for right in some for symbol in symbols[:2]]),
        every("timeline", [f"rights/{right}/events" for right in some], [auditor]),
        every("timeline, long", [f"rights/{right}/events" for right in told], [auditor]),
        Page("timeline, long, next page", [one for right in told for one in following(f"rights/{right}/events", [auditor])]),
        every("timeline, long, of a type", [f"events?object={right}&type=right.frozen" for right in told], [auditor]),
        every("timeline, of a stream", ["events?stream=series:1", "events?stream=registry"], [auditor]),
        every("lineage", [f"rights/{right}/lineage" for right in some], [auditor]),
        every("lineage, up", [f"rights/{right}/lineage?direction=up" for right in some], [auditor]),
        every("lineage, large", [f"rights/{right}/lineage{more}" for right in large[:20] for more in ("", "?direction=down")], [auditor]),
        Page(
            "lineage, a holder's own",
            [(f"rights/rgt_{right}/lineage?direction=up", _token(holder, "read")) for right, holder, _ in sample[:20]],
        ),
        every("instruments", ["instruments", *(f"instruments?class={key}" for key in classes)], [auditor]),
        every("instrument", [f"instruments/{symbol}" for symbol in symbols], [auditor]),
    ]
    return [page for page in found if page.asked]


def measure(page: Page, get: Get, *, times: int) -> Figure:
    """Ask in turn until `times` answers have come, after each path has been asked once."""
    chance = random.Random(SEED)
    asked = page.asked if len(page.asked) <= times else chance.sample(page.asked, times)
    for path, token in asked[:10]:
        get(path, token)
    took = []
    before_s = _spent_s()
    for number in range(times):
        path, token = asked[number % len(asked)]
        began = perf_counter()
        get(path, token)
        took.append((perf_counter() - began) * 1000)
    cpu_ms = (_spent_s() - before_s) * 1000 / times
    took.sort()
    p50, p95 = took[len(took) // 2], took[max(0, -(-len(took) * 95 // 100) - 1)]
    return Figure(round(p50, 1), round(p95, 1), round(took[-1], 1), round(cpu_ms, 1), times)


def _spent_s() -> float:
    """CPU seconds so far of the servers that registry_servers.py started, with all their children; 0 where they are somebody else's."""
    pids = [int(pid) for pid in os.environ.get(PIDS, "").split()]
    children, total = processes.children(), 0.0
    while pids:
        pid = pids.pop()
        total += processes.cpu_s(pid)
        pids += children.get(pid, [])
    return total


def scans(page: Page, *, large: int) -> list[str]:
    """What of a page reads a large table whole; three of its paths are looked at."""
    chance = random.Random(SEED)
    found = []
    for path, token in chance.sample(page.asked, min(3, len(page.asked))):
        here(path, token)  # so that what is remembered once is not counted
        found += [f"{path}: {scan}" for scan in whole_reads(lambda path=path, token=token: here(path, token), large=large)]  # type: ignore[misc]
    return found


class Sold(msgspec.Struct, frozen=True):
    """A right that was sold in very many fills: (right, its holder), (fill, its buyer), by public id and account."""

    fills: int
    rights: list[tuple[str, int]]
    some: list[tuple[str, int]]


class Registry(msgspec.Struct, frozen=True):
    """What a run asks about; kept beside the data, so that the next run need not load it again."""

    asked: Sizes
    sold: Sold
    loaded: Loaded


def sold_pages(sold: Sold) -> list[Page]:
    """What the buyers of a right that was sold in very many fills ask."""
    tokens = {account: _token(account, "read") for account in {account for _, account in (*sold.rights, *sold.some)}}
    rights, some = ([(thing, tokens[account]) for thing, account in found] for found in (sold.rights, sold.some))
    return [
        Page("sold on, a holding's line", [(f"rights/{right}/lineage?direction=up", token) for right, token in rights]),
        Page("sold on, a holding's family", [(f"rights/{right}/lineage", token) for right, token in rights]),
        Page("sold on, a holding's timeline", [(f"rights/{right}/events", token) for right, token in rights]),
        Page("sold on, a fill's lineage", [(f"fills/{fill}/lineage", token) for fill, token in some]),
    ]


def filled(kept: Path, sizes: Sizes, *, fills: int, say: Callable[[str], None]) -> Registry:
    """The registry that `kept` tells of, or a new one in an empty database.

    Raises ValueError when what is kept has other sizes, or was not loaded whole.
    """
    if kept.exists():
        found = msgspec.json.decode(kept.read_bytes(), type=Registry)
        if (found.asked, found.sold.fills) != (sizes, fills):
            raise ValueError(f"{kept.parent} keeps {found.asked} and {found.sold.fills} fills: ask for as many, or name another directory")
        say(f"{found.loaded.rights} rights, {found.loaded.events} events in {found.loaded.series} series are there already")
        return found
    if rows.fetch_one(_BEGUN):
        raise ValueError(f"loading {kept.parent} was cut short: remove it, or name another directory")
    began = perf_counter()
    rights, some = sell(fills=fills)  # first, while the timetable that opens its book has nothing else to do
    say(f"a right sold in {fills} fills to {BUYERS} buyers in {perf_counter() - began:.0f} s; each keeps one of it")
    rows.execute("SET synchronous_commit = off")  # of this session, which only fills tables
    loaded = load(sizes, now_us=now_us(), say=say)
    say(f"{loaded.rights} rights, {loaded.events} events in {loaded.series} series: loaded in {perf_counter() - began:.0f} s")
    made = Registry(sizes, Sold(fills, rights, some), loaded)
    kept.write_bytes(msgspec.json.encode(made))
    return made


def run(
    *, host: str, port: int, kept: Path, rights: int, events: int, fills: int, times: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Load unless that is done, measure, explain."""
    registry = filled(kept, Sizes(rights=rights, events=events), fills=fills, say=say)
    loaded, get = registry.loaded, Over(host, port)
    figures: dict[str, Any] = {"rights": loaded.rights, "events": loaded.events, "pages": {}, "whole_reads": []}
    for page in [*sold_pages(registry.sold), *pages(loaded, get)]:
        figure = measure(page, get, times=times)
        figures["pages"][page.name] = msgspec.to_builtins(figure)
        say(f"{page.name:<42}{figure.p50_ms:>9.1f}{figure.p95_ms:>9.1f}{figure.worst_ms:>9.1f} ms, CPU{figure.cpu_ms:>7.1f} ms")
        figures["whole_reads"] += scans(page, large=LARGE)
    for scan in figures["whole_reads"]:
        say(scan)
    return figures
