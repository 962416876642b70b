"""The registry's memory: append-only, gapless per stream, hash-chained (SPEC §10)."""

from django.db import models


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
    at = models.DateTimeField()
    body = models.TextField()
    hash = models.CharField(max_length=64)

    class Meta:
        indexes = [models.Index(fields=["object_id", "stream", "seq"], name="event_object")]

    def __str__(self) -> str:
        return f"{self.stream_id}/{self.seq} {self.type}"
