"""Double entry. A posting moves `amount` of one asset from one account to another, so no row can unbalance the books.

Cash and right units are assets alike: `USD`, and `U:<root right>` (TRUST.md, design consequence 6).
"""

from django.db import models
from django.db.models import F, Q

from rights.models import Account


class Asset(models.Model):
    """`scale` is the number of decimals of one major unit (USD here: 6, so a minor unit is a micro-dollar)."""

    code = models.CharField(max_length=64, unique=True)
    kind = models.CharField(max_length=8, choices=[("cash", "cash"), ("units", "units")])
    scale = models.PositiveSmallIntegerField(default=0)
    root_right = models.UUIDField(null=True, unique=True)

    def __str__(self) -> str:
        return self.code


class Balance(models.Model):
    """amount = what was posted in − what was posted out. `floor` null: a contra account that may go below zero."""

    pk = models.CompositePrimaryKey("account_id", "asset_id")
    account = models.ForeignKey(Account, models.PROTECT, related_name="balances", db_index=False)
    asset = models.ForeignKey(Asset, models.PROTECT, db_index=False)
    amount = models.BigIntegerField(default=0)
    held = models.BigIntegerField(default=0)
    floor = models.BigIntegerField(null=True, default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(floor=None) | Q(amount__gte=F("floor")), name="balance_floor"),
            models.CheckConstraint(condition=Q(held__gte=0) & (Q(floor=None) | Q(held__lte=F("amount"))), name="balance_held"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}/{self.asset_id}"


OF_TRADES = ("units", "cash", "fee")  # kinds of legs that a statement finds through the trade instead


class Posting(models.Model):
    """One leg of a ledger entry; append-only. Trades use their own id as entry id (audit D1).

    No foreign keys: the writer locks the balance rows of the same accounts and assets, which have them (docs/adr/0004).
    """

    pk = models.CompositePrimaryKey("entry_id", "leg")
    entry_id = models.UUIDField()
    leg = models.SmallIntegerField()
    kind = models.CharField(max_length=16)
    asset = models.ForeignKey(Asset, models.PROTECT, db_index=False, db_constraint=False)
    debit = models.ForeignKey(Account, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    credit = models.ForeignKey(Account, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    amount = models.BigIntegerField()
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="posting_amount"),
            models.CheckConstraint(condition=~Q(debit=F("credit")), name="posting_two_accounts"),
        ]
        indexes = [
            models.Index(fields=["debit", "entry_id", "leg"], name="posting_debit", condition=~Q(kind__in=OF_TRADES)),
            models.Index(fields=["credit", "entry_id", "leg"], name="posting_credit", condition=~Q(kind__in=OF_TRADES)),
        ]

    def __str__(self) -> str:
        return f"{self.entry_id}#{self.leg}"
