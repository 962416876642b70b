"""Receipts, proofs, settlements and disputes (SPEC §8, §9)."""

from django.db import models
from django.db.models import F, Q

from rights.models import Account, ComputeClass, Issuer, Series
from settlement.domain.settlement_states import Outcome, SettlementEvent, SettlementState
from settlement.models.request import Request

STATES = tuple(str(state) for state in SettlementState)
OUTCOMES = tuple(str(outcome) for outcome in Outcome)
SIDES = ("holder", "supplier", "coordinator")
DISPUTE_STATES = ("open", "rejected", "upheld", "reclassified")


class Receipt(models.Model):
    """What was done, by whoever did it: facts, never economics. One per request that counts; `body` is the canonical JSON that is hashed."""

    id = models.UUIDField(primary_key=True)
    request = models.ForeignKey(Request, models.PROTECT, related_name="receipts", db_index=False, db_constraint=False)
    status = models.CharField(max_length=24)
    body = models.TextField()
    hash = models.CharField(max_length=64)
    recorded_at = models.DateTimeField()
    invalidated_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["request"], condition=Q(invalidated_at__isnull=True), name="receipt_live_once"),
        ]
        indexes = [models.Index(fields=["request"], name="receipt_request")]

    def __str__(self) -> str:
        return f"rcp_{self.id}"


class Proof(models.Model):
    """One proof of a receipt; append-only. `is_valid`: its signature, where it bears one, was checked when it came."""

    receipt = models.ForeignKey(Receipt, models.PROTECT, related_name="proofs", db_index=False, db_constraint=False)
    number = models.PositiveSmallIntegerField()
    type = models.CharField(max_length=32)
    reference = models.CharField(max_length=200)
    content_hash = models.CharField(max_length=64)
    producer = models.CharField(max_length=80)
    units = models.BigIntegerField(null=True)
    signature = models.CharField(max_length=128, default="", blank=True)
    is_valid = models.BooleanField(default=True)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["receipt", "number"], name="proof_number"),
            models.CheckConstraint(condition=Q(units__isnull=True) | Q(units__gte=0), name="proof_units"),
        ]

    def __str__(self) -> str:
        return f"{self.type} of {self.receipt_id}"


class Settlement(models.Model):
    """What a request came to, what was charged, who is paid. The database lets `state` move along the table only, by `last_event`.

    `reserved_units` and `escrow_minor` are what the routes had locked; `units` of them were used; payout, compensation and release make up the escrow.
    """

    id = models.UUIDField(primary_key=True)
    request = models.OneToOneField(Request, models.PROTECT, related_name="settlement", db_constraint=False)
    receipt = models.ForeignKey(Receipt, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    state = models.CharField(max_length=24, default="unsettled", choices=[(s, s) for s in STATES])
    last_event = models.CharField(max_length=24, default="", choices=[(str(e), str(e)) for e in SettlementEvent])
    outcome = models.CharField(max_length=12, default="", blank=True, choices=[(o, o) for o in OUTCOMES])
    rule = models.CharField(max_length=32, default="", blank=True)
    digest = models.CharField(max_length=64, default="", blank=True)
    reserved_units = models.BigIntegerField()
    units = models.BigIntegerField(default=0)
    escrow_minor = models.BigIntegerField(default=0)
    payout_minor = models.BigIntegerField(default=0)
    compensation_minor = models.BigIntegerField(default=0)
    release_minor = models.BigIntegerField(default=0)
    missing = models.JSONField(default=list)
    proof_due_at = models.DateTimeField(null=True)
    window_ends_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    finalized_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=STATES), name="settlement_state"),
            models.CheckConstraint(condition=Q(outcome="") | Q(outcome__in=OUTCOMES), name="settlement_outcome"),
            models.CheckConstraint(condition=Q(units__gte=0, reserved_units__gte=F("units")), name="settlement_units"),
            models.CheckConstraint(
                condition=Q(payout_minor__gte=0, compensation_minor__gte=0, release_minor__gte=0, escrow_minor__gte=0)
                & (Q(outcome="") | Q(escrow_minor=F("payout_minor") + F("compensation_minor") + F("release_minor"))),
                name="settlement_money",
            ),
            models.CheckConstraint(
                condition=Q(state="finalized", finalized_at__isnull=False) | ~Q(state="finalized") & Q(finalized_at__isnull=True),
                name="settlement_finalized",
            ),
        ]
        indexes = [
            models.Index(fields=["proof_due_at"], condition=Q(state="pending_proof"), name="settlement_proof_due"),
            models.Index(fields=["window_ends_at"], condition=Q(state="pending_dispute_window"), name="settlement_window"),
            models.Index(fields=["state", "-id"], name="settlement_by_state"),
        ]

    def __str__(self) -> str:
        return f"stl_{self.id}"


