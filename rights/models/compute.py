"""Classes, windows and terms: what makes rights fungible (SPEC §3)."""

from django.db import models
from django.db.models import F, Q

WINDOW_MODES = ("fixed", "rolling", "epoch")


class ComputeClass(models.Model):
    """One set of dimensions a buyer can't tell rights apart by; `fingerprint` is its SHA-256."""

    key = models.CharField(max_length=40, unique=True)
    fingerprint = models.CharField(max_length=64, unique=True)
    dimensions = models.JSONField()
    unit = models.CharField(max_length=16)
    lot_size = models.BigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(lot_size__gt=0), name="class_lot_size")]
        verbose_name_plural = "compute classes"

    def __str__(self) -> str:
        return self.key


class Series(models.Model):
    """A class in one window: the rights that may trade in one book share it. `stream` is its memory.

    Column `xid` (added by migration 0014) is the transaction by which it came.
    """

    compute_class = models.ForeignKey(ComputeClass, models.PROTECT, related_name="series")
    window_start = models.DateTimeField()
    window_end = models.DateTimeField()
    window_mode = models.CharField(max_length=8, default="fixed")
    epoch_size_s = models.BigIntegerField(default=0)
    stream = models.OneToOneField("rights.Stream", models.PROTECT)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["compute_class", "window_start", "window_end", "window_mode", "epoch_size_s"], name="series_once"
            ),
            models.CheckConstraint(condition=Q(window_end__gt=F("window_start")), name="series_window"),
            models.CheckConstraint(condition=Q(window_mode__in=WINDOW_MODES), name="series_mode"),
        ]
        verbose_name_plural = "series"

    def __str__(self) -> str:
        return f"{self.compute_class_id}:{self.window_start:%Y%m%dT%H%M}"


class Terms(models.Model):
    """A manifest in canonical JSON (RFC 8785) under its SHA-256; immutable."""

    terms_hash = models.CharField(max_length=64, primary_key=True)
    manifest = models.TextField()
    compute_class = models.ForeignKey(ComputeClass, models.PROTECT)
    transfer_policy = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "terms"

    def __str__(self) -> str:
        return self.terms_hash[:12]
