"""What bounded keys have entered, and what they asked a member to approve (API.md, Identity)."""

from django.db import models
from django.db.models import Q

from exchange.models.access import ApiKey
from exchange.models.book import Book, Command
from rights.models import Account

APPROVAL_STATES = ("pending", "granted", "denied", "used", "replaced")


class KeyDraw(models.Model):
    """An order or an amendment that a bounded key entered: the most it could come to, on that UTC day."""

    command = models.OneToOneField(Command, models.PROTECT, primary_key=True, related_name="+", db_constraint=False)
    key = models.ForeignKey(ApiKey, models.PROTECT, related_name="+", db_index=False)
    order_id = models.UUIDField()
    day = models.DateField()
    is_buy = models.BooleanField()
    notional_minor = models.BigIntegerField()
    price_ticks = models.BigIntegerField()
    quantity_lots = models.BigIntegerField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(notional_minor__gte=0, price_ticks__gt=0, quantity_lots__gt=0), name="key_draw")]
        indexes = [models.Index(fields=["key", "day"], name="key_draw_day"), models.Index(fields=["order_id"], name="key_draw_order")]

    def __str__(self) -> str:
        return f"draw {self.command_id}"


class OrderApproval(models.Model):
    """A bounded key wants more than it may alone. Granted, one order on this side, no larger and at no worse a price, may enter."""

    uuid = models.UUIDField(unique=True)
    account = models.ForeignKey(Account, models.PROTECT, related_name="+", db_index=False)
    key = models.ForeignKey(ApiKey, models.PROTECT, related_name="+", db_index=False)
    book = models.ForeignKey(Book, models.PROTECT, related_name="+", db_index=False)
    side = models.PositiveSmallIntegerField()
    price_ticks = models.BigIntegerField()
    quantity_lots = models.BigIntegerField()
    notional_minor = models.BigIntegerField()
    state = models.CharField(max_length=8, default="pending", choices=[(s, s) for s in APPROVAL_STATES])
    decided_by = models.CharField(max_length=80, default="", blank=True)
    note = models.CharField(max_length=200, default="", blank=True)
    order_id = models.UUIDField(null=True)
    asked_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=APPROVAL_STATES), name="approval_state"),
            models.UniqueConstraint(fields=["key", "book", "side"], condition=Q(state="pending"), name="approval_pending_once"),
        ]
        indexes = [models.Index(fields=["account", "id"], name="approval_account")]

    def __str__(self) -> str:
        return f"approval {self.uuid} {self.state}"
