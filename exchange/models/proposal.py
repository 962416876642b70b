"""Acts that wait for a second person (TRUST.md: deposits, unfreezing, listing)."""

from django.db import models
from django.db.models import F, Q

STATUSES = ("open", "approved", "rejected", "expired")


class Proposal(models.Model):
    """What somebody wants done. Its terms never change and it is decided once (migration 0011); `outcome`: what the act then did."""

    id = models.UUIDField(primary_key=True)
    kind = models.CharField(max_length=32)
    payload = models.JSONField()
    reason = models.CharField(max_length=500)
    proposed_by = models.CharField(max_length=80)
    proposed_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    status = models.CharField(max_length=8, default="open", choices=[(s, s) for s in STATUSES])
    decided_by = models.CharField(max_length=80, default="", blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    decision = models.CharField(max_length=500, default="", blank=True)
    outcome = models.CharField(max_length=200, default="", blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(status__in=STATUSES), name="proposal_status"),
            models.CheckConstraint(
                condition=Q(status="open", decided_at=None, decided_by="")
                | (~Q(status="open") & Q(decided_at__isnull=False) & ~Q(decided_by="")),
                name="proposal_decided",
            ),
            models.CheckConstraint(condition=~Q(status="approved", decided_by=F("proposed_by")), name="proposal_two_persons"),
        ]
        indexes = [models.Index(fields=["expires_at"], name="proposal_open", condition=Q(status="open"))]

    def __str__(self) -> str:
        return f"prp_{self.pk}"
