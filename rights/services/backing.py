"""What an assurance counts as issued grows by issuing (issue.py), and shrinks by units that are burned before anybody used them."""

from django.db.models import F

from rights.kernel import rows
from rights.models import Assurance, Right
from rights.services.refusals import lifecycle_refused
from rights.services.row import locked

_LOCK_BACKING = """
SELECT id FROM rights_assurance WHERE id = (SELECT assurance_id FROM rights_right WHERE id = %s::uuid) FOR NO KEY UPDATE
"""


def locked_with_backing(right_id: str) -> Right:
    """The right, locked behind its assurance (ARCHITECTURE.md, lock order). Raises LifecycleRefusedError `right_changed`, Right.DoesNotExist."""
    backing = rows.fetch_one(_LOCK_BACKING, [right_id])
    right = locked(right_id)
    if backing is None or right.assurance_id != backing[0]:
        raise lifecycle_refused("right_changed", "an amendment put it on another assurance meanwhile; look at it again")
    return right


def give_back(right: Right, units: int) -> None:
    """The capacity behind units that are no more may back others."""
    Assurance.objects.filter(pk=right.assurance_id).update(issued_units=F("issued_units") - units)
