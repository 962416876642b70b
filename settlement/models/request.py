"""Requests to use rights, the routes they take, and how suppliers are reached (SPEC §8)."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from rights.models import Account, Capability, Delegation, Package, Right, Stream, Supplier
from rights.models.package import TIERS
from settlement.domain.request_states import BUDGETS, DELIVERIES, REQUEST_STATES, ROUTE_STATES
from settlement.models.ledger import Asset

ADAPTERS = ("openai", "node-network", "batch", "command")


class Request(models.Model):
    """What somebody wants done, and how far it has come. `holder` is whose rights it uses, `account` who asked (a delegate, or the holder).

    `envelope` is the canonical JSON that is hashed; the payload is no part of it but by its hash.
    """

    id = models.UUIDField(primary_key=True)
    account = models.ForeignKey(Account, models.PROTECT, related_name="requests", db_index=False, db_constraint=False)
    holder = models.ForeignKey(Account, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    delegation = models.ForeignKey(Delegation, models.PROTECT, null=True, related_name="requests", db_index=False)
    # Of the first candidate's series.
    stream = models.ForeignKey(Stream, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    state = models.CharField(max_length=24, default="received", choices=[(s, s) for s in REQUEST_STATES])
    workload = models.CharField(max_length=32)
    operation = models.CharField(max_length=64)
    expected_units = models.BigIntegerField()
    budget = models.CharField(max_length=16, default="actual", choices=[(b, b) for b in BUDGETS])
    delivery = models.CharField(max_length=16, default="sync", choices=[(d, d) for d in DELIVERIES])
    envelope = models.TextField()
    envelope_hash = models.CharField(max_length=64)
    effective = models.JSONField(default=dict)  # by candidate right: the policy in force, and each narrowing with its source
    latest_at = models.DateTimeField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=REQUEST_STATES), name="request_state"),
            models.CheckConstraint(condition=Q(budget__in=BUDGETS, delivery__in=DELIVERIES), name="request_words"),
            models.CheckConstraint(condition=Q(expected_units__gt=0), name="request_units"),
        ]
        indexes = [
            models.Index(fields=["account", "-id"], name="request_account"),
            models.Index(fields=["holder", "-id"], name="request_holder"),
            models.Index(fields=["latest_at"], condition=Q(ended_at__isnull=True), name="request_open"),
            models.Index(fields=["delegation"], condition=Q(delegation__isnull=False), name="request_delegation"),
        ]

    def __str__(self) -> str:
        return f"req_{self.id}"


class RequestPayload(models.Model):
    """What is to be done and what came of it, as texts; kept for a time only, while the request's hashes stay."""

    request = models.OneToOneField(Request, models.CASCADE, primary_key=True, related_name="payload", db_constraint=False)
    body = models.TextField()
    body_hash = models.CharField(max_length=64)
    output = models.TextField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="request_payload_age")]

    def __str__(self) -> str:
        return f"payload of {self.request_id}"


class Endpoint(models.Model):
    """Where a capability is executed. `secret` is encrypted (settlement/services/secrets.py), empty for none; `model` what the supplier calls it."""

    uuid = models.UUIDField(unique=True)
    capability = models.ForeignKey(Capability, models.PROTECT, related_name="endpoints")
    adapter = models.CharField(max_length=16, choices=[(a, a) for a in ADAPTERS])
    base_url = models.CharField(max_length=300, default="", blank=True)
    model = models.CharField(max_length=120, default="", blank=True)
    secret = models.TextField(default="", blank=True)
    timeout_ms = models.IntegerField(default=30_000)
    max_attempts = models.PositiveSmallIntegerField(default=2)
    inside = models.BooleanField(default=False)  # an operator lets the address be one that is not global
    status = models.CharField(max_length=8, default="active", choices=[("active", "active"), ("paused", "paused")])
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(adapter__in=ADAPTERS, status__in=("active", "paused")), name="endpoint_words"),
            models.CheckConstraint(condition=Q(timeout_ms__gt=0, max_attempts__gt=0), name="endpoint_bounds"),
            models.UniqueConstraint(fields=["capability"], condition=Q(status="active"), name="endpoint_active_once"),
        ]

    def __str__(self) -> str:
        return f"{self.adapter} {self.base_url}"


class EndpointHealth(models.Model):
    """What was measured lately: no memory of record, and no part of any outcome. The breaker is open until `opened_until`."""

    endpoint = models.OneToOneField(Endpoint, models.CASCADE, primary_key=True, related_name="health")
    failures_in_a_row = models.IntegerField(default=0)
    opened_until = models.DateTimeField(null=True)
    latency_us = models.BigIntegerField(null=True)  # moving average
    updated_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"health of {self.endpoint_id}"


class Route(models.Model):
    """One way to do a request, or a part of it: quoted with its score and reasons; while locked, `units` of the right are reserved for it
    and `escrow_minor` of `payer`'s cash are set aside. A right is a standing claim; a route is a moment's choice.
    """

    id = models.UUIDField(primary_key=True)
    request = models.ForeignKey(Request, models.PROTECT, related_name="routes", db_index=False, db_constraint=False)
    number = models.PositiveSmallIntegerField()
    right = models.ForeignKey(Right, models.PROTECT, related_name="routes", db_index=False, db_constraint=False)
    capability = models.ForeignKey(Capability, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    supplier = models.ForeignKey(Supplier, models.PROTECT, related_name="routes", db_index=False, db_constraint=False)
    units = models.BigIntegerField()
    currency = models.ForeignKey(Asset, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    escrow_minor = models.BigIntegerField(default=0)
    payer = models.ForeignKey(Account, models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False)
    payee = models.ForeignKey(Account, models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False)
    score = models.IntegerField()  # of 10,000
    package = models.ForeignKey(Package, models.PROTECT, null=True, related_name="+", db_index=False)  # out of which the units come
    tier = models.CharField(max_length=8, default="", blank=True)  # of a tranche
    branch = models.CharField(max_length=40, default="", blank=True)  # of a strategy
    reasons = models.JSONField(default=list)  # [{"code", "detail", "points"}]: why it scored so, or why it was refused
    fallbacks = ArrayField(models.CharField(max_length=32), default=list)
    quality_loss_bps = models.IntegerField(default=0)
    state = models.CharField(max_length=12, choices=[(s, s) for s in ROUTE_STATES])
    quoted_at = models.DateTimeField()
    locked_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=ROUTE_STATES), name="route_state"),
            models.CheckConstraint(condition=Q(units__gt=0, escrow_minor__gte=0), name="route_amounts"),
            models.CheckConstraint(
                condition=Q(escrow_minor=0) | Q(payer__isnull=False, payee__isnull=False) & ~Q(payer=F("payee")), name="route_parties"
            ),
            models.CheckConstraint(condition=Q(tier__in=TIERS) & (Q(package__isnull=False) | Q(tier="", branch="")), name="route_part"),
            models.UniqueConstraint(fields=["request", "number"], name="route_number"),
        ]
        indexes = [
            # The limits of a right count these under its lock.
            models.Index(fields=["right", "locked_at"], condition=Q(locked_at__isnull=False), name="route_right_locked"),
            models.Index(fields=["right"], condition=Q(state__in=("locked", "executing")), name="route_right_live"),
            models.Index(fields=["expires_at"], condition=Q(state__in=("locked", "executing")), name="route_live_until"),
            models.Index(fields=["supplier", "-id"], name="route_supplier"),
        ]

    def __str__(self) -> str:
        return f"rte_{self.id}"
