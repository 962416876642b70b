"""A small market for tests: accounts with cash and rights, one book in continuous trading, commands straight into the intake."""

import hashlib
from datetime import UTC, datetime

from django.db import transaction

from exchange.domain.command import Phase
from exchange.models import Instrument, Order
from exchange.models.book import CommandKind
from exchange.services import deliverable, disclosure, intake, payload
from exchange.services import lane as lanes
from exchange.services import rules as rulebook
from exchange.services.batch import Matched, Outcome, match_once
from exchange.services.lane import LaneMemory
from exchange.services.listing import TradingRules, list_instrument
from exchange.services.participants import NewAccount, open_participant
from rights.kernel.clock import to_datetime, to_us
from rights.kernel.ids import Mint
from rights.models import Account, Assurance, ComputeClass, Issuer, Right, Series, Stream, Terms
from rights.services import reception
from rights.services.venue import venue_account
from settlement.models import Asset
from settlement.services import deliver as deliveries
from settlement.services import ledger

NOW_US = to_us(datetime(2026, 11, 1, tzinfo=UTC))
LOT = 1_000_000
MANIFEST = '{"settlement_policy":{"expiry_policy":"burn"}}'  # all that a right's life here asks of its terms
MINT = Mint()


class Floor:
    """One book; every step takes a millisecond."""

    def __init__(self, *, maker_bps: int = 10, taker_bps: int = 20, tick_minor: int = 10_000, policy: dict | None = None) -> None:
        for memory in (
            rulebook.forget,
            deliverable.forget,
            disclosure.forget,
            reception.forget_policies,
            lanes._uuids.clear,
            deliveries.forget_assets,
        ):
            memory()
        self.now_us = NOW_US
        self.lane = LaneMemory()
        self.usd = ledger.cash_asset()
        self.accounts: dict[str, Account] = {}
        self.rights: dict[str, str] = {}
        self.policy = {"transferable": True, "splittable": True} | (policy or {})
        issuer_account = self.open("issuer")
        self.issuer = Issuer.objects.create(slug="issuer", participant=issuer_account.participant, issuer_type="provider")
        kind = ComputeClass.objects.create(key="TXT.CHAT.STD.INT.PRV", fingerprint="f" * 64, dimensions={}, unit="tokens", lot_size=LOT)
        start, end = to_datetime(NOW_US + 3_600_000_000), to_datetime(NOW_US + 7_200_000_000)
        stream = Stream.objects.create(code="series:1")
        self.series = Series.objects.create(compute_class=kind, window_start=start, window_end=end, stream=stream)
        self.assurance = Assurance.objects.create(
            uuid=MINT.uuid(NOW_US),
            issuer=self.issuer,
            mode="reserved-capacity",
            reference="rack",
            compute_class=kind,
            window_start=start,
            window_end=end,
            unit="tokens",
            gross_units=10**15,
            refreshed_at=to_datetime(NOW_US),
            created_at=to_datetime(NOW_US),
        )
        rules = TradingRules(
            tick_minor=tick_minor, collar_low_ticks=1, collar_high_ticks=100_000, opens_us=NOW_US, maker_bps=maker_bps, taker_bps=taker_bps
        )
        self.instrument: Instrument = list_instrument(series=self.series, rules=rules, actor="test", now_us=NOW_US)
        self.book_id = self.instrument.pk
        self.phase(Phase.CONTINUOUS)
        self.match()

    def open(self, slug: str, cash: int = 0) -> Account:
        account = open_participant(slug=slug, name=slug, account=NewAccount(slug), mint=MINT, actor="test", now_us=NOW_US).accounts.get()
        self.accounts[slug] = account
        if cash:
            self.fund(slug, cash)
        return account

    def fund(self, slug: str, dollars: int) -> None:
        move = ledger.Move(
            MINT.uuid(NOW_US),
            0,
            "deposit",
            self.usd.pk,
            venue_account(code="venue:funding", now_us=NOW_US).pk,
            self.accounts[slug].pk,
            dollars * 10**6,
        )
        with transaction.atomic():
            ledger.post(moves=[move], now_us=NOW_US)

    def right(self, slug: str, lots: int, *, policy: dict | None = None) -> str:
        """Issue a root right straight into the tables; its UUID."""
        text = repr(self.policy | (policy or {}))
        terms, _ = Terms.objects.get_or_create(
            terms_hash=hashlib.sha256(text.encode()).hexdigest(),
            defaults={"manifest": MANIFEST, "compute_class": self.series.compute_class, "transfer_policy": self.policy | (policy or {})},
        )
        right_id, at, holder = MINT.uuid(NOW_US), to_datetime(NOW_US), self.accounts[slug]
        Right.objects.create(
            id=right_id,
            series=self.series,
            terms=terms,
            issuer=self.issuer,
            assurance=self.assurance,
            holder=holder,
            controller=holder,
            status="active",
            max_units=lots * LOT,
            remaining_units=lots * LOT,
            root_id=right_id,
            activated_at=at,
            ends_at=self.series.window_end,
            acquired_at=at,
            created_at=at,
            updated_at=at,
        )
        asset = Asset.objects.create(code=f"U:rgt_{right_id}", kind="units", root_right=right_id)
        move = ledger.Move(
            MINT.uuid(NOW_US), 0, "issue", asset.pk, venue_account(code="units:issued", now_us=NOW_US).pk, holder.pk, lots * LOT
        )
        with transaction.atomic():
            ledger.post(moves=[move], now_us=NOW_US)
        return right_id

    def place(self, slug: str, side: str, quantity: int, price: int | None, **more: object) -> str:
        """Queue an order; its UUID. Prices in ticks."""
        order_id = MINT.uuid(self.now_us)
        cid = more.pop("client_order_id", None)
        body = payload.PlacePayload(side=int(side == "sell"), type=int(price is None), quantity_lots=quantity, price_ticks=price, **more)
        self.command(CommandKind.PLACE, body, slug, order_id, cid)
        return order_id

    def command(self, kind: CommandKind, body: payload.Payload, slug: str | None, order_id: str | None = None, cid: object = None) -> int:
        command = intake.NewCommand(
            book_id=self.book_id,
            account_id=self.accounts[slug].pk if slug else None,
            kind=int(kind),
            payload=payload.encode(body),
            actor="test",
            order_id=order_id,
            client_order_id=cid,
        )
        with transaction.atomic():
            return intake.submit(commands=[command], now_us=self.now_us)[0]

    def cancel(self, slug: str, order_id: str) -> None:
        self.command(CommandKind.CANCEL, payload.CancelPayload(), slug, order_id)

    def amend(self, slug: str, order_id: str, **new: int) -> None:
        self.command(CommandKind.AMEND, payload.AmendPayload(**new), slug, order_id)

    def phase(self, phase: Phase) -> None:
        self.command(CommandKind.SET_PHASE, payload.PhasePayload(phase=int(phase), reason="test"), None)

    def match(self) -> Matched:
        """Match until idle; the last batch that matched something."""
        last = Matched(Outcome.IDLE)
        while True:
            self.now_us += 1000
            matched = match_once(self.lane, book_id=self.book_id, now_us=self.now_us)
            if matched.outcome is not Outcome.MATCHED:
                return last
            last = matched

    def order(self, order_id: str) -> Order:
        return Order.objects.get(pk=order_id)

    def cash(self, slug: str) -> tuple[int, int]:
        """(total, held) in minor units."""
        found = self.accounts[slug].balances.filter(asset=self.usd).values_list("amount", "held").first()
        return found or (0, 0)

    def lots(self, slug: str) -> int:
        return sum(r.remaining_units for r in Right.objects.filter(holder=self.accounts[slug])) // LOT
