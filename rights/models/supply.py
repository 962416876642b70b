"""Assurance: why a right may exist (SPEC §7). The database itself refuses to over-issue."""

from django.db import models
from django.db.models import F, Q

from rights.models.compute import ComputeClass
from rights.models.party import Issuer

MODES = ("reserved-capacity", "inventory-posted", "historical-availability", "local-allocation", "hybrid")


class Assurance(models.Model):
    """Proven capacity of one class and window. usable = gross × (1 − haircut), rounded down."""

    uuid = models.UUIDField(unique=True)
    issuer = models.ForeignKey(Issuer, models.PROTECT, related_name="assurances")
    mode = models.CharField(max_length=32, choices=[(m, m) for m in MODES])
    reference = models.CharField(max_length=200)
    compute_class = models.ForeignKey(ComputeClass, models.PROTECT)
    window_start = models.DateTimeField()
    window_end = models.DateTimeField()
    unit = models.CharField(max_length=16)
    gross_units = models.BigIntegerField()
    haircut_bps = models.IntegerField(default=0)
    overbook_bps = models.IntegerField(default=0)
    overbook_policy = models.JSONField(null=True, blank=True)
    issued_units = models.BigIntegerField(default=0)
    status = models.CharField(max_length=8, default="sound", choices=[(s, s) for s in ("sound", "degraded", "stale")])
    refreshed_at = models.DateTimeField()
    stale_after_s = models.BigIntegerField(default=7 * 86_400)
    # What happens when the usable capacity falls below what stands issued: pause, then this (SPEC §7, drift).
    degradation_plan = models.CharField(max_length=500, default="", blank=True)
    degraded_at = models.DateTimeField(null=True, blank=True)
    revision = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(gross_units__gt=0, haircut_bps__gte=0, haircut_bps__lte=10_000), name="assurance_gross"),
            models.CheckConstraint(condition=Q(overbook_bps__gte=0, overbook_bps__lte=10_000), name="assurance_overbook"),
            models.CheckConstraint(condition=Q(window_end__gt=F("window_start")), name="assurance_window"),
        ]

    def __str__(self) -> str:
        return self.reference
