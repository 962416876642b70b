"""The event browser: what the registry remembers, found by stream, object, type, actor and time, and a check of the chain in words."""

import hashlib
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import orjson
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from exchange.admin.acts import name_of
from exchange.admin.keyset import Column, Filter, Table
from exchange.admin.record_pages import any_text, moment_text, short_hash, view
from exchange.replay.chain_range import MOST, RangeCheck, check_range
from exchange.replay.event_chain import GENESIS
from rights.admin import may_look
from rights.kernel.clock import to_us
from rights.kernel.ids import first_at
from rights.models import Anchor, AnchorSpan, Event, Stream
from rights.models.event import FREQUENT_TYPES, MATCHER

PREFIXES = {
    "rgt": "admin:rights_right_change",
    "ord": "admin:exchange_order_change",
    "trd": "admin:exchange_trade_change",
}
_ACTOR = "split_part(e.body, '\"', 4)"  # canonical JSON begins with the actor; the index says the same


def object_link(object_id: str) -> SafeString | str:
    """An object's public id, leading to its page when it has one."""
    prefix, _, uuid = object_id.partition("_")
    if prefix not in PREFIXES:
        return object_id
    return format_html('<a href="{}">{}</a>', reverse(PREFIXES[prefix], args=[uuid]), object_id)


def _event_link(place: str) -> SafeString:
    stream_id, seq = place.split()
    return format_html('<a href="{}">{}</a>', reverse("console_event", args=[stream_id, seq]), seq)


def _of_type(value: object) -> str:
    """A type, or a family of types: all whose name begins so. The rare ones have an index of their own."""
    if "." not in str(value):
        return "starts_with(e.type, %s || '.')"
    if value in FREQUENT_TYPES:
        return "e.type = %s"
    frequent = ", ".join(f"'{kind}'" for kind in FREQUENT_TYPES)
    return f"e.type = %s AND NOT (e.type IN ({frequent}))"


def _by_actor(value: object) -> str:
    return f"{_ACTOR} = %s" + ("" if value == MATCHER else f" AND {_ACTOR} <> '{MATCHER}'")


def _moment_id(text: str) -> str | None:
    """The smallest id of an event at that moment, as a browser's field writes it (UTC, without a zone)."""
    try:
        moment = datetime.fromisoformat(text)
        return first_at(to_us(moment.replace(tzinfo=UTC))) if moment.tzinfo is None else None
    except (ValueError, OverflowError):
        return None


EVENTS = Table(
    title="Events",
    source="rights_event e JOIN rights_stream s ON s.id = e.stream_id",
    key=("e.id",),
    columns=(
        Column("at", "e.at", moment_text),
        Column("stream", "s.code"),
        Column("seq", "e.stream_id || ' ' || e.seq", _event_link),
        Column("type", "e.type"),
        Column("object", "e.object_id", object_link),
        Column("actor", _ACTOR),
        Column("hash", "e.hash", short_hash),
    ),
    filters=(
        Filter("object", "object id", "e.object_id = %s", any_text),
        Filter("stream", "stream", "s.code = %s", any_text),
        Filter("type", "type, or its family", "e.type = %s", any_text, _of_type),
        Filter("actor", "actor", f"{_ACTOR} = %s", any_text, _by_actor),
        Filter("from", "from (UTC)", "e.id >= %s::uuid", _moment_id, kind="datetime-local"),
        Filter("before", "before (UTC)", "e.id < %s::uuid", _moment_id, kind="datetime-local"),
    ),
)


def event_page(request: HttpRequest, stream_id: int, seq: int) -> HttpResponse:
    """One event: what it says, the bytes that were hashed, and what stands before and after it."""
    if not may_look(request.user):
        raise PermissionDenied
    beside = {
        event.seq: event for event in Event.objects.filter(stream_id=stream_id, seq__in=(seq - 1, seq, seq + 1)).select_related("stream")
    }
    event = beside.get(seq)
    if event is None:
        raise Http404
    body = orjson.loads(event.body)
    before = beside.get(seq - 1)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": f"{event.type}, number {seq} of {event.stream.code}",
        "event": event,
        "moment": moment_text(event.at),
        "shown_object": object_link(event.object_id),
        "object_type": body["object"]["type"],
        "actor": name_of(body["actor"]),
        "says": orjson.dumps({"payload": body["payload"], "refs": body["refs"]}, option=orjson.OPT_INDENT_2).decode(),
        "prev_hash": body["prev_hash"],
        "before": before,
        "after": beside.get(seq + 1),
        "hashed": hashlib.sha256(event.body.encode()).hexdigest() == event.hash,
        "linked": body["prev_hash"] == (before.hash if before else GENESIS if seq == 1 else None),
        "anchor": _anchor_over(stream_id, seq),
        "check": f"{reverse('console_chain')}?{urlencode({'stream': event.stream.code, 'from': max(1, seq - 1), 'to': seq + 1})}",
    }
    return TemplateResponse(request, "admin/event.html", context)


def _anchor_over(stream_id: int, seq: int) -> Anchor | None:
    found = AnchorSpan.objects.filter(stream_id=stream_id, first_seq__lte=seq, last_seq__gte=seq).select_related("anchor").first()
    return found.anchor if found else None


def chain_page(request: HttpRequest) -> HttpResponse:
    """Check a stream's chain, or a part of it, and say so in words."""
    if not may_look(request.user):
        raise PermissionDenied
    given = {name: any_text(request.GET.get(name, "")).strip() for name in ("stream", "from", "to")}
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "Check a chain",
        "given": given,
        "streams": Stream.objects.order_by("pk").values_list("code", flat=True)[:500],
        "most": MOST,
    }
    if given["stream"]:
        first, last = _number(given["from"]) or 1, _number(given["to"]) or 2**62
        found = check_range(code=given["stream"], from_seq=first, to_seq=last)
        context |= {"found": found, "words": "There is no such stream." if found is None else words_of(found), "on": _on(found)}
    return TemplateResponse(request, "admin/chain.html", context)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and 0 < len(text) < 18 and int(text) else None


def _on(found: RangeCheck | None) -> str:
    """Where to go on, when there is more."""
    if found is None or found.next_seq is None:
        return ""
    return "?" + urlencode({"stream": found.head.stream, "from": found.next_seq})


def words_of(found: RangeCheck) -> str:
    """What a check has found, for people."""
    if not found.events and not found.faults:
        return f"There is nothing to check: {found.head.stream} ends at event {found.head.last_seq}."
    which = f"Events {found.from_seq} to {found.to_seq} of {found.head.stream}"
    if found.faults:
        return f"{which} are not what was written: {len(found.faults)} {'fault' if len(found.faults) == 1 else 'faults'}."
    end = " The last one is the stream's end." if found.next_seq is None else ""
    return f"{which} are as they were written: none is missing, each hash is that of its event, and each event is the one that the next one knows.{end}"


def urls() -> list[Any]:
    """The pages' addresses, under the console's own prefix."""
    return [
        path("records/events/", view(EVENTS, "admin/events.html"), name="console_events"),
        path("records/events/<int:stream_id>/<int:seq>/", admin.site.admin_view(event_page), name="console_event"),
        path("records/chain/", admin.site.admin_view(chain_page), name="console_chain"),
    ]
