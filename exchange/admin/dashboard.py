"""The console's first page: is the venue well, and what is it doing?"""

from typing import Any

import msgspec
from django.http import HttpRequest

from exchange.domain.amounts import decimal_text
from exchange.domain.command import Phase
from exchange.services.rules import Rules, rules_of
from exchange.services.sweeping import waiting_books
from rights.admin import may_look
from rights.kernel import rows
from rights.kernel.clock import now_us
from rights.kernel.ids import public

OLD_S = 5  # a command that waits longer at rest breaks invariant C1


class BookLine(msgspec.Struct, frozen=True):
    instrument_id: int
    symbol: str
    phase: str
    bid: str
    ask: str
    last: str
    trades: int
    gate: str


_OPEN_BOOKS = """
SELECT b.instrument_id, b.phase, b.last_price_ticks, b.trade_count, i.gate_closes_at,
    (SELECT max(o.price_ticks) FROM exchange_order o WHERE o.is_open AND o.book_id = b.instrument_id AND o.side = 0),
    (SELECT min(o.price_ticks) FROM exchange_order o WHERE o.is_open AND o.book_id = b.instrument_id AND o.side = 1)
FROM exchange_book b JOIN exchange_instrument i ON i.id = b.instrument_id WHERE b.phase <> %s ORDER BY i.gate_closes_at, i.symbol LIMIT 40
"""
_TRADES = """
SELECT t.id::text, t.book_id, t.at, t.price_ticks, t.quantity_lots, t.notional_minor, t.aggressor
FROM exchange_trade t ORDER BY t.id DESC LIMIT 12
"""
_CASH = """
SELECT a.code, a.scale,
    coalesce(sum(b.amount) FILTER (WHERE h.code IS NULL), 0), coalesce(sum(b.held) FILTER (WHERE h.code IS NULL), 0),
    coalesce(sum(b.amount) FILTER (WHERE h.code LIKE 'venue:fees:%%'), 0),
    coalesce(sum(b.amount) FILTER (WHERE h.code = 'venue:funding'), 0),
    coalesce(sum(b.amount), 0)
FROM settlement_asset a JOIN settlement_balance b ON b.asset_id = a.id JOIN rights_account h ON h.id = b.account_id
WHERE a.kind = 'cash' GROUP BY a.code, a.scale ORDER BY a.code
"""
_CHAINS = "SELECT code, last_seq, last_hash FROM rights_stream WHERE last_seq > 0 ORDER BY (code = 'registry') DESC, id DESC LIMIT 8"


def books() -> list[BookLine]:
    """Every book that is not closed, the soonest gate first."""
    lines = []
    for book_id, phase, last, trades, gate, bid, ask in rows.fetch_all(_OPEN_BOOKS, [int(Phase.CLOSED)]):
        rules = rules_of(book_id)
        lines.append(
            BookLine(
                instrument_id=book_id,
                symbol=rules.symbol,
                phase=Phase(phase).name.lower(),
                bid=_price(rules, bid),
                ask=_price(rules, ask),
                last=_price(rules, last),
                trades=trades,
                gate=f"{gate:%d %b %H:%M}",
            )
        )
    return lines


def _price(rules: Rules, ticks: int | None) -> str:
    return "-" if ticks is None else rules.price_text(ticks)


def oldest_wait_s(now: int) -> float:
    """Seconds the oldest unread command has waited; 0.0 when there is none. For people, not for money."""
    since = [since_us for _, _, since_us in waiting_books(now)]
    return max(0.0, (now - min(since)) / 1_000_000) if since else 0.0


def _grouped(minor: int, scale: int) -> str:
    """A decimal with its thousands apart."""
    whole, _, part = decimal_text(minor, scale).partition(".")
    return f"{int(whole):,}.{part}"


def cash() -> list[dict[str, str]]:
    """Per currency: what participants own, what orders hold, fees earned, what came in; the books' sum must be zero."""
    lines = []
    for code, scale, owned, held, fees, funding, total in rows.fetch_all(_CASH):
        texts = [_grouped(int(v), scale) for v in (owned, held, fees, -funding, total)]
        lines.append(dict(zip(("owned", "held", "fees", "brought", "sum"), texts, strict=True)) | {"code": code})
    return lines


def trades() -> list[dict[str, object]]:
    lines: list[dict[str, object]] = []
    for uuid, book_id, at, price, lots, notional, aggressor in rows.fetch_all(_TRADES):
        rules = rules_of(book_id)
        lines.append(
            {
                "uuid": uuid,
                "id": public("trd", uuid),
                "symbol": rules.symbol,
                "at": f"{at:%H:%M:%S}",
                "price": rules.price_text(price),
                "lots": lots,
                "notional": rules.money_text(notional),
                "side": ("buy", "sell", "auction")[aggressor],
            }
        )
    return lines


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold's callback for the index page."""
    if not may_look(request.user):
        return context
    by_phase = dict(rows.fetch_all("SELECT phase, count(*) FROM exchange_book GROUP BY phase"))
    wait_s = oldest_wait_s(now_us())
    context.update(
        desk=True,
        phases=[(phase.name.lower(), by_phase.get(int(phase), 0)) for phase in Phase],
        wait=f"{wait_s:.1f} s" if wait_s else "none",
        wait_is_old=wait_s > OLD_S,
        books=books(),
        cash=cash(),
        trades=trades(),
        chains=[{"code": code, "seq": seq, "hash": digest} for code, seq, digest in rows.fetch_all(_CHAINS)],
    )
    return context
