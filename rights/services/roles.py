"""Grant and take back roles over rights, each on its own (SPEC §2). Every change is an event of the registry."""

from django.db import transaction

from rights.domain.reason import stated_reason
from rights.kernel.clock import to_datetime
from rights.kernel.ids import public
from rights.models import Issuer, Participant, RoleGrant
from rights.models.role import ROLES
from rights.services.journal import NewEvent, append, stream_for
from rights.services.refusals import lifecycle_refused

REGISTRY = "registry"
GRANTED, REVOKED = "role.granted", "role.revoked"


@transaction.atomic
def grant_role(
    *, participant: Participant, role: str, issuer: Issuer | None, grant_id: str, reason: str, actor: str, now_us: int
) -> RoleGrant:
    """The grant; over one issuer's rights, or (without `issuer`) over everybody's. Raises LifecycleRefusedError, ReasonMissing.

    `role_unknown`, `role_granted` when it stands already.
    """
    if role not in ROLES:
        raise lifecycle_refused("role_unknown", f"a role is one of {', '.join(ROLES)}")
    reason = stated_reason(reason)
    Participant.objects.select_for_update(no_key=True).get(pk=participant.pk)
    if RoleGrant.objects.filter(participant=participant, role=role, issuer=issuer, revoked_at=None).exists():
        raise lifecycle_refused("role_granted", f"{participant.slug} is {role} already")
    row = RoleGrant.objects.create(
        uuid=grant_id, participant=participant, role=role, issuer=issuer, granted_by=actor, granted_at=to_datetime(now_us)
    )
    payload: dict[str, object] = {
        "issuer": None if issuer is None else issuer.slug,
        "participant": participant.slug,
        "reason": reason,
        "role": role,
    }
    _remember(row, GRANTED, payload, actor, now_us)
    return row


@transaction.atomic
def revoke_role(*, grant_id: str, reason: str, actor: str, now_us: int) -> RoleGrant:
    """The role ends at once. Raises LifecycleRefusedError `role_ended`, ReasonMissing."""
    row = RoleGrant.objects.select_for_update(of=("self",), no_key=True).select_related("participant").get(uuid=grant_id)
    if row.revoked_at is not None:
        raise lifecycle_refused("role_ended", "the role was taken back before")
    reason = stated_reason(reason)
    row.revoked_at = to_datetime(now_us)
    row.save(update_fields=["revoked_at"])
    _remember(row, REVOKED, {"participant": row.participant.slug, "reason": reason, "role": row.role}, actor, now_us)
    return row


def _remember(row: RoleGrant, kind: str, payload: dict[str, object], actor: str, now_us: int) -> None:
    event = NewEvent(kind, "role", public("rol", str(row.uuid)), payload)
    append(stream_id=stream_for(REGISTRY), events=[event], actor=actor, now_us=now_us)
