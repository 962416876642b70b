"""A right: one position, immutable terms, mutable accounting (SPEC §2)."""

from django.db import models
from django.db.models import F, Q

from rights.models.compute import Series, Terms
from rights.models.party import Account, Issuer
from rights.models.supply import Assurance

STATUSES = ("issued", "active", "frozen", "fully_consumed", "expired", "finalized", "burned")
FREEZE_REASONS = ("issuer_pause", "dispute", "compliance", "settlement_lock", "governance", "custom")


class Right(models.Model):
    """0 ≤ reserved ≤ remaining ≤ max, whole units. A `netted` right absorbs later deliveries of its root."""

    id = models.UUIDField(primary_key=True)
    series = models.ForeignKey(Series, models.PROTECT, related_name="rights", db_index=False)
    terms = models.ForeignKey(Terms, models.PROTECT, db_column="terms_hash")
    issuer = models.ForeignKey(Issuer, models.PROTECT, db_index=False)
    assurance = models.ForeignKey(Assurance, models.PROTECT)
    holder = models.ForeignKey(Account, models.PROTECT, related_name="rights", db_index=False)
    controller = models.ForeignKey(Account, models.PROTECT, related_name="+", db_index=False)
    status = models.CharField(max_length=16, default="issued")
    prior_status = models.CharField(max_length=16, default="", blank=True)
    freeze_reason = models.CharField(max_length=16, default="", blank=True)
    max_units = models.BigIntegerField()
    remaining_units = models.BigIntegerField()
    reserved_units = models.BigIntegerField(default=0)
    parent = models.ForeignKey("self", models.PROTECT, null=True, related_name="children", db_index=False)
    root_id = models.UUIDField()
    netted = models.BooleanField(default=False)
    # Usage of the epoch that began at `epoch_at`; another epoch's usage is none (SPEC §2, window).
    epoch_at = models.DateTimeField(null=True)
    epoch_used_units = models.BigIntegerField(default=0, db_default=0)
    # What an amendment of class `metadata-only` says instead of the manifest's metadata.
    metadata = models.JSONField(null=True, blank=True)
    finalization_ref = models.CharField(max_length=80, default="", db_default="", blank=True)
    activated_at = models.DateTimeField(null=True)
    # With its window, or in a rolling one so long after its activation (rights/domain/window.py); found by it when its time is over.
    ends_at = models.DateTimeField()
    acquired_at = models.DateTimeField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(reserved_units__gte=0, remaining_units__gte=F("reserved_units"), max_units__gte=F("remaining_units")),
                name="right_units",
            ),
            models.CheckConstraint(condition=Q(status__in=STATUSES), name="right_status"),
            models.CheckConstraint(condition=Q(epoch_used_units__gte=0), name="right_epoch_used"),
            models.CheckConstraint(
                condition=Q(freeze_reason__in=FREEZE_REASONS, status="frozen") | Q(freeze_reason="") & ~Q(status="frozen"),
                name="right_freeze_reason",
            ),
            # What ended or froze takes in no delivery, and replay has to say so of every one.
            models.CheckConstraint(condition=Q(netted=False) | Q(status__in=("issued", "active")), name="right_netted_open"),
            models.UniqueConstraint(
                fields=["root_id", "holder", "activated_at"],
                condition=Q(netted=True, status__in=("issued", "active")),
                nulls_distinct=False,
                name="right_netted_once",
            ),
        ]
        # Each begins with what a page asks for and ends with what it is sorted by (exchange/selectors/right_pages.py).
        indexes = [
            models.Index(fields=["holder", "series", "id"], name="right_holder_series"),
            models.Index(fields=["holder", "status", "id"], name="right_holder_status"),
            models.Index(fields=["issuer", "status", "id"], name="right_issuer_status"),
            models.Index(fields=["series", "status", "id"], name="right_series_status"),
            models.Index(fields=["status", "id"], name="right_status"),
            models.Index(fields=["ends_at", "id"], condition=Q(status__in=("issued", "active")), name="right_ends"),
            models.Index(fields=["holder", "series"], condition=Q(status__in=("issued", "active", "frozen")), name="right_holder_live"),
            models.Index(fields=["parent", "id"], name="right_parent"),
            models.Index(fields=["root_id", "id"], name="right_root"),
            models.Index(fields=["root_id", "holder"], name="right_root_holder"),
        ]

    def __str__(self) -> str:
        return f"rgt_{self.id}"


REPLACEMENTS = ("replaced", "reissued", "migrated")  # by whoever issues
LINK_KINDS = (*REPLACEMENTS, "rolled")


class RightLink(models.Model):
    """A right that stands for another one (SPEC §2, replace): found from both ends."""

    kind = models.CharField(max_length=8, choices=[(k, k) for k in LINK_KINDS])
    former = models.ForeignKey(Right, models.PROTECT, related_name="successors")
    latter = models.ForeignKey(Right, models.PROTECT, related_name="predecessors")
    units = models.BigIntegerField()
    reason = models.CharField(max_length=500)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["former", "latter"], name="right_link_once"),
            models.CheckConstraint(condition=Q(kind__in=LINK_KINDS, units__gt=0), name="right_link_words"),
        ]

    def __str__(self) -> str:
        return f"{self.former_id} {self.kind} by {self.latter_id}"
