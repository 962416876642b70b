"""Postings, balances, batches, escrow and proofs that are due: tables too long or too plain for more, shown page by page to whoever may look. Events: events.py."""

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
from settlement.domain.settlement_states import SettlementState


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
# What is under lock and what is not final yet: each from an index that holds just those.
_SET_ASIDE = """(
    SELECT t.*, q.state AS request_state, NULL::timestamptz AS until FROM settlement_request q JOIN settlement_route t ON t.request_id = q.id
    WHERE q.ended_at IS NULL AND t.state IN ('locked', 'executing')
    UNION ALL
    SELECT t.*, s.state, coalesce(s.window_ends_at, s.proof_due_at) FROM settlement_settlement s JOIN settlement_route t ON t.request_id = s.request_id
    WHERE s.state IN ({states}) AND t.state IN ('executing', 'locked', 'completed'))"""
_NOT_FINAL = ", ".join(f"'{state}'" for state in SettlementState if state is not SettlementState.FINALIZED)
ESCROW = Table(
    title="Escrow",
    source=(
        f"{_SET_ASIDE.format(states=_NOT_FINAL)} e JOIN settlement_asset a ON a.id = e.currency_id "
        "JOIN rights_account g ON g.id = e.payer_id JOIN rights_participant gp ON gp.id = g.participant_id "
        "JOIN rights_account t ON t.id = e.payee_id JOIN rights_participant tp ON tp.id = t.participant_id"
    ),
    key=("e.id",),
    columns=(
        Column("set aside at", "e.locked_at", moment_text),
        Column("route", "'rte_' || e.id"),
        Column("request", "'req_' || e.request_id"),
        Column("stands", "coalesce(e.request_state, '')"),
        Column("by", "gp.slug || ' / ' || g.name"),
        Column("for", "tp.slug || ' / ' || t.name"),
        Column("amount", "e.escrow_minor::text || ' ' || a.scale", _amount),
        Column("currency", "a.code"),
        Column("until", "coalesce(e.until, e.expires_at)", moment_text),
    ),
    filters=(
        Filter("by", "by (participant)", "gp.slug = %s", any_text),
        Filter("for", "for (participant)", "tp.slug = %s", any_text),
    ),
)
_SUPPLIERS = """(SELECT string_agg(DISTINCT u.slug, ', ') FROM settlement_route r JOIN rights_supplier u ON u.id = r.supplier_id
    WHERE r.request_id = q.id AND r.locked_at IS NOT NULL)"""
PROOFS = Table(
    title="Pending proofs",
    source=(
        "settlement_settlement s JOIN settlement_request q ON q.id = s.request_id AND s.state = 'pending_proof' "
        "JOIN rights_account h ON h.id = q.holder_id JOIN rights_participant p ON p.id = h.participant_id"
    ),
    key=("s.proof_due_at", "s.id"),
    columns=(
        Column("due at", "s.proof_due_at", moment_text),
        Column("settlement", "'stl_' || s.id"),
        Column("request", "'req_' || q.id"),
        Column("holder", "p.slug || ' / ' || h.name"),
        Column("suppliers", _SUPPLIERS),
        Column("units", "s.reserved_units"),
        Column("missing", "(SELECT string_agg(m, ', ') FROM jsonb_array_elements_text(s.missing) m)"),
        Column("since", "s.updated_at", moment_text),
    ),
    filters=(Filter("settlement", "settlement id", "s.id = %s::uuid", _uuid),),
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
        path("records/escrow/", view(ESCROW), name="console_escrow"),
        path("records/proofs/", view(PROOFS), name="console_proofs"),
    ]
