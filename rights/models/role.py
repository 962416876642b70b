"""Roles over rights, each granted on its own (SPEC §2). Holding a right is not a role: a holder never touches accounting."""

from django.db import models
from django.db.models import Q

from rights.models.party import Issuer, Participant

ROLES = ("issuer", "consumer", "freezer", "finalizer", "burner", "registry_admin")


class RoleGrant(models.Model):
    """A participant may act in `role`; with `issuer`, only over rights of that issuer. Live while `revoked_at` is empty."""

    uuid = models.UUIDField(unique=True)
    participant = models.ForeignKey(Participant, models.PROTECT, related_name="roles")
    role = models.CharField(max_length=16, choices=[(r, r) for r in ROLES])
    issuer = models.ForeignKey(Issuer, models.PROTECT, null=True, blank=True, related_name="+")
    granted_by = models.CharField(max_length=80)
    granted_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(role__in=ROLES), name="role_known"),
            models.UniqueConstraint(
                fields=["participant", "role", "issuer"],
                condition=Q(revoked_at__isnull=True),
                nulls_distinct=False,
                name="role_granted_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} of {self.participant_id}"
