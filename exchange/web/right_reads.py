"""What the page of one right shows besides its terms: units, gates, eligibility, timeline. Each as the API would answer its reader."""

import re
from typing import Any
from urllib.parse import urlencode

import msgspec
import orjson
from django.http import HttpRequest

from exchange.api import cursors
from exchange.api.fields import FieldError
from exchange.api.refusal_titles import GATES
from exchange.selectors import holdings, registry
from exchange.selectors.events import Viewer
from exchange.services.identity import Principal
from exchange.services.rules import rules_named
from exchange.web.inventory import ask_rows, lock_rows
from exchange.web.manifest_words import NAMES, words_of
from exchange.web.right_words import EVENTS, RELATIONS, end_words, other_event
from rights import selectors
from rights.domain import right_events
from rights.domain.gate_rules import LIFTED_BY
from rights.domain.gates import Verdict
from rights.domain.moment import parse_us
from rights.kernel import rows
from rights.kernel.clock import to_datetime
from rights.kernel.ids import bare, public
from rights.models import Account, Right, Series

EVENTS_AT_ONCE = 20
BAR = 10_000  # the width of the bar that shows the parts
_UNITS = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_SYMBOL = re.compile(r"[A-Z0-9.-]{1,64}", re.ASCII)
# Open markets that count in the same unit, those of the same class first.
_MARKETS = """
SELECT i.symbol FROM exchange_instrument i JOIN exchange_book b ON b.instrument_id = i.id
JOIN rights_series s ON s.id = i.series_id JOIN rights_computeclass c ON c.id = s.compute_class_id
WHERE b.phase <> 3 AND c.unit = %s ORDER BY s.compute_class_id <> %s, s.window_start <> %s, s.window_start, i.symbol LIMIT 100
"""


class GateRow(msgspec.Struct, frozen=True):
    """One verdict in words; `lift` says what would make it pass."""

    title: str
    detail: str
    passed: bool
    lift: str


