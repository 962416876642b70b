"""Assurance: why a right may exist (SPEC §7). The database itself refuses to over-issue."""

from django.db import models
from django.db.models import F, Q

from rights.domain.assurance import MODES, PLANS, STATUSES
from rights.models.compute import ComputeClass
from rights.models.party import Issuer

PLAN_ACTS = ("freeze", "halt")


class Assurance(models.Model):
    """Proven capacity of one class and window. usable = gross × (1 − haircut), rounded down.

    Not `degraded` means that what stands issued fits into usable × (1 + overbook): migration 0006 lets no row say otherwise.
    """

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
    status = models.CharField(max_length=8, default="sound", choices=[(s, s) for s in STATUSES])
    refreshed_at = models.DateTimeField()
    stale_after_s = models.BigIntegerField(default=7 * 86_400)
    # What happens when the usable capacity falls below what stands issued: issuing pauses, and then this (SPEC §7, drift).
    degradation_plan = models.CharField(max_length=20, default=PLANS[0], choices=[(p, p) for p in PLANS])
    degraded_at = models.DateTimeField(null=True, blank=True)
    revision = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(gross_units__gte=0, haircut_bps__gte=0, haircut_bps__lte=10_000), name="assurance_gross"),
            models.CheckConstraint(condition=Q(overbook_bps__gte=0, overbook_bps__lte=10_000), name="assurance_overbook"),
            models.CheckConstraint(condition=Q(window_end__gt=F("window_start")), name="assurance_window"),
            models.CheckConstraint(condition=Q(mode__in=MODES, status__in=STATUSES, degradation_plan__in=PLANS), name="assurance_words"),
            models.UniqueConstraint(fields=["issuer", "reference", "compute_class", "window_start", "window_end"], name="assurance_once"),
        ]
        indexes = [
            models.Index(fields=["compute_class", "window_start", "window_end"], name="assurance_backs"),
            models.Index(fields=["window_end"], condition=Q(status="sound"), name="assurance_due"),
        ]

    def __str__(self) -> str:
        return self.reference


class PlanAct(models.Model):
    """One thing done by an assurance's plan: `freeze` of a right, `halt` of a book; `object_id` is the right's public id or the symbol.

    Lifted when the assurance is sound again. A lifted halt is not a resumption: that stays the operators' decision.
    """

    assurance = models.ForeignKey(Assurance, models.PROTECT, related_name="plan_acts")
    act = models.CharField(max_length=8, choices=[(a, a) for a in PLAN_ACTS])
    object_id = models.CharField(max_length=64)
    done_at = models.DateTimeField()
    lifted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(act__in=PLAN_ACTS), name="plan_act_known"),
            models.UniqueConstraint(fields=["assurance", "object_id"], condition=Q(lifted_at__isnull=True), name="plan_act_once"),
        ]

    def __str__(self) -> str:
        return f"{self.act} {self.object_id}"
