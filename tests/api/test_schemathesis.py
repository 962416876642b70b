"""Every operation of the OpenAPI document is driven against the running exchange by what the document itself allows and forbids.

No request may break the server; every answer has to be as described, its status, type, headers and body; what the document
forbids has to be refused, and what is refused leaves every table as it was (TRUST.md, E).
"""

import contextlib
import functools
import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import schemathesis
from hypothesis import HealthCheck, seed, settings
from schemathesis import Case, GenerationMode, Response
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.pytest.lazy import get_all_tests

from exchange.api import openapi
from tests.api.cast import Cast
from tests.api.described import check_body
from tests.api.real_things import chance_of, make_real, play
from tests.api.scenes import Scenes
from tests.api.state import state_of_callers

SEED = 20261201
# Of each kind, right and wrong; the cases that the document's own limits suggest come on top.
EXAMPLES = 500 if os.environ.get("TORTURE") == "1" else 25
load_all_checks()
DESCRIBED = CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "unsupported_method",
        "allow_header_conformance",
        "missing_required_header",
    ]
)
REJECTED = CHECKS.get_one("negative_data_rejection")
# A request as described may still be refused for what the schema of one field can't say.
BEYOND_CODES = {"conflict", "required", "out_of_range", "off_tick", "unknown_instrument", "unknown_value", "not_supported", "not_json"}
BEYOND_RULES = {"is not a cursor of this list", "holds characters that can't be taken", "is no moment of the calendar"}
BATCH = "/api/v1/orders/batch"
NASTY_QUERIES = (
    "colour=red", "colour", "=", "%00=1", "colour=%00", "colour=%ff", "colour=%ed%a0%80", "limit=1&limit=1", "cursor=%00", "limit=1e3", "limit=-1",
    "&".join(f"a{n}=1" for n in range(60)), "c" * 5000, "colour[]=1", "__proto__=1", "$where=1", "limit=%D9%A3", "%F0%9F%98%80=1",
)  # fmt: skip
driven: Counter[tuple[str, int]] = Counter()
PATHS = openapi.document()["paths"]
OPERATIONS = [f"{method} {path}" for path, operations in PATHS.items() for method in operations]


@pytest.fixture(scope="module")
def cast(start_exchange) -> Iterator[Cast]:
    """Callers on an exchange without its timetable, so that nothing changes but by requests."""
    exchange = start_exchange()
    cast = Cast(exchange)
    held = [exchange.parts()[name] for name in ("sweeper", "scheduler")]
    scenes_of(cast)
    for pid in held:
        os.killpg(pid, signal.SIGSTOP)
    yield cast
    for pid in held:
        os.killpg(pid, signal.SIGCONT)


def done() -> set[str]:
    """The operations that have not only been refused."""
    return {label for label, status in driven if status < 300}


@functools.cache
def scenes_of(cast: Cast) -> Scenes:
    return Scenes(cast)


def drive(path: str, mode: GenerationMode, test: Callable[[Case], None]) -> None:
    """Try `test` with cases for every operation of a path: those that follow from its limits, and drawn ones."""
    schema = schemathesis.openapi.from_dict({**openapi.document(), "paths": {path: PATHS[path]}})
    schema.config.generation.update(modes=[mode], with_security_parameters=False)

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @seed(SEED)
    def one(case: Case) -> None:
        test(case)

    for found in get_all_tests(schema=schema, test_func=one, settings=None, given_kwargs={}):
        _, run = found.ok()
        run()


class Standing:
    """What the venue keeps, by table; `stands` after a request that turned out to be right, and was done."""

    def __init__(self, cursor: psycopg.Cursor) -> None:
        self._cursor = cursor
        self.stands()

    def stands(self) -> None:
        self.tables = state_of_callers(self._cursor)

    def check(self) -> None:
        assert state_of_callers(self._cursor) == self.tables


@pytest.fixture
def unchanged(cast) -> Iterator[Standing]:
    with psycopg.connect(cast.venue.env["DATABASE_URL"], autocommit=True) as database, contextlib.closing(database.cursor()) as cursor:
        standing = Standing(cursor)
        yield standing
        standing.check()


