"""A book, two accounts and hand-written batches: what the matching lane commits, without a lane."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.db import transaction
from django.test import Client as TestBrowser

from exchange.domain.checksum import checksum
from exchange.feed import record as rec
from exchange.models import AccountFeed, AccountMessage, Batch, Book, Instrument, Order
from exchange.services import keys
from exchange.services import rules as rulebook
from exchange.services.listing import TradingRules, list_instrument
from exchange.services.participants import NewAccount, NewMember, add_member, open_participant
from rights.kernel.clock import now_us, to_datetime, to_us
from rights.kernel.ids import Mint
from rights.models import Account, ComputeClass, Participant, Series, Stream
from settlement.models import Asset

NOW_US = to_us(datetime(2026, 11, 1, tzinfo=UTC))
MINT = Mint()


_counter = itertools.count(1)


def list_one() -> Instrument:
    """An instrument of its own: the windows of one class follow each other."""
    hour = next(_counter)
    Asset.objects.get_or_create(code="USD", defaults={"kind": "cash", "scale": 6})
    dimensions = {"key": "TXT.CHAT.STD.INT.PRV", "fingerprint": "f" * 64, "dimensions": {}, "unit": "tokens", "lot_size": 1_000_000}
    compute_class, _ = ComputeClass.objects.get_or_create(key="TXT.CHAT.STD.INT.PRV", defaults=dimensions)
    start = to_datetime(NOW_US + (720 + hour) * 3_600_000_000)
    end = to_datetime(NOW_US + (744 + hour) * 3_600_000_000)
    stream = Stream.objects.create(code=f"series:test{hour}")
    series = Series.objects.create(compute_class=compute_class, window_start=start, window_end=end, stream=stream)
    rules = TradingRules(tick_minor=1000, collar_low_ticks=1, collar_high_ticks=1_000_000, opens_us=NOW_US)
    return list_instrument(series=series, rules=rules, actor="test", now_us=NOW_US)


def open_account() -> int:
    """The account of a new participant."""
    slug = f"member-{next(_counter)}"
    participant = open_participant(slug=slug, name=slug, account=NewAccount(slug), mint=MINT, actor="test", now_us=NOW_US)
    return participant.accounts.get().pk


class Owner(NamedTuple):
    """An account with what opens a socket to it."""

    account_id: int
    slug: str
    token: str


def open_owner(*scopes: str) -> Owner:
    """A new account with a key of these scopes."""
    account = Account.objects.get(pk=open_account())
    key = keys.create(account_id=account.pk, scopes=scopes or ("read", "trade", "cancel"), label="", expires_us=None, now_us=now_us())
    return Owner(account.pk, account.participant.slug, key.token)


def log_in(owner: Owner) -> dict[str, str]:
    """Make a member of the owner and log him in; his browser's cookies."""
    member = NewMember(f"user-{owner.slug}", "a long enough password", ["read", "trade", "cancel"])
    participant = Participant.objects.get(slug=owner.slug)
    user = add_member(participant=participant, member=member, actor="test", now_us=NOW_US)
    browser = TestBrowser()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return {name: morsel.value for name, morsel in browser.cookies.items()}


def log_out(cookies: dict[str, str]) -> None:
    SessionStore(cookies[settings.SESSION_COOKIE_NAME]).flush()


