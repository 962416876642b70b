"""Anchors (SPEC §11): Merkle roots over what the streams have remembered, signed and chained. Corrected by a new anchor only."""

from django.db import models
from django.db.models import F, Q
from django.db.models.lookups import IsNull

from rights.models.event import Stream


class VenueKey(models.Model):
    """A public key the venue signs with; the private half is never in the database. Retired keys stay to verify what they signed."""

    key_id = models.CharField(max_length=32, primary_key=True)
    public_key = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(IsNull(F("retired_at"), True), condition=Q(retired_at__isnull=True), name="venue_key_live_once")
        ]

    def __str__(self) -> str:
        return self.key_id


class Anchor(models.Model):
    """`body` is the canonical JSON that was hashed and signed; append-only."""

    uuid = models.UUIDField(unique=True)
    number = models.BigIntegerField(unique=True)
    at = models.DateTimeField()
    leaves = models.BigIntegerField()
    root = models.CharField(max_length=64)
    body = models.TextField()
    hash = models.CharField(max_length=64)
    key = models.ForeignKey(VenueKey, models.PROTECT, related_name="+")
    signature = models.CharField(max_length=128)

    def __str__(self) -> str:
        return f"anchor {self.number}"


class AnchorSpan(models.Model):
    """The events of one stream that an anchor covers: `first_seq` to `last_seq`, the last one's hash; leaves in order of stream."""

    anchor = models.ForeignKey(Anchor, models.PROTECT, related_name="spans")
    stream = models.ForeignKey(Stream, models.PROTECT, related_name="+")
    first_seq = models.BigIntegerField()
    last_seq = models.BigIntegerField()
    head_hash = models.CharField(max_length=64)
    first_leaf = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["stream", "first_seq"], name="anchor_span_once"),
            models.CheckConstraint(condition=Q(last_seq__gte=F("first_seq")), name="anchor_span_order"),
        ]

    def __str__(self) -> str:
        return f"{self.stream_id} {self.first_seq}-{self.last_seq}"
