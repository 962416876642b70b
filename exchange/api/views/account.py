"""What the caller's account has: balances, positions, ledger, limits, fees."""

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api import render
from exchange.api.base import ApiView, listing, page
from exchange.api.doc import Doc
from exchange.api.views.system import fee_row
from exchange.domain.amounts import decimal_text
from exchange.feed import wire
from exchange.feed.record import BalanceRecord
from exchange.selectors import accounts
from exchange.services.rate_limit import limiter


class _Own(ApiView):
    scopes: ClassVar = {"GET": "read"}


class BalancesView(_Own):
    docs: ClassVar = {"GET": Doc("Cash by currency", "Cash", listed=True)}

    def get(self, _request: Request) -> Response:
        account = self.principal.account_id
        waiting = accounts.waiting(account_id=account)
        held = {row.currency: row for row in accounts.balances(account_id=account)}
        known = held | {code: BalanceRecord(code, scale, 0, 0) for code, (scale, _) in waiting.items() if code not in held}
        return listing([_balance(row, waiting.get(code, (0, 0))[1]) for code, row in sorted(known.items())])


def _balance(row: BalanceRecord, waiting_minor: int) -> dict[str, Any]:
    return {**wire.balance(row), "in_escrow": decimal_text(waiting_minor, row.scale)}


class PositionsView(_Own):
    queries: ClassVar = {"GET": ("instrument", "limit", "cursor")}
    docs: ClassVar = {"GET": Doc("Rights by instrument, in lots that can be sold there", "Position", listed=True)}

    def get(self, _request: Request) -> Response:
        limit, after = self.query.limit(), self.query.cursor("positions", "s")
        found = accounts.positions(
            account_id=self.principal.account_id,
            now_us=self.now_us,
            limit=limit,
            after=str(after[0]) if after else "",
            symbol=self.query.symbol("instrument"),
        )
        return page(found, limit, "positions", lambda row: (row.symbol,), render.position)


class LedgerView(_Own):
    queries: ClassVar = {"GET": ("limit", "cursor")}
    docs: ClassVar = {"GET": Doc("Postings of the account, newest first", "LedgerLine", listed=True)}

    def get(self, _request: Request) -> Response:
        limit, after = self.query.limit(), self.query.cursor("ledger", "ui")
        found = accounts.ledger(account_id=self.principal.account_id, limit=limit, after=(str(after[0]), int(after[1])) if after else None)
        return page(found, limit, "ledger", lambda row: (row.entry_id, row.leg), render.ledger_line)


class LimitsView(_Own):
    docs: ClassVar = {"GET": Doc("Rate limits and position limits that apply to the caller", "Limits")}

    def get(self, _request: Request) -> Response:
        rate = [{"action": action, "per_second": rule.per_s, "burst": rule.burst} for action, rule in sorted(limiter().rules.items())]
        held = [
            {"instrument": row.symbol, "limit": str(row.limit_lots), "held": str(row.held_lots)}
            for row in accounts.limits(participant_id=self.principal.participant_id)
        ]
        return Response({"rate_limits": rate, "max_batch_operations": 500, "position_limits": held})


class MyFeesView(_Own):
    queries: ClassVar = {"GET": ("limit", "cursor")}
    docs: ClassVar = {"GET": Doc("The fees the caller pays, by instrument", "Fees", listed=True)}

    def get(self, _request: Request) -> Response:
        limit, after = self.query.limit(), self.query.cursor("fees", "s")
        found = accounts.fees(limit=limit, after=str(after[0]) if after else "")
        return page(found, limit, "fees", lambda row: (row[0],), fee_row)
