"""What a private channel said: per account, gapless, kept seven days for `from_seq` (API.md, WebSocket)."""

from django.db import models

from rights.models import Account


class AccountFeed(models.Model):
    """The last sequence numbers of an account's channels; `suspended` repeats its status for the batch, which locks this row."""

    account = models.OneToOneField(Account, models.PROTECT, primary_key=True)
    seq = models.BigIntegerField(default=0)
    orders_seq = models.BigIntegerField(default=0)
    fills_seq = models.BigIntegerField(default=0)
    balances_seq = models.BigIntegerField(default=0)
    requests_seq = models.BigIntegerField(db_default=0)
    settlements_seq = models.BigIntegerField(db_default=0)
    suspended = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"feed {self.account_id}"


class AccountMessage(models.Model):
    """All that one transaction told one account. `body` is msgpack; layout in feed/private_record.py.

    The `*_seq` columns are the channel's last number after this row; the row holds the numbers before them.
    """

    pk = models.CompositePrimaryKey("account_id", "seq")
    account = models.ForeignKey(Account, models.PROTECT, db_index=False, db_constraint=False)
    seq = models.BigIntegerField()
    book_id = models.BigIntegerField(null=True)
    batch_seq = models.BigIntegerField(null=True)
    at = models.DateTimeField()
    orders_seq = models.BigIntegerField()
    fills_seq = models.BigIntegerField()
    balances_seq = models.BigIntegerField()
    requests_seq = models.BigIntegerField(db_default=0)
    settlements_seq = models.BigIntegerField(db_default=0)
    body = models.BinaryField()

    class Meta:
        indexes = [models.Index(fields=["book_id", "batch_seq"], name="account_message_batch")]

    def __str__(self) -> str:
        return f"{self.account_id}/{self.seq}"
