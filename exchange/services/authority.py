"""Whether a participant may act in a role over a right (SPEC §2). A scope says what a key may try, a role who may do it."""

from exchange.selectors.people import participant_of
from exchange.services.operator_refusal import OperatorRefusal
from rights.selectors.roles import has_role


def check_role(*, participant_id: int, role: str, issuer_id: int | None = None) -> None:
    """Raise OperatorRefusal `role_missing` unless the participant has the role, over everybody's rights or over this issuer's."""
    if not has_role(participant_id=participant_id, role=role, issuer_id=issuer_id):
        raise OperatorRefusal("role_missing", f"needs the role {role}; a registry admin grants it")


def check_role_of(*, actor: str, role: str, issuer_id: int | None = None) -> None:
    """The same of a name on the record, for acts that are done later than they were asked for."""
    check_role(participant_id=participant_of(actor), role=role, issuer_id=issuer_id)
