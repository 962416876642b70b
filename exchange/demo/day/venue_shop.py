"""The day on the real venue: rights, books, batches, policies, requests, receipts and settlements through the services the API uses.

Time is the day's own: every service is told it. The supplier is instant and delivers what was asked; everything else is real.
"""

import hashlib
from collections import Counter

from exchange.demo.day.demand import Ask, Setting
from exchange.demo.day.figures import DayFigures, WindowFigures
from exchange.demo.day.stage import ACTOR, BEGIN_US, WARE, Stage, open_window, rules_for, set_up
from exchange.services.batch import Outcome, match_once
from exchange.services.lane import LaneMemory
from exchange.services.policies import PolicyChange, change_policy
from exchange.services.run_policy import run_due
from exchange.services.timetable import run_due as timetable
from rights.kernel import rows
from settlement.domain.envelope import Candidate, Envelope
from settlement.domain.receipt_body import LegTold, Told
from settlement.domain.venue_proofs import venue_proofs
from settlement.services.begin import begin_execution
from settlement.services.receipt import record_receipt
from settlement.services.request_refusal import RequestRefused
from settlement.services.submit import submit_request

_FREE = """
SELECT r.holder_id, r.id::text, r.remaining_units - r.reserved_units FROM rights_right r
WHERE r.series_id = %s AND r.status = 'active' AND r.remaining_units > r.reserved_units ORDER BY 3 DESC, 2
"""
_LEFT = (
    "SELECT coalesce(sum(remaining_units), 0)::bigint FROM rights_right WHERE series_id = %s AND status IN ('issued', 'active', 'frozen')"
)
_PERISHED = """
SELECT coalesce(sum((e.body::jsonb #>> '{payload,units}')::bigint - (e.body::jsonb #>> '{payload,carried_units}')::bigint), 0)::bigint FROM rights_event e JOIN rights_series s ON s.stream_id = e.stream_id
WHERE s.id = %s AND e.type = 'right.expired'
"""
_TRADED = """
SELECT count(*), coalesce(sum(units), 0)::bigint, coalesce(sum(notional_minor), 0)::bigint, coalesce(sum(buy_fee_minor + sell_fee_minor), 0)::bigint
FROM exchange_trade WHERE book_id = %s
"""
_OUTCOMES = "SELECT coalesce(nullif(outcome, ''), state), count(*) FROM settlement_settlement GROUP BY 1 ORDER BY 1"
_ACTIONS = "SELECT rule || ' ' || verb || ' ' || outcome, count(*) FROM exchange_policyaction GROUP BY 1 ORDER BY 1"
_BODY_HASH = hashlib.sha256(b"").hexdigest()


