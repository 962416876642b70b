"""An operator takes a member's key away: the owner's own service, and a line on the record."""

from django.db import transaction

from exchange.models import ApiKey
from exchange.services import keys
from exchange.services.operator_refusal import OperatorRefusal
from rights.domain.reason import stated_reason
from rights.kernel.ids import public
from rights.services import journal


@transaction.atomic
def revoke_by_operator(*, key: ApiKey, reason: str, actor: str, now_us: int) -> None:
    """Revoke the key, with the reason in the registry. Raises OperatorRefusal `already_revoked`, ReasonMissing."""
    stated = stated_reason(reason)
    if key.revoked_at is not None:
        raise OperatorRefusal("already_revoked", "the key is revoked already")
    keys.revoke(account_id=key.account_id, key_uuid=str(key.uuid), now_us=now_us)
    payload = {"account_id": public("acc", str(key.account.uuid)), "reason": stated}
    event = journal.NewEvent(type="key.revoked", object_type="key", object_id=public("key", str(key.uuid)), payload=payload)
    journal.append(stream_id=journal.stream_for("registry"), events=[event], actor=actor, now_us=now_us)
