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
from exchange.replay.chain_range import MOST, RangeCheck, check_range
from exchange.replay.head_source import signed_head
from exchange.selectors.events import Found, Viewer
from exchange.services.venue_key import live_signer
from rights.kernel.ids import public
from rights.services.venue_keys import VenueKeyRefusal

_TYPE = re.compile(r"[a-z_]{1,24}(\.[a-z_]{1,24})?", re.ASCII)
_LARGEST = 2**63 - 1
_SHOWN = 20  # of what is wrong


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
        after_seq = self.query.whole("after_seq", 0, _LARGEST) or 0
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
        after_seq = self.query.whole("after_seq", 0, _LARGEST) or 0
        own_id = public("rgt", str(right.pk))
        return _page(Viewer(self.principal).of_object(own_id, kind=None, after_seq=after_seq, limit=limit, after=after), limit)


class ChainCheckView(ApiView):
    scopes: ClassVar = {"GET": frozenset({"read", "audit"})}
    queries: ClassVar = {"GET": ("stream", "from_seq", "to_seq")}
    docs: ClassVar = {
        "GET": Doc(
            "Check a part of a stream's hash chain, and take home where the stream ends, signed",
            "ChainCheck",
            description=f"At most {MOST} events from `from_seq` (1) on; `next_seq` says where to go on.",
        )
    }

    def get(self, _request: Request) -> Response:
        stream = self.query.text("stream")
        if stream is None:
            raise FieldError("stream", "is required", "required")
        first = self.query.whole("from_seq", 1, _LARGEST) or 1
        last = self.query.whole("to_seq", 1, _LARGEST) or first + MOST - 1
        if not first <= last < first + MOST:
            raise FieldError("to_seq", f"is not before from_seq, and at most {MOST - 1} after it", "out_of_range")
        found = check_range(code=stream, from_seq=first, to_seq=last)
        if found is None:
            raise FieldError("stream", "is no stream here", "unknown_value")
        return Response(_checked(found, self._head(found)))

    def _head(self, found: RangeCheck) -> dict[str, Any] | None:
        try:
            return signed_head(found.head, signer=live_signer(), now_us=self.now_us)
        except VenueKeyRefusal:
            return None


def _checked(found: RangeCheck, head: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "stream": found.head.stream,
        "from_seq": str(found.from_seq),
        "to_seq": str(found.to_seq),
        "events": str(found.events),
        "intact": not found.faults,
        "faults": found.faults[:_SHOWN],
        "before_hash": found.before_hash,
        "last_hash": found.last_hash,
        "next_seq": None if found.next_seq is None else str(found.next_seq),
        "head": head,
    }
