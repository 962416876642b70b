"""Standing policies and what they did (SPEC §11). Runs and actions are append-only (migration 0015)."""

from django.db import models
from django.db.models import F, Q

from exchange.domain.standing_policy import ACTIVE, AGENT, ENDED, KINDS, RULES, STATES
from exchange.models.access import ApiKey
from exchange.models.book import Book
from rights.models import Account

TRIGGERS = ("schedule", "fill", "window", "manual")
OUTCOMES = ("placed", "cancel_sent", "refused")


class Policy(models.Model):
    """`rules` as exchange/domain/standing_policy writes them. It acts under its key: what that may not do, the policy may not."""

    uuid = models.UUIDField(unique=True)
    account = models.ForeignKey(Account, models.PROTECT, related_name="policies")
    key = models.ForeignKey(ApiKey, models.PROTECT, related_name="policies")
    kind = models.CharField(max_length=16, choices=[(k, k) for k in KINDS])
    label = models.CharField(max_length=80, default="", blank=True)
    rules = models.JSONField()
    state = models.CharField(max_length=8, default=ACTIVE, choices=[(s, s) for s in STATES])
    reason = models.CharField(max_length=200, default="", blank=True)
    revision = models.PositiveIntegerField(default=1)
    every_s = models.PositiveIntegerField()
    runs = models.BigIntegerField(default=0)
    created_by = models.CharField(max_length=80)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    # When it is to look again, and what it had seen when it last looked: no part of the record, which the runs are.
    next_at = models.DateTimeField()
    looked_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "policies"
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=KINDS), name="policy_kind"),
            models.CheckConstraint(condition=Q(state__in=STATES), name="policy_state"),
            models.CheckConstraint(condition=Q(every_s__gte=5, every_s__lte=86_400), name="policy_every"),
            models.UniqueConstraint(fields=["key"], condition=Q(kind=AGENT) & ~Q(state=ENDED), name="policy_agent_once"),
        ]
        indexes = [
            models.Index(fields=["account", "id"], name="policy_account"),
            models.Index(fields=["next_at"], name="policy_due", condition=Q(state=ACTIVE) & ~Q(kind=AGENT)),
        ]

    def __str__(self) -> str:
        return f"policy {self.uuid} {self.state}"


class PolicyRun(models.Model):
    """One run that did something. `number` counts a policy's runs without gaps."""

    id = models.UUIDField(primary_key=True)
    policy = models.ForeignKey(Policy, models.PROTECT, related_name="history", db_index=False)
    number = models.BigIntegerField()
    revision = models.PositiveIntegerField()
    trigger = models.CharField(max_length=8, choices=[(t, t) for t in TRIGGERS])
    at = models.DateTimeField()
    passed = models.JSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["policy", "number"], name="policy_run_number"),
            models.CheckConstraint(condition=Q(trigger__in=TRIGGERS), name="policy_run_trigger"),
        ]

    def __str__(self) -> str:
        return f"run {self.policy_id}/{self.number}"


class PolicyAction(models.Model):
    """One thing a run did, or was refused: the rule behind it, the order, and of the first leg of a roll or swap where the second is bought."""

    pk = models.CompositePrimaryKey("run_id", "place")
    run = models.ForeignKey(PolicyRun, models.PROTECT, related_name="actions", db_index=False)
    place = models.PositiveSmallIntegerField()
    policy = models.ForeignKey(Policy, models.PROTECT, related_name="+", db_index=False)
    rule = models.CharField(max_length=16, choices=[(r, r) for r in RULES])
    verb = models.CharField(max_length=8)
    book = models.ForeignKey(Book, models.PROTECT, related_name="+", db_index=False)
    side = models.PositiveSmallIntegerField()
    quantity_lots = models.BigIntegerField()
    price_ticks = models.BigIntegerField()
    tif = models.PositiveSmallIntegerField()
    units = models.BigIntegerField()
    why = models.CharField(max_length=300)
    outcome = models.CharField(max_length=12, choices=[(o, o) for o in OUTCOMES])
    code = models.CharField(max_length=40, default="", blank=True)
    detail = models.CharField(max_length=300, default="", blank=True)
    order_id = models.UUIDField()
    pair_book = models.ForeignKey(Book, models.PROTECT, null=True, related_name="+", db_index=False)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(quantity_lots__gt=0, price_ticks__gt=0, units__gt=0), name="policy_action_amounts"),
            models.CheckConstraint(condition=Q(outcome__in=OUTCOMES, rule__in=RULES), name="policy_action_words"),
            models.CheckConstraint(condition=Q(pair_book=None) | ~Q(pair_book=F("book")), name="policy_action_pair"),
        ]
        indexes = [
            models.Index(fields=["policy", "at"], name="policy_action_when"),
            models.Index(fields=["order_id"], name="policy_action_order"),
        ]

    def __str__(self) -> str:
        return f"action {self.run_id}/{self.place}"