class SettlementRule(models.Model):
    """The table of SPEC §9 in the database: the steps that a settlement may take. Held equal to settlement/domain by a test."""

    pk = models.CompositePrimaryKey("start", "event", "end")
    start = models.CharField(max_length=24)
    event = models.CharField(max_length=24)
    end = models.CharField(max_length=24)

    def __str__(self) -> str:
        return f"{self.start} {self.event} {self.end}"


class Dispute(models.Model):
    """Somebody challenges a settlement within its window. `reviewer` is no party to it; whoever is assigned decides."""

    id = models.UUIDField(primary_key=True)
    settlement = models.ForeignKey(Settlement, models.PROTECT, related_name="disputes", db_index=False)
    opener = models.ForeignKey(Account, models.PROTECT, null=True, related_name="+")
    side = models.CharField(max_length=12, choices=[(s, s) for s in SIDES])
    opened_by = models.CharField(max_length=80)
    claim = models.CharField(max_length=2000)
    state = models.CharField(max_length=12, default="open", choices=[(s, s) for s in DISPUTE_STATES])
    reviewer = models.CharField(max_length=80, default="", blank=True)
    decided_by = models.CharField(max_length=80, default="", blank=True)
    decision = models.CharField(max_length=2000, default="", blank=True)
    opened_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=DISPUTE_STATES, side__in=SIDES), name="dispute_words"),
            models.UniqueConstraint(fields=["settlement"], condition=Q(state="open"), name="dispute_open_once"),
        ]
        indexes = [
            models.Index(fields=["state", "-id"], name="dispute_by_state"),
            models.Index(fields=["settlement"], name="dispute_of"),
            models.Index(fields=["reviewer"], condition=~Q(reviewer=""), name="dispute_reviewer"),
        ]

    def __str__(self) -> str:
        return f"dsp_{self.id}"


class Evidence(models.Model):
    """What a party brings forward in a dispute; append-only."""

    dispute = models.ForeignKey(Dispute, models.PROTECT, related_name="evidence", db_index=False)
    number = models.PositiveSmallIntegerField()
    by = models.CharField(max_length=80)
    text = models.CharField(max_length=4000)
    content_hash = models.CharField(max_length=64, default="", blank=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["dispute", "number"], name="evidence_number")]

    def __str__(self) -> str:
        return f"evidence {self.number} of {self.dispute_id}"


class OutcomeTally(models.Model):
    """Settlements that are final, counted as they become so: by the issuer, class and window of the rights they used, and by outcome.

    A request that used rights of several counts with each. No truth of its own: the audit counts again from routes and postings.
    """

    pk = models.CompositePrimaryKey("issuer", "compute_class", "series", "outcome")
    issuer = models.ForeignKey(Issuer, models.PROTECT, related_name="+", db_index=False)
    compute_class = models.ForeignKey(ComputeClass, models.PROTECT, related_name="+", db_index=False)
    series = models.ForeignKey(Series, models.PROTECT, related_name="+", db_index=False)
    outcome = models.CharField(max_length=12, choices=[(o, o) for o in OUTCOMES])
    requests = models.BigIntegerField()
    # Sums of any number of rights of up to 2^63 units.
    used_units = models.DecimalField(max_digits=40, decimal_places=0)
    reserved_units = models.DecimalField(max_digits=40, decimal_places=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(outcome__in=OUTCOMES), name="tally_outcome"),
            models.CheckConstraint(
                condition=Q(requests__gt=0, used_units__gte=0, reserved_units__gte=F("used_units")), name="tally_amounts"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.requests} {self.outcome}"
