"""A day drawn by chance: every command kind, rights of many policies, freezes, suspensions, lanes that forget; for the audit to look at."""

import contextlib
import random
from typing import Any

from exchange.domain.command import Phase
from exchange.models import Order
from exchange.models.book import CommandKind
from exchange.services import freeze, participants
from exchange.services.expiry import expire_due
from exchange.services.funding import fund, withdraw
from exchange.services.lane import LaneMemory
from exchange.services.operator_refusal import OperatorRefusal
from exchange.services.payload import CancelManyPayload
from rights.domain.manifest import ManifestRefusedError
from rights.kernel.clock import to_us
from rights.kernel.ids import public
from rights.models import Right
from rights.services.refusals import RegistryRefusalError
from rights.services.split import merge_rights, split_right
from settlement.services.funding import FundingRefusal
from tests.honest_market import MINT, HonestMarket

SLUGS = ("holder", "other", "third", "fourth")
OFTEN = {"place": 16, "amend": 5, "match": 6, "cancel": 3}
SELDOM = ("cancel_many", "phase", "freeze", "thaw", "suspend", "reinstate", "split", "merge", "forget", "post_only", "fund", "withdraw")
CROSSING_US = 5_000_000  # less than the audit's grace
STEPS = (*(step for step, times in OFTEN.items() for _ in range(times)), *SELDOM)