def units_of(principal: Principal, right: Right) -> dict[str, Any]:
    """The right's units by what became of them; what reserves them only for their holder."""
    used, free = right.max_units - right.remaining_units, right.remaining_units - right.reserved_units
    parts = [("free", "Free", free, "may be sold, moved, split or used")]
    mine = right.holder_id == principal.account_id
    asks = holdings.asks(account_id=principal.account_id, limit=20, right=str(right.pk)) if mine and right.reserved_units else []
    locks = holdings.locks(account_id=principal.account_id, limit=20, right=str(right.pk)) if mine and right.reserved_units else []
    if mine:
        locked = sum(lock.units for lock in locks)
        parts.append(("resting", "In asks", right.reserved_units - locked, "reserved until they trade or are cancelled"))
        parts.append(("locked", "Locked", locked, "in packages, in use, or disputed"))
    else:
        parts.append(("resting", "Reserved", right.reserved_units, "in asks, packages, in use, or disputed"))
    ended = right.status in {"expired", "finalized", "burned"}
    parts.append(
        ("used", "Gone" if ended else "Used", used, "used, expired, burned or merged away" if ended else "delivered to whoever used it")
    )
    shown, start = [], 0
    for key, name, units, hint in parts:
        whole = max(right.max_units, 1)
        place = {"from": start * BAR // whole, "share": units * BAR // whole}
        shown.append({"key": key, "name": name, "units": f"{units:,}", "hint": hint, **place})
        start += units
    return {
        "parts": shown,
        "free": free,
        "free_plain": str(free) if free else "",
        "free_text": f"{free:,}",
        "asks": ask_rows(asks[:20]),
        "locks": lock_rows(locks[:20]),
    }


def gate_rows(verdicts: list[Verdict]) -> list[GateRow]:
    """Refusals first, each with what would lift it on its own."""
    found = []
    for verdict in verdicts:
        title = GATES.get(verdict.code, verdict.code.replace("_", " ").capitalize())
        lift = "" if verdict.passed else LIFTED_BY[verdict.code]
        found.append(GateRow(title, _sentence(verdict.detail.removesuffix(f"; {lift}")), verdict.passed, _sentence(lift)))
    return sorted(found, key=lambda row: row.passed)


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def check_of(request: HttpRequest, right: Right, now_us: int) -> dict[str, Any]:
    """The answer to "may it go to this receiver?", or what is wrong with the question."""
    to, units = request.GET.get("to", "").strip()[:64], request.GET.get("units", "").strip()[:24]
    if not (to or units):
        return {}
    errors, taker = {}, _account(to)
    if taker is None:
        errors["to"] = "is the id of no holder here; it begins with acc_"
    if not _UNITS.fullmatch(units):
        errors["units"] = "is a whole number above zero"
    answer = {"to": to, "units": units, "errors": errors}
    if errors or taker is None:
        return answer
    gates = gate_rows(selectors.gates_of(right, now_us=now_us, units=int(units), taker=taker))
    refused = [gate for gate in gates if not gate.passed]
    return answer | {"asked": True, "refused": refused, "total": len(gates), "units_text": f"{int(units):,}"}


def _account(public_id: str) -> Account | None:
    uuid = bare("acc", public_id)
    return registry.account(uuid) if uuid else None


def eligibility_of(request: HttpRequest, right: Right, symbols: list[str]) -> dict[str, Any]:
    """The right against one instrument, dimension by dimension."""
    series = right.series
    markets = [row[0] for row in rows.fetch_all(_MARKETS, [series.compute_class.unit, series.compute_class_id, series.window_start])]
    wanted = request.GET.get("instrument", "") or next(iter(symbols), "") or next(iter(markets), "")
    rules = rules_named(wanted) if _SYMBOL.fullmatch(wanted) else None
    if rules is None:
        return {"markets": markets, "unknown": wanted}
    book = Series.objects.select_related("compute_class").get(pk=rules.series_id)
    unit = series.compute_class.unit
    told = [
        {
            "name": NAMES.get(verdict.field, verdict.field.replace("_", " ")),
            "own": words_of(verdict.field, verdict.actual, unit),
            "asked": words_of(verdict.field, verdict.expected, unit),
            "relation": RELATIONS[verdict.relation],
            "rule": verdict.rule,
            "passed": verdict.passed,
            "alike": verdict.relation == "equal",
        }
        for verdict in selectors.eligibility(right, book, rules.delivery_rule)
    ]
    return {
        "markets": markets if rules.symbol in markets else [rules.symbol, *markets],
        "symbol": rules.symbol,
        "rule": rules.delivery_rule,
        "eligible": all(row["passed"] for row in told),
        "different": [row for row in told if not row["alike"]],
        "alike": [row for row in told if row["alike"]],
    }


def timeline_of(request: HttpRequest, principal: Principal, right: Right) -> dict[str, Any]:
    """A page of what the registry remembers of the right, oldest first, as this reader may see it."""
    try:
        after = cursors.decode("events", request.GET.get("events", ""), "ii")
    except FieldError:
        after = (0, 0)
    viewer = Viewer(principal)
    own_id = public("rgt", str(right.pk))
    found = viewer.of_object(own_id, kind=None, after_seq=0, limit=EVENTS_AT_ONCE, after=(int(after[0]), int(after[1])))
    shown = found[:EVENTS_AT_ONCE]
    following = ""
    if len(found) > EVENTS_AT_ONCE:
        following = urlencode({"events": cursors.encode("events", (shown[-1].stream_id, shown[-1].seq))})
    return {"events": [_event(one.document, principal, own_id) for one in shown], "more_events": following}


def _event(body: dict[str, Any], principal: Principal, own_id: str) -> dict[str, Any]:
    actor = body["actor"]
    about = body["object"].get("id") if isinstance(body["object"], dict) else body["object"]
    return {
        "name": EVENTS.get(body["type"]) or other_event(body["type"]),
        "type": body["type"],
        "at": to_datetime(parse_us(body["at"])),
        "actor": "you" if actor == principal.actor else actor or "somebody who is not named",
        "stream": body["stream"],
        "seq": body["seq"],
        "hash": body["hash"],
        "about": "" if about == own_id else about,
        "words": end_words(body["payload"]) if body["type"] == right_events.EXPIRED else "",
        "payload": orjson.dumps(body["payload"], option=orjson.OPT_INDENT_2).decode(),
        "withheld": len(body["withheld"]),
    }
