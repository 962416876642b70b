"""Members and keys (API.md, Identity)."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from rights.models import Account, Participant

SCOPES = ("read", "trade", "cancel", "quote", "transfer", "redeem", "consent", "issue", "supply", "clearing", "operate", "audit")


# What only the venue's own people may have: no operator gives these alone (exchange/services/members.py).
STAFF_SCOPES = frozenset({"operate", "clearing", "audit"})


class Membership(models.Model):
    """A user acts for a participant, within these scopes. `password_once`: somebody else knows the password, so it opens nothing yet."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.PROTECT, related_name="membership")
    participant = models.ForeignKey(Participant, models.PROTECT, related_name="members")
    scopes = ArrayField(models.CharField(max_length=16, choices=[(s, s) for s in SCOPES]))
    password_once = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"{self.user_id} for {self.participant_id}"


class ApiKey(models.Model):
    """A program's key. Only the SHA-256 of a bearer secret is stored. Limits: empty or None, without this one.

    `bounded`: it has limits of its own or an agent's policy, so that its orders are judged one by one (exchange/services/entry.py).
    """

    uuid = models.UUIDField(unique=True)
    account = models.ForeignKey(Account, models.PROTECT, related_name="keys")
    kind = models.CharField(max_length=8, default="bearer", choices=[("bearer", "bearer"), ("ed25519", "ed25519")])
    secret_sha256 = models.CharField(max_length=64)
    label = models.CharField(max_length=80, default="", blank=True)
    scopes = ArrayField(models.CharField(max_length=16, choices=[(s, s) for s in SCOPES]))
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    networks = ArrayField(models.CharField(max_length=43), default=list, blank=True)
    classes = ArrayField(models.CharField(max_length=64), default=list, blank=True)
    max_order_minor = models.BigIntegerField(null=True, blank=True)
    max_daily_minor = models.BigIntegerField(null=True, blank=True)
    approval_above_minor = models.BigIntegerField(null=True, blank=True)
    bounded = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"key_{self.uuid}"


class IdempotencyKey(models.Model):
    """What a POST other than an order answered under its `Idempotency-Key` (24 h)."""

    account = models.ForeignKey(Account, models.PROTECT)
    key = models.CharField(max_length=128)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    body = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "key"], name="idempotency_once")]

    def __str__(self) -> str:
        return self.key
