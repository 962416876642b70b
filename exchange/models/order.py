"""Orders (present state) and trades (append-only)."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from exchange.models.book import Book
from rights.models import Account, Participant


class OrderStatus(models.IntegerChoices):
    PENDING = 0
    OPEN = 1
    PARTIALLY_FILLED = 2
    FILLED = 3
    CANCELLED = 4
    EXPIRED = 5
    REJECTED = 6


class Order(models.Model):
    """filled + remaining + cancelled = quantity, in lots. An ask's slices name the rights it reserved, in order of delivery."""

    id = models.UUIDField(primary_key=True)
    book = models.ForeignKey(Book, models.PROTECT, db_index=False, db_constraint=False)
    account = models.ForeignKey(Account, models.PROTECT, db_index=False, db_constraint=False)
    participant = models.ForeignKey(Participant, models.PROTECT, db_index=False, db_constraint=False)
    client_order_id = models.CharField(max_length=64, null=True)
    group = models.CharField(max_length=64, default="")
    side = models.PositiveSmallIntegerField()
    type = models.PositiveSmallIntegerField()
    tif = models.PositiveSmallIntegerField()
    post_only = models.PositiveSmallIntegerField()
    stp = models.PositiveSmallIntegerField()
    price_ticks = models.BigIntegerField(null=True)
    quantity_lots = models.BigIntegerField()
    filled_lots = models.BigIntegerField()
    remaining_lots = models.BigIntegerField()
    cancelled_lots = models.BigIntegerField()
    status = models.PositiveSmallIntegerField(choices=OrderStatus.choices)
    reason = models.PositiveSmallIntegerField()
    is_open = models.BooleanField()
    notional_minor = models.BigIntegerField()
    fee_minor = models.BigIntegerField()
    held_minor = models.BigIntegerField()
    slice_rights = ArrayField(models.UUIDField())
    slice_units = ArrayField(models.BigIntegerField())
    expire_at = models.DateTimeField(null=True)  # what the member asked for (gtd)
    valid_until = models.DateTimeField(null=True)  # the earlier of that and the rights' own cut-off
    named_rights = ArrayField(models.UUIDField(), null=True)  # the rights its owner named, sold ones too
    deadline = models.DateTimeField(null=True)
    valid_reason = models.PositiveSmallIntegerField(default=0)
    policy = models.BigIntegerField(default=0)
    holder_profile = models.BigIntegerField(default=0)
    joined = models.BigIntegerField()
    book_seq = models.BigIntegerField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(quantity_lots=F("filled_lots") + F("remaining_lots") + F("cancelled_lots")), name="order_adds_up"
            ),
            models.CheckConstraint(
                condition=Q(filled_lots__gte=0, remaining_lots__gte=0, cancelled_lots__gte=0, held_minor__gte=0), name="order_signs"
            ),
            models.CheckConstraint(
                condition=Q(is_open=True, remaining_lots__gt=0) | Q(is_open=False, remaining_lots=0, held_minor=0), name="order_open"
            ),
        ]
        indexes = [
            models.Index(fields=["book", "joined"], name="order_open_book", condition=Q(is_open=True)),
            models.Index(fields=["account", "id"], name="order_account"),
            models.Index(fields=["account", "book"], name="order_open_account", condition=Q(is_open=True)),
        ]

    def __str__(self) -> str:
        return f"ord_{self.id}"


class Trade(models.Model):
    """One trade: two fills (id with last bit 0: the buyer's, 1: the seller's), one ledger entry, its deliveries.

    `aggressor`: 0 buy, 1 sell, 2 auction. Delivery arrays run in parallel: slice i moved `slice_units[i]` from
    `slice_parents[i]` into `slice_children[i]` (the same right when all of it changed hands).
    """

    id = models.UUIDField(primary_key=True)
    book = models.ForeignKey(Book, models.PROTECT, db_index=False, db_constraint=False)
    trade_no = models.BigIntegerField()
    batch_seq = models.BigIntegerField()
    at = models.DateTimeField()
    price_ticks = models.BigIntegerField()
    quantity_lots = models.BigIntegerField()
    units = models.BigIntegerField()
    notional_minor = models.BigIntegerField()
    aggressor = models.PositiveSmallIntegerField()
    buy_order = models.ForeignKey(Order, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    sell_order = models.ForeignKey(Order, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    buyer = models.ForeignKey(Account, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    seller = models.ForeignKey(Account, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    buy_fee_minor = models.BigIntegerField()
    sell_fee_minor = models.BigIntegerField()
    slice_children = ArrayField(models.UUIDField())
    slice_parents = ArrayField(models.UUIDField())
    slice_roots = ArrayField(models.UUIDField())
    slice_units = ArrayField(models.BigIntegerField())
    event_seq = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["book", "trade_no"], name="trade_number"),
            models.CheckConstraint(condition=Q(quantity_lots__gt=0, price_ticks__gt=0), name="trade_amounts"),
            models.CheckConstraint(condition=~Q(buyer=F("seller")), name="trade_two_parties"),
        ]
        indexes = [
            models.Index(fields=["buyer", "id"], name="trade_buyer"),
            models.Index(fields=["seller", "id"], name="trade_seller"),
        ]

    def __str__(self) -> str:
        return f"trd_{self.id}"


class Proceeds(models.Model):
    """What a trade's seller was to get and waited in escrow, as it was released: to the seller, or in part back to the buyer. Append-only."""

    trade = models.OneToOneField(Trade, models.PROTECT, primary_key=True, db_constraint=False)
    entry_id = models.UUIDField()
    seller_minor = models.BigIntegerField()
    buyer_minor = models.BigIntegerField()
    released_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(seller_minor__gte=0, buyer_minor__gte=0), name="proceeds_amounts")]

    def __str__(self) -> str:
        return f"proceeds of trd_{self.trade_id}"
