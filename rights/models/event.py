"""The registry's memory: append-only, gapless per stream, hash-chained (SPEC §10)."""

from django.db import models
from django.db.models import Q

# Every fill writes some of these; they are found by object or by stream. All other types have an index of their own.
FREQUENT_TYPES = ("right.merged", "right.split", "right.transferred", "trade.executed")

# Who delivers fills. Everybody else's events are found by actor too (the index event_actor).
MATCHER = "venue:matcher"


class Stream(models.Model):
    """One chain of events. Appending locks this row last of all (ARCHITECTURE.md, lock order)."""

    code = models.CharField(max_length=120, unique=True)
    last_seq = models.BigIntegerField(default=0)
    last_hash = models.CharField(max_length=64, default="0" * 64)

    def __str__(self) -> str:
        return self.code


class Event(models.Model):
    """`body` is the canonical JSON that was hashed; the other columns repeat parts of it for look-ups."""

    pk = models.CompositePrimaryKey("stream_id", "seq")
    stream = models.ForeignKey(Stream, models.PROTECT, db_index=False, db_constraint=False)
    seq = models.BigIntegerField()
    id = models.UUIDField()  # made of stream and seq: `numbered` in rights/kernel/ids.py
    type = models.CharField(max_length=48)
    object_id = models.CharField(max_length=48)
    ref_right = models.CharField(max_length=48, null=True)  # another right it concerns: a split's child, a merger's source
    at = models.DateTimeField()
    body = models.TextField()
    hash = models.CharField(max_length=64)

    class Meta:
        indexes = [
            models.Index(fields=["object_id", "stream", "seq"], name="event_object"),
            models.Index(fields=["ref_right", "stream", "seq"], condition=Q(ref_right__isnull=False), name="event_ref_right"),
            models.Index(fields=["type", "stream", "seq"], condition=~Q(type__in=FREQUENT_TYPES), name="event_rare_type"),
            models.Index(fields=["id"], name="event_by_id"),
        ]

    def __str__(self) -> str:
        return f"{self.stream_id}/{self.seq} {self.type}"
