"""Postings, balances and batches: append-only or composite-keyed tables, shown page by page to whoever may look. Events: events.py."""

import re
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.safestring import SafeString

from exchange.admin.keyset import Column, Filter, Table, read_page
from exchange.domain.amounts import decimal_text
from exchange.services.rules import rules_named
from rights.admin import may_look


def moment_text(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S.%f")


def short_hash(digest: str) -> SafeString:
    return format_html('<code title="{}">{}</code>', digest, digest[:12])


def _amount(packed: str) -> str:
    """A decimal out of amount and scale with a blank between; units have scale 0."""
    amount, scale = packed.split()
    return decimal_text(int(amount), int(scale))


_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else None


def any_text(text: str) -> str:
    return text[:120].replace("\x00", "")


def _uuid(text: str) -> str | None:
    """A UUID, with or without the prefix of a public id."""
    bare = text.strip().rpartition("_")[2]
    return bare if _UUID.fullmatch(bare) else None


def _book(symbol: str) -> int | None:
    rules = rules_named(any_text(symbol))
    return rules.book_id if rules else None


POSTINGS = Table(
    title="Postings",
    source=(
        "settlement_posting p JOIN settlement_asset a ON a.id = p.asset_id "
        "JOIN rights_account d ON d.id = p.debit_id JOIN rights_participant dp ON dp.id = d.participant_id "
        "JOIN rights_account c ON c.id = p.credit_id JOIN rights_participant cp ON cp.id = c.participant_id"
    ),
    key=("p.entry_id", "p.leg"),
    columns=(
        Column("at", "p.at", moment_text),
        Column("entry", "p.entry_id"),
        Column("leg", "p.leg"),
        Column("kind", "p.kind"),
        Column("asset", "a.code"),
        Column("from", "coalesce(d.code, dp.slug || ' / ' || d.name)"),
        Column("to", "coalesce(c.code, cp.slug || ' / ' || c.name)"),
        Column("amount", "p.amount::text || ' ' || a.scale", _amount),
    ),
    filters=(Filter("entry", "entry id", "p.entry_id = %s::uuid", _uuid),),
)
BALANCES = Table(
    title="Balances",
    source=(
        "settlement_balance b JOIN settlement_asset a ON a.id = b.asset_id JOIN rights_account h ON h.id = b.account_id "
        "JOIN rights_participant t ON t.id = h.participant_id"
    ),
    key=("b.account_id", "b.asset_id"),
    columns=(
        Column("participant", "t.slug"),
        Column("account", "coalesce(h.code, h.name)"),
        Column("asset", "a.code"),
        Column("amount", "b.amount::text || ' ' || a.scale", _amount),
        Column("held", "b.held::text || ' ' || a.scale", _amount),
        Column("floor", "CASE WHEN b.floor IS NULL THEN 'none' ELSE b.floor::text END"),
    ),
    filters=(Filter("account", "account (number)", "b.account_id = %s", _whole),),
)
BATCHES = Table(
    title="Batches",
    source="exchange_batch t JOIN exchange_instrument i ON i.id = t.book_id",
    key=("t.book_id", "t.seq"),
    columns=(
        Column("at", "t.at", moment_text),
        Column("instrument", "i.symbol"),
        Column("seq", "t.seq"),
        Column("first command", "t.first_command_seq"),
        Column("commands", "cardinality(t.command_ns)"),
        Column("input bytes", "octet_length(t.inputs)"),
        Column("checksum", "t.checksum"),
        Column("hash", "t.hash", short_hash),
    ),
    filters=(Filter("instrument", "symbol", "t.book_id = %s", _book),),
)


def table_page(request: HttpRequest, *, table: Table, template: str = "admin/record_page.html") -> HttpResponse:
    """One page of the table, newest first, with a link to the older one."""
    if not may_look(request.user):
        raise PermissionDenied
    given = {item.name: request.GET.get(item.name, "") for item in table.filters}
    page = read_page(table, given=given, after=request.GET.get("after"))
    older = f"?{urlencode({**{k: v for k, v in given.items() if v}, 'after': page.older})}" if page.older else ""
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": table.title,
        "page": page,
        "filters": [{"name": f.name, "label": f.label, "value": given[f.name], "kind": f.kind} for f in table.filters],
        "older": older,
        "filtered": any(given.values()) or "after" in request.GET,
        "is_fullwidth": "1",
    }
    return TemplateResponse(request, template, context)


def view(table: Table, template: str = "admin/record_page.html") -> Callable[..., HttpResponse]:
    return admin.site.admin_view(partial(table_page, table=table, template=template))


def urls() -> list[Any]:
    """The pages' addresses, under the console's own prefix."""
    return [
        path("records/postings/", view(POSTINGS), name="console_postings"),
        path("records/balances/", view(BALANCES), name="console_balances"),
        path("records/batches/", view(BATCHES), name="console_batches"),
    ]
