"""Who takes part: participants (owners), their accounts (holders of rights and cash), issuers."""

from django.db import models

from rights.domain.issuance import PATHS

HOLDER_TYPES = ("user", "agent", "app", "vault", "market-maker")
ISSUER_TYPES = ("provider", "market", "coordinator", "vault", "protocol")


class Participant(models.Model):
    """A legal and beneficial owner; self-trade prevention and position limits work at this level."""

    slug = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=200)
    status = models.CharField(max_length=16, default="active", choices=[("active", "active"), ("suspended", "suspended")])
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(status__in=("active", "suspended")), name="participant_status")]

    def __str__(self) -> str:
        return self.slug


class Account(models.Model):
    """A holder: cash and a rights inventory. Venue accounts (`code` set) are the ledger's contra side."""

    uuid = models.UUIDField(unique=True)
    participant = models.ForeignKey(Participant, models.PROTECT, related_name="accounts")
    code = models.CharField(max_length=80, unique=True, null=True, blank=True)
    name = models.CharField(max_length=200)
    holder_type = models.CharField(max_length=16, default="user", choices=[(t, t) for t in HOLDER_TYPES])
    jurisdiction = models.CharField(max_length=16, default="", blank=True)
    status = models.CharField(max_length=16, default="active", choices=[("active", "active"), ("suspended", "suspended")])
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(holder_type__in=HOLDER_TYPES), name="account_holder_type"),
            models.CheckConstraint(condition=models.Q(status__in=("active", "suspended")), name="account_status"),
        ]

    def __str__(self) -> str:
        return self.code or self.name


class Issuer(models.Model):
    """Who may create rights, and on which path (SPEC §7)."""

    slug = models.CharField(max_length=64, unique=True)
    participant = models.ForeignKey(Participant, models.PROTECT, related_name="issuers")
    issuer_type = models.CharField(max_length=16, choices=[(t, t) for t in ISSUER_TYPES])
    tier = models.PositiveSmallIntegerField(default=1)
    issuance_path = models.CharField(max_length=32, default="centralized-coordinator")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(issuer_type__in=ISSUER_TYPES, issuance_path__in=tuple(PATHS)), name="issuer_words"),
        ]

    def __str__(self) -> str:
        return self.slug