class RandomDay:
    """Draws and does `steps`; the same seed gives the same day."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.market = HonestMarket(
            position_limit_lots=self.chance.choice((None, None, 60)), proceeds_escrow=("none", "none", "until_final")[seed % 3]
        )
        market = self.market
        market.accounts["fourth"] = market.desk.open("fourth", "agent")  # whom some policies do not admit
        market.keys["fourth"] = market._key(market.accounts["fourth"])
        for slug in ("holder", "fourth"):
            fund(
                account=market.accounts[slug],
                amount="500",
                currency="USD",
                reason="to trade",
                mint=MINT,
                actor="command:test",
                now_us=market.now_us,
            )
        for _ in range(5):
            holder, policy = self.chance.choice(SLUGS), self._policy()
            units = self.chance.choice((1, 3, 7, 20)) * self.chance.choice((1_000_000, 1_000_000, 1_300_000))
            with contextlib.suppress(RegistryRefusalError, ManifestRefusedError):  # a policy may refuse the very first holder
                market.desk.issue(units, holder=holder, transfer_policy=policy)
        self.suspended: dict[str, int] = {}  # since when

    def _policy(self) -> dict[str, Any]:
        accounts = [public("acc", str(account.uuid)) for account in self.market.accounts.values()]
        return self.chance.choice(
            (
                {},
                {},
                {"denied_holders": [self.chance.choice(accounts)]},
                {"eligible_holder_types": ["app"]},
                {"min_transfer_units": self.chance.choice(("900000", "2000000"))},
                {"splittable": False},
                {"min_hold_seconds": 1},
                {"lockup_until": "2026-11-01T00:00:02Z"},
                {"requires_issuer_consent": True},
            )
        )

    def run(self, steps: int) -> None:
        self.market.phase(Phase.PRE_OPEN if self.chance.random() < 0.3 else Phase.CONTINUOUS)
        for _ in range(steps):
            getattr(self, f"_{self.chance.choice(STEPS)}")()
        self.market.match()

    def end(self) -> None:
        """The gate comes, the book closes, the window ends and every right that is not frozen expires."""
        market = self.market
        market.now_us = to_us(market.instrument.gate_closes_at)
        self._place()
        self._amend()
        market.match()
        market.phase(Phase.CLOSED)
        market.match()
        market.now_us = to_us(market.series.window_end)
        self._thaw()
        expire_due(mint=MINT, now_us=market.now_us)
        self._thaw()

    def _open_order(self) -> Order | None:
        orders = list(Order.objects.filter(is_open=True).select_related("account__participant").order_by("joined"))
        return self.chance.choice(orders) if orders else None

    def _place(self) -> None:
        chance = self.chance
        kind = chance.random()
        more: dict[str, Any] = {"stp": chance.randrange(4), "group": chance.choice(("", "", "a"))}
        price: int | None = chance.randrange(95, 106)
        if kind < 0.1:
            price = None
            more["tif"] = chance.choice((2, 3))
        elif kind < 0.25:
            more["tif"] = chance.choice((2, 3))
        elif kind < 0.4:
            more["post_only"] = chance.choice((1, 2))
        elif kind < 0.55:
            more |= {"tif": 1, "expire_us": self.market.now_us + chance.choice((1, 3000, 20_000, 500_000))}
        elif kind < 0.6:
            more["deadline_us"] = self.market.now_us + chance.choice((-1, 1_000_000))
        if chance.random() < 0.2:
            more["client_order_id"] = f"c{chance.randrange(10**9)}"
        slug = chance.choice(SLUGS)
        if self._may_trade(slug):
            self.market.place(slug, chance.choice(("buy", "sell")), chance.choice((1, 1, 2, 3, 5, 8, 40)), price, **more)

    def _may_trade(self, slug: str) -> bool:
        """Intake lets nobody trade who is suspended, but for what crosses the suspension."""
        return slug not in self.suspended or self.market.now_us < self.suspended[slug] + CROSSING_US

    def _amend(self) -> None:
        order, chance = self._open_order(), self.chance
        if order is None:
            return
        new: dict[str, int] = {}
        if chance.random() < 0.6:
            new["price_ticks"] = chance.randrange(95, 106)
        if chance.random() < 0.6:
            new["quantity_lots"] = max(1, order.quantity_lots + chance.randrange(-3, 4))
        if chance.random() < 0.2:
            new["expire_us"] = self.market.now_us + chance.choice((1, 5000, 900_000))
        slug = order.account.participant.slug if chance.random() < 0.95 else "other"
        if self._may_trade(slug):
            self.market.amend(slug, str(order.pk), **new)

    def _cancel(self) -> None:
        order = self._open_order()
        if order is not None:
            self.market.cancel(order.account.participant.slug, str(order.pk))

    def _cancel_many(self) -> None:
        body = CancelManyPayload(side=self.chance.choice((None, 0, 1)), group=self.chance.choice((None, "a")))
        self.market.command(CommandKind.CANCEL_MANY, body, self.chance.choice(SLUGS))

    def _match(self) -> None:
        self.market.match()
        self.market.now_us += self.chance.choice((0, 1000, 1_100_000))

    def _phase(self) -> None:
        self.market.phase(self.chance.choice((Phase.HALTED, Phase.CONTINUOUS, Phase.CONTINUOUS, Phase.PRE_OPEN)))
        self._place()
        self.market.phase(Phase.CONTINUOUS)

    def _post_only(self) -> None:
        self.market.post_only(1)
        for _ in range(self.chance.randrange(4)):
            self.chance.choice((self._place, self._amend, self._match, self._forget))()
        if self.chance.random() < 0.8:
            self.market.post_only(0)

    def _right(self, **wanted: Any) -> Right | None:
        rights = list(Right.objects.filter(**wanted).order_by("created_at", "holder_id", "remaining_units", "terms_id"))
        return self.chance.choice(rights) if rights else None

    def _freeze(self) -> None:
        right = self._right(status="active")
        if right is not None:
            freeze.freeze_right(
                right_id=str(right.pk),
                freeze_reason="custom",
                reason="test",
                actor=f"key:{self.market.operator.uuid}",
                now_us=self.market.now_us,
            )

    def _thaw(self) -> None:
        right = self._right(status="frozen")
        if right is not None:
            freeze.unfreeze_right(right_id=str(right.pk), reason="test", actor="command:test", now_us=self.market.now_us)

    def _suspend(self) -> None:
        slug = self.chance.choice(SLUGS)
        self._standing(slug, participants.suspend)
        self.suspended.setdefault(slug, self.market.now_us)

    def _reinstate(self) -> None:
        for slug in SLUGS:
            self._standing(slug, participants.reinstate)
            self.suspended.pop(slug, None)

    def _fund(self) -> None:
        self._cash(fund)

    def _withdraw(self) -> None:
        self._cash(withdraw)

    def _cash(self, service: Any) -> None:
        account, amount = self.market.accounts[self.chance.choice(SLUGS)], str(self.chance.choice((1, 50, 400)))
        with contextlib.suppress(FundingRefusal):
            service(
                account=account, amount=amount, currency="USD", reason="test", mint=MINT, actor="command:test", now_us=self.market.now_us
            )

    def _standing(self, slug: str, service: Any) -> None:
        self.market.now_us += 31_000_000  # beyond the grace in which a suspension may cross a batch
        try:
            service(
                participant=self.market.accounts[slug].participant,
                reason="test",
                actor=f"key:{self.market.operator.uuid}",
                now_us=self.market.now_us,
            )
        except OperatorRefusal:
            return

    def _split(self) -> None:
        right = self._right(status="active", remaining_units__gt=1)
        if right is not None:
            self._registry(split_right, right_id=str(right.pk), units=1_000_000, child_id=MINT.uuid(self.market.now_us))

    def _merge(self) -> None:
        one = self._right(status="active", parent__isnull=False)
        two = one and self._right(status="active", parent=one.parent_id)
        if one is not None and two is not None and one.pk != two.pk:
            self._registry(merge_rights, source_id=str(one.pk), target_id=str(two.pk))

    def _registry(self, service: Any, **arguments: Any) -> None:
        try:
            service(**arguments, actor="command:test", now_us=self.market.now_us)
        except RegistryRefusalError:
            return

    def _forget(self) -> None:
        self.market.lane = LaneMemory()