class VenueShop:
    """A `Shop` on the present database, which has to be empty."""

    def __init__(self, setting: Setting, *, trades: bool = True) -> None:
        self._setting = setting
        self._trades = trades
        self._stage: Stage = set_up(setting)
        self._tenant_of = {tenant.account.pk: number for number, tenant in enumerate(self._stage.tenants)}
        self._lane = LaneMemory()
        self._book = self._series = 0
        self._needs: list[int] = []
        self._free: list[list[tuple[str, int]]] = []
        self._number = 0
        self.refused: Counter[str] = Counter()

    def open(self, number: int, units: tuple[int, ...]) -> None:
        """Issue and list the window, a minute ahead, and open its book; none where nobody has bought anything."""
        self._number = number
        start_us = BEGIN_US + number * self._setting.window_us
        self._needs = [-1] * self._setting.tenants
        self._book = self._series = 0
        if any(units):
            instrument = open_window(self._stage, number, units, self._setting, start_us - 60_000_000)
            self._book, self._series = instrument.pk, instrument.series_id
        timetable(now_us=start_us)
        self._match(start_us)
        self._look()

    def free(self, tenant: int) -> int:
        return sum(units for _, units in self._free[tenant])

    def use(self, ask: Ask, at_us: int) -> bool:
        """Submit, begin, tell what the supplier did, settle. False when the venue refused."""
        now_us, chosen, left = BEGIN_US + at_us, [], ask.units
        for right_id, units in self._free[ask.tenant]:
            chosen.append(Candidate(right_id, min(units, left)))
            left -= chosen[-1].max_spend_units or 0
            if not left:
                break
        envelope = Envelope(
            workload=WARE.capability["workload"],
            operation="chat.completions",
            expected_units=ask.units,
            candidates=tuple(chosen),
            payload_hash=_BODY_HASH,
        )
        tenant = self._stage.tenants[ask.tenant]
        try:
            request = submit_request(
                envelope=envelope,
                account=tenant.account,
                payload=None,
                request_id=self._stage.mint.uuid(now_us),
                mint=self._stage.mint,
                actor=tenant.principal.actor,
                now_us=now_us,
            )
        except RequestRefused as refused:
            self.refused.update(refusal.reason.code for refusal in refused.refusals[:1])
            self._look()
            return False
        work = begin_execution(request_id=str(request.pk), actor=ACTOR, now_us=now_us)
        if work is None:
            self.refused["not_begun"] += 1
            return False
        legs = tuple(
            LegTold(route_id=leg.route_id, delivered_units=leg.units, billable_units=leg.units, latency_us=1, output_ref="day")
            for leg in work.legs
        )
        told = Told(status="completed", started_us=now_us, completed_us=now_us, legs=legs)
        proofs = venue_proofs(request_id=str(request.pk), told=told, envelope_hash=work.envelope_hash)
        record_receipt(request_id=str(request.pk), told=told, proofs=proofs, mint=self._stage.mint, actor=ACTOR, now_us=now_us)
        self._took(ask.tenant, {leg.right_id: leg.units for leg in work.legs})
        return True

    def trade(self, needs: tuple[int, ...], at_us: int) -> None:
        """Each tenant writes down what it needs now, and the policies that are due act, as the scheduler would have them."""
        if not self._trades or not self._book:
            return
        now_us = BEGIN_US + at_us
        for number, (tenant, units) in enumerate(zip(self._stage.tenants, needs, strict=True)):
            change = abs(units - self._needs[number])
            if change >= WARE.lot_units // 4 or (change and not units):
                rules = rules_for(self._stage.compute_class.key, units, self._setting)
                change_policy(policy_id=str(tenant.policy.uuid), change=PolicyChange(rules=rules), who=tenant.principal, now_us=now_us)
                self._needs[number] = units
        run_due(mint=self._stage.mint, now_us=now_us)
        self._match(now_us + 1)
        self._look()

    def close(self, figures: WindowFigures) -> None:
        """The gate comes, what rests leaves the book, what is left of the rights expires."""
        end_us = BEGIN_US + (self._number + 1) * self._setting.window_us
        for turn in range(4):
            timetable(now_us=end_us + turn * 1_000_000)
            self._match(end_us + turn * 1_000_000 + 1)
        left, perished = rows.fetch_all(_LEFT, [self._series])[0][0], rows.fetch_all(_PERISHED, [self._series])[0][0]
        if left:
            raise RuntimeError(f"{left} units of an ended window have not expired")
        figures.stranded = perished
        figures.trades, figures.traded_units, figures.turnover_minor, figures.fees_minor = rows.fetch_all(_TRADED, [self._book])[0]

    def tell(self, figures: DayFigures) -> None:
        """Add what the settlements and the policies came to."""
        figures.outcomes = dict(rows.fetch_all(_OUTCOMES))
        figures.actions = dict(rows.fetch_all(_ACTIONS))
        figures.refused = dict(self.refused)

    def _match(self, now_us: int) -> None:
        while self._book and match_once(self._lane, book_id=self._book, now_us=now_us).outcome is Outcome.MATCHED:
            pass

    def _look(self) -> None:
        """What each tenant could use now, the largest right first."""
        self._free = [[] for _ in self._stage.tenants]
        for holder, right_id, units in rows.fetch_all(_FREE, [self._series]):
            self._free[self._tenant_of[holder]].append((right_id, units))

    def _took(self, tenant: int, used: dict[str, int]) -> None:
        left = [(right_id, units - used.get(right_id, 0)) for right_id, units in self._free[tenant]]
        self._free[tenant] = [(right_id, units) for right_id, units in left if units]