class Lane:
    """Commits batches to one book as the matching lane does, and knows what the book then is."""

    def __init__(self, book_id: int) -> None:
        self.book_id = book_id
        self.maker = Account.objects.get(pk=open_account())
        self.rests = True  # whether orders are written too, for readers that come later
        self.seq = 0
        self.trade_no = 0
        self.levels: dict[tuple[int, int], tuple[int, int]] = {}
        self.messages: dict[int, list[int]] = {}  # account: [seq, orders, fills, balances]

    def checksum(self) -> int:
        rules = rulebook.rules_of(self.book_id)
        bids = sorted((p for s, p in self.levels if s == 0), reverse=True)
        asks = sorted(p for s, p in self.levels if s == 1)
        texts = [[(rules.price_text(p), str(self.levels[s, p][0])) for p in side] for s, side in ((0, bids), (1, asks))]
        return checksum(texts[0], texts[1])

    def rest(self, changes: Sequence[rec.Level]) -> None:
        """Make the levels' orders what a batch says of them."""
        for side in (0, 1):
            prices = [price for s, price, _, _ in changes if s == side]
            Order.objects.filter(book_id=self.book_id, side=side, price_ticks__in=prices).delete()
        Order.objects.bulk_create(
            self._resting(side, price, lots - orders + 1 if number == 0 else 1)
            for side, price, lots, orders in changes
            for number in range(orders)
        )

    def _resting(self, side: int, price: int, lots: int) -> Order:
        return Order(
            id=MINT.uuid(NOW_US),
            book_id=self.book_id,
            account=self.maker,
            participant_id=self.maker.participant_id,
            side=side,
            price_ticks=price,
            quantity_lots=lots,
            remaining_lots=lots,
            is_open=True,
            status=1,
            joined=self.seq,
            book_seq=self.seq,
            created_at=to_datetime(NOW_US),
            updated_at=to_datetime(NOW_US),
            **dict.fromkeys(("type", "tif", "post_only", "stp", "filled_lots", "cancelled_lots", "reason"), 0),
            **dict.fromkeys(("notional_minor", "fee_minor", "held_minor"), 0),
            slice_rights=[],
            slice_units=[],
        )

    @transaction.atomic
    def batch(self, *changes: rec.Level, trades: int = 0) -> int:
        """One batch that leaves `changes` as the levels' sizes, with `trades` trades at 100 ticks."""
        self.seq += 1
        for side, price, lots, orders in changes:
            self.levels.pop((side, price), None)
            if lots:
                self.levels[side, price] = (lots, orders)
        if self.rests:
            self.rest(changes)
        done = []
        for _ in range(trades):
            self.trade_no += 1
            done.append(rec.TradeRecord(MINT.uuid(NOW_US), self.trade_no, 100, 1, 0))
        Batch.objects.create(
            book_id=self.book_id,
            seq=self.seq,
            at=to_datetime(NOW_US),
            first_command_seq=1,
            command_ns=[],
            max_xid=1,
            inputs=b"",
            public=rec.encode(rec.PublicRecord(NOW_US, 1, list(changes), done)),
            checksum=self.checksum(),
            hash="0" * 64,
        )
        Book.objects.filter(pk=self.book_id).update(seq=self.seq, trade_count=self.trade_no, phase=1)
        return self.seq

    @transaction.atomic
    def tell(self, account_id: int, *, orders: int = 0, results: tuple[int, ...] = ()) -> None:
        """One account's private row of the present batch, with `orders` order events."""
        numbers = self.messages.setdefault(account_id, [0, 0, 0, 0])
        numbers[0] += 1
        numbers[1] += orders
        told = [self.order(f"{numbers[1] - orders + i + 1}") for i in range(orders)]
        body = rec.PrivateRecord(NOW_US, told, [], [], [rec.ResultRecord(n, 0, 0, []) for n in results])
        AccountMessage.objects.create(
            account_id=account_id,
            seq=numbers[0],
            book_id=self.book_id,
            batch_seq=self.seq,
            at=to_datetime(NOW_US),
            orders_seq=numbers[1],
            fills_seq=numbers[2],
            balances_seq=numbers[3],
            body=rec.encode(body),
        )
        AccountFeed.objects.filter(account_id=account_id).update(seq=numbers[0], orders_seq=numbers[1])

    def order(self, name: str) -> rec.OrderRecord:
        return rec.OrderRecord(
            MINT.uuid(NOW_US), self.book_id, name, "", 0, 0, 0, 0, 0, 100, 10, 0, 10, 1, 0, 0, 0, 0, NOW_US, NOW_US, self.seq
        )
