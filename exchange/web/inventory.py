"""The page of everything the reader holds. What changes by the second comes from the API; the rest is drawn here."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import msgspec
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from exchange.api import cursors
from exchange.api.fields import FieldError
from exchange.domain.amounts import fixed_text
from exchange.selectors import holdings
from exchange.selectors.packages import visible_delegations
from exchange.services.identity import Principal
from exchange.web.amounts import units_text
from exchange.web.board import class_words
from exchange.web.page import page, reader_of
from rights.kernel.clock import now_us, to_datetime, to_us
from rights.kernel.ids import public

HOUR_US = 3_600_000_000
WITHIN = {"6h": ("6 hours", 6 * HOUR_US), "24h": ("24 hours", 24 * HOUR_US), "7d": ("7 days", 168 * HOUR_US), "all": ("Ever", None)}
DEFAULT = "24h"
AT_ONCE = 10
_KINDS = {"attached_slice": "In a package", "route_lock": "For a request under way", "dispute": "Disputed"}


class StakeRow(msgspec.Struct, frozen=True):
    """What ends together, in words, and the market where it can be sold meanwhile."""

    stake: holdings.Stake
    words: str
    units: str
    free: str
    busy: str
    idle: str
    ends_at: datetime
    right_id: str
    market: str


class AskRow(msgspec.Struct, frozen=True):
    ask: holdings.Ask
    price: str
    units: str
    rights: list[tuple[str, str]]


class LockRow(msgspec.Struct, frozen=True):
    lock: holdings.UnitsLocked
    why: str
    units: str
    right_id: str


def _stake_rows(found: list[holdings.Stake]) -> list[StakeRow]:
    books = holdings.books([stake.series_id for stake in found])
    return [
        StakeRow(
            stake=stake,
            words=class_words(stake.dimensions),
            units=units_text(stake.units, stake.unit),
            free=f"{stake.free:,}",
            busy=_busy(stake),
            idle=f"{stake.idle:,}" if stake.idle else "",
            ends_at=stake.ends_at,
            right_id=public("rgt", stake.right) if stake.rights == 1 else "",
            market=books.get(stake.series_id, ""),
        )
        for stake in found
    ]


def _busy(stake: holdings.Stake) -> str:
    parts = ((stake.resting, "in asks"), (stake.locked, "locked"))
    return ", ".join(f"{units:,} {words}" for units, words in parts if units)


def ask_rows(found: list[holdings.Ask]) -> list[AskRow]:
    """Open asks, with the rights each has reserved."""
    return [
        AskRow(
            ask=ask,
            price=fixed_text(ask.price_ticks * ask.tick_minor, ask.scale, ask.price_decimals),
            units=units_text(ask.units, ask.unit),
            rights=[(public("rgt", right), f"{units:,}") for right, units in ask.slices],
        )
        for ask in found
    ]


def lock_rows(found: list[holdings.UnitsLocked]) -> list[LockRow]:
    """Locks, with why."""
    return [
        LockRow(
            lock=lock,
            why=f"In the {lock.package_type} “{lock.label}”" if lock.label else _KINDS[lock.kind],
            units=units_text(lock.units, lock.unit),
            right_id=public("rgt", lock.right),
        )
        for lock in found
    ]


def _after(request: HttpRequest) -> tuple[datetime, int]:
    """Where the list of what ends goes on; a cursor of no sense leads to its beginning."""
    try:
        key = cursors.decode("stakes", request.GET.get("after", ""), "ii")
        return to_datetime(int(key[0])), int(key[1])
    except (FieldError, OverflowError):
        return holdings.BEGINNING


def _held(request: HttpRequest, principal: Principal, moment_us: int) -> dict[str, Any]:
    within = request.GET.get("within", DEFAULT)
    within = within if within in WITHIN else DEFAULT
    span_us, after = WITHIN[within][1], _after(request)
    sums, found = holdings.held(
        account_id=principal.account_id,
        now_us=moment_us,
        soon_us=moment_us + 24 * HOUR_US,
        until_us=None if span_us is None else moment_us + span_us,
        limit=AT_ONCE,
        after=after,
    )
    shown = found[:AT_ONCE]
    following = ""
    if len(found) > AT_ONCE:
        cursor = cursors.encode("stakes", (to_us(shown[-1].ends_at), shown[-1].series_id))
        following = urlencode({"within": within, "after": cursor})
    choices = [(key, words, key == within) for key, (words, _) in WITHIN.items()]
    return {
        "sums": [{"sum": row, "units": units_text(row.units, row.unit), "soon": units_text(row.soon, row.unit)} for row in sums],
        "stakes": _stake_rows(shown),
        "following": following,
        "choices": choices,
        "within": WITHIN[within][0],
        "later": after != holdings.BEGINNING,
    }


@require_safe
@login_required
def rights(request: HttpRequest) -> HttpResponse:
    principal = reader_of(request)
    if principal is None:
        return page(request, "web/rights.html", "rights", {"reader": None})
    moment_us, account = now_us(), principal.account_id
    resting, locked = holdings.asks(account_id=account, limit=AT_ONCE), holdings.locks(account_id=account, limit=AT_ONCE)
    lent = visible_delegations(principal).filter(delegator_id=account, state="active").order_by("-pk")[:AT_ONCE]
    context = {
        "reader": principal,
        "asks": ask_rows(resting[:AT_ONCE]),
        "more_asks": len(resting) > AT_ONCE,
        "locks": lock_rows(locked[:AT_ONCE]),
        "more_locks": len(locked) > AT_ONCE,
        "lent": [{"row": row, "left": row.max_units - row.used_units - row.passed_units} for row in lent],
        "classes": holdings.classes(account_id=account),
    }
    return page(request, "web/rights.html", "rights", context | _held(request, principal, moment_us))
