"""The registry's memory over REST, as each caller may see it."""

import re
from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api.base import ApiView, page
from exchange.api.doc import Doc
from exchange.api.fields import FieldError
from exchange.api.problems import Problem
from exchange.api.views.rights import OneRight
from exchange.selectors.events import Found, Viewer
from rights.kernel.ids import public

_TYPE = re.compile(r"[a-z_]{1,24}(\.[a-z_]{1,24})?", re.ASCII)
_MOST = 2**63 - 1


def _after(key: Any) -> tuple[int, int]:
    return (int(key[0]), int(key[1])) if key else (0, 0)


def _page(found: list[Found], limit: int) -> Response:
    return page(found, limit, "events", lambda row: (row.stream_id, row.seq), lambda row: row.document)


class EventsView(ApiView):
    scopes: ClassVar = {"GET": frozenset({"read", "audit"})}
    queries: ClassVar = {"GET": ("object", "type", "stream", "after_seq", "limit", "cursor")}
    docs: ClassVar = {"GET": Doc("What the registry remembers of an object, oldest first; of a stream, for auditors", "Event", listed=True)}

    def get(self, _request: Request) -> Response:
        limit, after = self.query.limit(), _after(self.query.cursor("events", "ii"))
        kind, stream, about = self.query.text("type"), self.query.text("stream"), self.query.text("object")
        if kind is not None and not _TYPE.fullmatch(kind):
            raise FieldError("type", "is a type such as right.frozen, or a family such as right")
        if (about is None) == (stream is None):
            raise FieldError("object", "is required, unless `stream` is given", "required")
        after_seq = self.query.whole("after_seq", 0, _MOST) or 0
        viewer = Viewer(self.principal)
        if about is not None:
            return _page(viewer.of_object(about, kind=kind, after_seq=after_seq, limit=limit, after=after), limit)
        if not viewer.sees_all:
            raise Problem("forbidden", "whole streams are for operators and auditors; ask for an object")
        return _page(viewer.of_stream(str(stream), kind=kind, after_seq=after_seq, limit=limit, after=after), limit)


class RightEventsView(OneRight):
    scopes: ClassVar = {"GET": "read"}
    queries: ClassVar = {"GET": ("after_seq", "limit", "cursor")}
    docs: ClassVar = {"GET": Doc("A right's timeline: every event about it, its own birth included", "Event", listed=True)}

    def get(self, _request: Request, right_id: str) -> Response:
        right = self.right(right_id)
        limit, after = self.query.limit(), _after(self.query.cursor("events", "ii"))
        after_seq = self.query.whole("after_seq", 0, _MOST) or 0
        own_id = public("rgt", str(right.pk))
        return _page(Viewer(self.principal).of_object(own_id, kind=None, after_seq=after_seq, limit=limit, after=after), limit)
