"""The board of markets, and one market's desk. Readable by anybody, and without a script."""

import re
from itertools import groupby

import orjson
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from exchange.selectors import sheets
from exchange.web import board
from exchange.web.page import page
from rights.kernel.clock import now_us

_SYMBOL = re.compile(r"[A-Z0-9.-]{1,64}", re.ASCII)
MOST_ISSUERS = 5
_KEY = re.compile(r"[A-Za-z0-9._-]{0,64}", re.ASCII)


@require_safe
def markets(request: HttpRequest) -> HttpResponse:
    wanted = request.GET.get("class", "")
    class_key = wanted if _KEY.fullmatch(wanted) else ""
    text = request.GET.get("q", "").replace("\0", "")[:80].strip()
    closed = request.GET.get("closed") == "1"
    found = board.board(now_us=now_us(), class_key=class_key, text=text, closed=closed)
    groups = [(key, list(members)) for key, members in groupby(found, key=lambda row: row.class_key)]
    context = {"groups": groups, "count": len(found), "classes": board.classes(), "class_key": class_key, "text": text, "closed": closed}
    return page(request, "web/markets.html", "markets", context)


@require_safe
def trade(request: HttpRequest, symbol: str) -> HttpResponse:
    now = now_us()
    row = board.instrument(symbol=symbol, now_us=now) if _SYMBOL.fullmatch(symbol) else None
    if row is None:
        raise Http404
    before, after = board.neighbours(row)
    sheet = sheets.sheet(symbol=symbol, version=None, now_us=now)
    context = {"row": row, "symbol": symbol, "before": before, "after": after, "sheet": sheet, "issuers": _issuers(sheet)}
    response = page(request, "web/trade.html", "trade", context)
    response.set_cookie("last_symbol", symbol, max_age=30 * 86_400, samesite="Lax", secure=request.is_secure())
    return response


def _issuers(sheet: sheets.SheetRow | None) -> list[str]:
    """Whose rights the market delivers, as it was disclosed."""
    return [] if sheet is None else sorted({row["issuer"] for row in orjson.loads(sheet.body)["assurances"]})[:MOST_ISSUERS]
