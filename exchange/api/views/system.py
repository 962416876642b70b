"""Ping, health, the error table, fees, the calendar and the vocabulary: for anybody."""

import time
from typing import Any, ClassVar

import msgspec
import redis
from django.db import DatabaseError, InterfaceError
from psycopg_pool import PoolTimeout
from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api import render
from exchange.api.base import ApiView, listing, page
from exchange.api.doc import Doc
from exchange.api.error_table import TABLE
from exchange.api.permissions import PUBLIC
from exchange.selectors import accounts, health, instruments
from exchange.services import bell
from rights.domain.dominance import RULES, WINDOW_RULES
from rights.domain.vocabulary import AXES
from rights.kernel.clock import rfc3339

LATE_US = 5_000_000


class TimeView(ApiView):
    scopes: ClassVar = {"GET": PUBLIC}
    docs: ClassVar = {"GET": Doc("The venue's clock", "Time")}

    def get(self, _request: Request) -> Response:
        return Response({"time": rfc3339(self.now_us)})


class StatusView(ApiView):
    """Answers whatever is broken, and says what. `ready`: orders can be promised."""

    scopes: ClassVar = {"GET": PUBLIC}
    docs: ClassVar = {"GET": Doc("Health of the venue's parts", "Status")}
    authentication_classes = []

    def get(self, _request: Request) -> Response:
        return Response(status_body(self.now_us))


def status_body(now_us: int) -> dict[str, Any]:
    """The parts, each with its state; `status` is the worst of them in a word."""
    components = {"redis": _redis()}
    books = dict.fromkeys(render.PHASES.values(), 0)
    began = time.perf_counter()
    try:
        seen = health.matching()
    except (DatabaseError, InterfaceError, PoolTimeout):
        components["database"] = {"state": "down"}
        components["matcher"] = {"state": "unknown"}
    else:
        components["database"] = {"state": "up", "latency_ms": _millis(time.perf_counter() - began)}
        late = seen.oldest_age_us > LATE_US
        components["matcher"] = {
            "state": "late" if late else "up",
            "pending_commands": str(seen.pending),
            "oldest_pending_ms": str(seen.oldest_age_us // 1000),
        }
        books |= {render.PHASES[phase]: count for phase, count in seen.phases.items()}
    ready = components["database"]["state"] == "up"
    sound = ready and all(part["state"] == "up" for part in components.values())
    word = "ok" if sound else ("degraded" if ready else "down")
    return {"status": word, "ready": ready, "time": rfc3339(now_us), "components": components, "books": books}


def _redis() -> dict[str, str]:
    began = time.perf_counter()
    try:
        bell.client().ping()
    except (redis.RedisError, OSError):
        return {"state": "down"}
    return {"state": "up", "latency_ms": _millis(time.perf_counter() - began)}


def _millis(seconds: float) -> str:
    return f"{seconds * 1000:.1f}"


class ErrorsView(ApiView):
    scopes: ClassVar = {"GET": PUBLIC}
    docs: ClassVar = {"GET": Doc("Every error code there is", "ErrorRow", listed=True)}

    def get(self, _request: Request) -> Response:
        rows = [
            {
                "code": row.code,
                "status": row.status,
                "title": row.title,
                "retryable": row.retryable,
                "family": row.family,
                "lifted_by": row.lifted_by,
            }
            for row in TABLE.values()
        ]
        return listing(rows)


class FeesView(ApiView):
    scopes: ClassVar = {"GET": PUBLIC}
    queries: ClassVar = {"GET": ("limit", "cursor")}
    docs: ClassVar = {"GET": Doc("Fee schedule of every instrument that trades", "Fees", listed=True)}

    def get(self, _request: Request) -> Response:
        limit, after = self.query.limit(), self.query.cursor("fees", "s")
        found = accounts.fees(limit=limit, after=str(after[0]) if after else "")
        return page(found, limit, "fees", lambda row: (row[0],), fee_row)


def fee_row(row: tuple[str, int, int]) -> dict[str, object]:
    return {"instrument": row[0], "maker_bps": row[1], "taker_bps": row[2]}


class CalendarView(ApiView):
    scopes: ClassVar = {"GET": PUBLIC}
    queries: ClassVar = {"GET": ("limit", "cursor", "class")}
    docs: ClassVar = {"GET": Doc("When instruments open, close and expire", "CalendarEntry", listed=True)}

    def get(self, _request: Request) -> Response:
        limit, after = self.query.limit(), self.query.cursor("calendar", "s")
        found = instruments.instruments(
            now_us=self.now_us, limit=limit, after=str(after[0]) if after else "", class_key=self.query.symbol("class")
        )
        return page(found, limit, "calendar", lambda row: (row.symbol,), render.calendar)


class VocabularyView(ApiView):
    scopes: ClassVar = {"GET": PUBLIC}
    docs: ClassVar = {"GET": Doc("How the two common spellings of each axis map to each other, and what is better", "Vocabulary")}

    def get(self, _request: Request) -> Response:
        dimensions = [{"field": field, "better": rule.words} for field, rule in RULES.items()]
        window = [{"field": field, "better": words} for field, words in WINDOW_RULES.items()]
        return Response({"axes": [msgspec.to_builtins(axis) for axis in AXES], "dimensions": [*dimensions, *window]})