def call(case: Case, cast: Cast, *, may_place: bool = False) -> Response:
    chance = chance_of(case)
    operation = case.operation
    role = cast.of(frozenset(operation.definition.raw.get("x-any-scope", ())), chance)
    # Until it has been done once, by chance or by its scene.
    scene = scenes_of(cast).of(operation.label) if may_place and operation.label not in done() else None
    if scene is None:
        make_real(case, cast, role, chance, may_place=may_place)
    else:
        role = scene.role
        play(case, scene)
    answer = case.call(base_url=cast.venue.base_url, session=role.session, headers=role.headers, timeout=30)
    driven[operation.label, answer.status_code] += 1
    case.validate_response(answer, checks=DESCRIBED)
    if case.method.upper() == operation.method.upper():
        check_body(operation.path, operation.method, answer.status_code, answer.json())
    return answer


def written_whole(value: Any) -> Any:
    """JSON Schema can't tell 1.0 from 1, and so draws it as an integer. Here numbers are written without a point, as their descriptions say."""
    if isinstance(value, dict):
        return {name: written_whole(part) for name, part in value.items()}
    if isinstance(value, list):
        return [written_whole(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def forbids_something(operation: dict[str, Any]) -> bool:
    """One without parameters and body does not; nasty queries it gets below."""
    return bool(operation.keys() & {"parameters", "requestBody"})


def beyond_schema(error: dict[str, str]) -> bool:
    """A manifest has rules across its fields, with codes of their own; no JSON is taken with numbers that readers lose, or NUL in a text."""
    if error["code"] == "malformed" and error["detail"].startswith(("the number ", "a text holds ")):
        return True
    return error["code"] in BEYOND_CODES or error["detail"] in BEYOND_RULES or error["field"].startswith(("manifest.", "terms."))


@pytest.mark.parametrize("path", PATHS)
def test_what_is_right_is_understood(cast, path):
    def understood(case: Case) -> None:
        if case.operation.definition.raw.get("requestBody"):
            case.body = written_whole(case.body)
        answer = call(case, cast, may_place=True)
        if answer.status_code == 400:
            errors = answer.json()["field_errors"]
            assert errors, answer.text
            assert all(beyond_schema(error) for error in errors), answer.text

    drive(path, GenerationMode.POSITIVE, understood)


@pytest.mark.parametrize("path", [path for path, operations in PATHS.items() if any(map(forbids_something, operations.values()))])
def test_what_is_wrong_is_refused_and_changes_nothing(cast, unchanged, path):
    def refused(case: Case) -> None:
        answer = call(case, cast)
        if path == BATCH and answer.status_code == 200:
            # One result each, so what is wrong with one operation is said in its place.
            assert any(400 <= result["status"] < 500 for result in answer.json()["results"]), answer.text
        else:
            case.validate_response(answer, checks=[REJECTED])
            if case.method != "GET" and answer.status_code < 300:
                unchanged.stands()

    drive(path, GenerationMode.NEGATIVE, refused)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_nasty_queries_are_refused_and_change_nothing(cast, unchanged, operation):
    """Also where the document knows no parameter at all."""
    method, path = operation.split()
    role = cast.of(frozenset(PATHS[path][method].get("x-any-scope", ())), random.Random(SEED))
    for query in NASTY_QUERIES:
        url = f"{cast.venue.base_url}{cast.named(path, role)}?{query}"
        answer = role.session.request(
            method.upper(), url, headers=role.headers, json={} if method in {"post", "patch"} else None, timeout=30
        )
        assert 400 <= answer.status_code < 500, (query[:60], answer.status_code, answer.text)
        check_body(path, method, answer.status_code, answer.json())


def test_nothing_broke_the_server():
    """Of all that was driven above, whatever else its descriptions lack."""
    assert sorted(label for label, status in driven if status >= 500) == []


def test_no_operation_was_only_refused(capsys):
    labels = {label for label, _ in driven}
    with capsys.disabled():
        print(f"\n{driven.total()} requests to {len(labels)} operations")
    assert sorted(labels - done()) == []


def test_the_document_is_the_one_that_is_served(cast):
    assert cast.roles["nobody"].get("schema") == openapi.document()


def test_nothing_that_was_done_broke_an_invariant(cast):
    cast.venue.manage("audit")
    cast.venue.manage("replay")
