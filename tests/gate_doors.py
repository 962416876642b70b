"""The four doors of the transfer gate (SPEC §4), and what is refused at each: for tests that try every code at every door."""

from collections.abc import Callable
from typing import Any

import pytest

from exchange.api.order_entry import preview
from exchange.domain.command import Reason
from exchange.models import Order, Trade
from exchange.models.order import OrderStatus
from exchange.services.identity import Principal
from exchange.services.payload import PlacePayload
from exchange.services.rules import rules_of
from rights.domain.gates import Verdict
from rights.domain.package import PartFacts
from rights.models import Package, Right
from settlement.services import packages
from settlement.services.transfer import Part, TransferRefused, transfer_units
from tests.honest_market import HonestMarket
from tests.registry_desk import MINT

LOT = 1_000_000
TAKER = "agent"  # unlike the others: of another type, from elsewhere
DOORS = ("ask", "fill", "transfer", "package")


class Scene:
    """A right of the plain class in `giver`'s hands, under a policy; `TAKER` would receive a lot of it."""

    def __init__(self, market: HonestMarket, *, lots: int = 2, activate: bool = True, giver: str = "holder", **policy: Any) -> None:
        self.market = market
        self.accounts = market.accounts
        self.giver = giver
        self.right: Right = market.desk.issue(lots * LOT, holder=giver, activate=activate, transfer_policy=policy)
        self.right_id = str(self.right.pk)

    @property
    def told(self) -> dict[str, Any]:
        """What every service is told beside its subject."""
        return {"actor": "command:test", "now_us": self.market.now_us}

    # ask

    def place_ask(self, lots: int = 1) -> str:
        order = self.market.place(self.giver, "sell", lots, 100, rights=[self.right_id])
        self.market.match()
        return order

    def resting_ask(self, lots: int = 1) -> str:
        order = self.place_ask(lots)
        assert Order.objects.get(pk=order).is_open
        return order

    def ask(self, lots: int = 1) -> list[Verdict]:
        """The verdicts that the seller is shown with his refusal."""
        order = Order.objects.get(pk=self.place_ask(lots))
        assert order.status == OrderStatus.REJECTED
        assert Reason(order.reason).name.lower() in {*preview.TOLD_BY_GATES, "gate_closed"}
        return self.shown(self.giver, "sell", lots, rights=[self.right_id])

    def shown(self, slug: str, side: str, lots: int, **more: Any) -> list[Verdict]:
        """The refusals among what the preview of an order says."""
        account = self.accounts[slug]
        who = Principal(account.pk, str(account.uuid), account.participant_id, slug, "app", frozenset({"trade"}), "key:test", None, None)
        body = PlacePayload(side=int(side == "sell"), type=0, quantity_lots=lots, price_ticks=100, **more)
        seen = preview._look(rules_of(self.market.book_id), body, who)
        assert not seen["accepted"] or side == "buy"
        return [Verdict(gate["code"], False, gate["detail"]) for gate in seen["gates"] if not gate["passed"]]

    # fill

    def bid(self, slug: str = TAKER) -> Reason:
        """Somebody would take the resting ask and does not get it; why his order ended, if it did."""
        order = self.market.place(slug, "buy", 1, 100)
        self.market.match()
        assert not Trade.objects.filter(slice_roots__contains=[self.right.root_id]).exists()
        return Reason(Order.objects.get(pk=order).reason)

    # transfer

    def transfer(self, units: int = LOT, to: str = TAKER) -> list[Verdict]:
        with pytest.raises(TransferRefused) as refused:
            self.give(units, to)
        return [one.verdict for one in refused.value.refusals]

    def give(self, units: int = LOT, to: str = TAKER) -> str:
        """The right that the taker holds then."""
        moved = transfer_units(
            parts=[Part(self.right_id, units)], giver=self.accounts[self.giver], taker=self.accounts[to], mint=MINT, **self.told
        )
        return moved.receives[self.right_id]

    # package

    def compose(self, units: int = LOT) -> Package:
        composition = packages.Composition("bundle", "one right", [PartFacts(self.right_id, units)])
        return packages.create_package(
            holder=self.accounts[self.giver], composition=composition, package_id=MINT.uuid(self.market.now_us), **self.told
        )

    def deliver(self, package: Package) -> list[Verdict]:
        with pytest.raises(TransferRefused) as refused:
            packages.transfer_package(
                package_id=str(package.uuid), holder_id=package.holder_id, taker=self.accounts[TAKER], mint=MINT, **self.told
            )
        return [one.verdict for one in refused.value.refusals]


Act = Callable[[Scene], Any]
