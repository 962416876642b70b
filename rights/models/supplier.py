"""Who can execute what, and how much of it in which window (SPEC §7)."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from rights.domain.capability import AVAILABILITIES, ENVIRONMENTS, LATENCY_BANDS, PRIVACY_MODES, QUALITY_BANDS, WORKLOADS
from rights.models.party import Participant
from rights.models.supply import Assurance

SUPPLIER_STATES = ("active", "suspended")


class Supplier(models.Model):
    """An executor: identity, trust (0 to 10000 bps), region."""

    uuid = models.UUIDField(unique=True)
    slug = models.CharField(max_length=64, unique=True)
    participant = models.ForeignKey(Participant, models.PROTECT, related_name="suppliers")
    name = models.CharField(max_length=200)
    region = models.CharField(max_length=16)
    trust_bps = models.IntegerField(default=5_000)
    status = models.CharField(max_length=16, default="active", choices=[(s, s) for s in SUPPLIER_STATES])
    public_key = models.CharField(max_length=64, default="", blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(trust_bps__gte=0, trust_bps__lte=10_000), name="supplier_trust"),
            models.CheckConstraint(condition=Q(status__in=SUPPLIER_STATES), name="supplier_status"),
        ]

    def __str__(self) -> str:
        return self.slug


class Capability(models.Model):
    """One thing a supplier can do, on seven axes, with its tariff and measured reliability. Retired rows stay."""

    uuid = models.UUIDField(unique=True)
    supplier = models.ForeignKey(Supplier, models.PROTECT, related_name="capabilities")
    workload = models.CharField(max_length=32)
    quality_band = models.CharField(max_length=16)
    latency_band = models.CharField(max_length=16)
    privacy_mode = models.CharField(max_length=16)
    environment = models.CharField(max_length=32)
    constraints = ArrayField(models.CharField(max_length=40), default=list)
    availability = models.CharField(max_length=16)
    unit = models.CharField(max_length=16)
    tariff_minor = models.BigIntegerField(default=0)
    tariff_units = models.BigIntegerField(default=1)
    currency = models.CharField(max_length=8, default="USD")
    reliability_bps = models.IntegerField(null=True, blank=True)
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    workload__in=WORKLOADS,
                    quality_band__in=QUALITY_BANDS,
                    latency_band__in=LATENCY_BANDS,
                    privacy_mode__in=PRIVACY_MODES,
                    environment__in=ENVIRONMENTS,
                    availability__in=AVAILABILITIES,
                ),
                name="capability_axes",
            ),
            models.CheckConstraint(condition=Q(tariff_minor__gte=0, tariff_units__gt=0), name="capability_tariff"),
            models.CheckConstraint(
                condition=Q(reliability_bps__isnull=True) | Q(reliability_bps__gte=0, reliability_bps__lte=10_000),
                name="capability_reliability",
            ),
        ]
        verbose_name_plural = "capabilities"

    def __str__(self) -> str:
        return f"{self.workload} of {self.supplier_id}"


class PostedCapacity(models.Model):
    """What a capability can deliver in a window; the latest `revision` counts. `issuers` (slugs) may pledge it, beside the supplier's own.

    `pledged_units` back assurances: a trigger on their sources counts them (migration 0006), and they never exceed what is posted.
    """

    capability = models.ForeignKey(Capability, models.PROTECT, related_name="capacity")
    window_start = models.DateTimeField()
    window_end = models.DateTimeField()
    units = models.BigIntegerField()
    pledged_units = models.BigIntegerField(default=0)
    issuers = ArrayField(models.CharField(max_length=64), default=list)
    revision = models.PositiveIntegerField(default=1)
    posted_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["capability", "window_start", "window_end"], name="capacity_once"),
            models.CheckConstraint(condition=Q(window_end__gt=F("window_start")), name="capacity_window"),
            models.CheckConstraint(condition=Q(units__gte=0, pledged_units__gte=0), name="capacity_units"),
            models.CheckConstraint(condition=Q(pledged_units__lte=F("units")), name="capacity_pledged"),
        ]
        verbose_name_plural = "posted capacity"

    def __str__(self) -> str:
        return f"{self.units} of {self.capability_id}"


class AssuranceSource(models.Model):
    """How much of which posted capacity stands behind an assurance."""

    assurance = models.ForeignKey(Assurance, models.PROTECT, related_name="sources")
    capacity = models.ForeignKey(PostedCapacity, models.PROTECT, related_name="assurances")
    units = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["assurance", "capacity"], name="assurance_source_once"),
            models.CheckConstraint(condition=Q(units__gt=0), name="assurance_source_units"),
        ]

    def __str__(self) -> str:
        return f"{self.units} for {self.assurance_id}"
