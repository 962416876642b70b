"""Who may act in which role (SPEC §2)."""

from django.db.models import Q, QuerySet

from rights.models import RoleGrant


def live_roles(participant_id: int) -> QuerySet[RoleGrant]:
    """The roles a participant has now, the oldest first."""
    return RoleGrant.objects.select_related("participant", "issuer").filter(participant_id=participant_id, revoked_at=None).order_by("pk")


def has_role(*, participant_id: int, role: str, issuer_id: int | None = None) -> bool:
    """Whether the participant has the role over everybody's rights, or over those of this issuer."""
    over = Q(issuer=None) if issuer_id is None else Q(issuer=None) | Q(issuer_id=issuer_id)
    return live_roles(participant_id).filter(over, role=role).exists()
