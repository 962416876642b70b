"""The book's row, its command log and its batches: the whole order story of one instrument.

A command row is what a client was promised (committed before the answer). A batch row gives commands their
numbers and keeps what the core was fed, so that the batches alone replay to the same trades.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from exchange.models.instrument import Instrument
from rights.models import Account


class CommandKind(models.IntegerChoices):
    PLACE = 0
    AMEND = 1
    CANCEL = 2
    CANCEL_MANY = 3
    SET_PHASE = 4
    SET_POST_ONLY = 5


class Book(models.Model):
    """The hot row. `seq` counts batches (and is the book channel's sequence); `last_command_seq` is the fence.

    `scan_xid` is the oldest transaction whose commands may still be unread: see services/pending.py.
    """

    instrument = models.OneToOneField(Instrument, models.PROTECT, primary_key=True, related_name="book")
    lane = models.PositiveSmallIntegerField()
    phase = models.PositiveSmallIntegerField(default=0)
    seq = models.BigIntegerField(default=0)
    last_command_seq = models.BigIntegerField(default=0)
    scan_xid = models.BigIntegerField(default=0)
    trade_count = models.BigIntegerField(default=0)
    last_price_ticks = models.BigIntegerField(null=True)
    last_hash = models.CharField(max_length=64, default="0" * 64)
    # Only orders that rest may enter: the disclosure sheet is stale (SPEC §3; services/disclosure).
    post_only = models.BooleanField(default=False)
    next_expiry = models.DateTimeField(null=True)
    fee_account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    # Where sellers' proceeds wait; null: they go to the seller at once.
    proceeds_account = models.ForeignKey(Account, models.PROTECT, related_name="+", null=True)
    updated_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"book {self.instrument_id}"


class Command(models.Model):
    """An accepted command; append-only. Column `xid` (added by migration 0002) is its transaction.

    `payload` is the command's canonical JSON; the same client_order_id with the same payload is a replay.
    """

    n = models.BigAutoField(primary_key=True)
    book = models.ForeignKey(Book, models.PROTECT, db_index=False, db_constraint=False)
    account = models.ForeignKey(Account, models.PROTECT, null=True, db_index=False, db_constraint=False)
    kind = models.PositiveSmallIntegerField(choices=CommandKind.choices)
    order_id = models.UUIDField(null=True)
    client_order_id = models.CharField(max_length=64, null=True)
    payload = models.TextField()
    actor = models.CharField(max_length=80)
    accepted_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "client_order_id"], name="command_client_order_id")]

    def __str__(self) -> str:
        return f"command {self.n}"


class Batch(models.Model):
    """One transaction of matching. `inputs` and `public` are msgpack; layouts in services/batch_record.py."""

    pk = models.CompositePrimaryKey("book_id", "seq")
    book = models.ForeignKey(Book, models.PROTECT, db_index=False, db_constraint=False)
    seq = models.BigIntegerField()
    at = models.DateTimeField()
    first_command_seq = models.BigIntegerField()
    command_ns = ArrayField(models.BigIntegerField())
    max_xid = models.BigIntegerField()
    inputs = models.BinaryField()
    public = models.BinaryField()
    checksum = models.BigIntegerField()
    hash = models.CharField(max_length=64)

    class Meta:
        indexes = [models.Index(fields=["book", "max_xid"], name="batch_max_xid")]
        verbose_name_plural = "batches"

    def __str__(self) -> str:
        return f"{self.book_id}@{self.seq}"
