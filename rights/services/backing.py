"""What an assurance counts as issued grows by issuing (issue.py), and shrinks by units that are burned before anybody used them."""

from django.db.models import F

from rights.models import Assurance, Right
from rights.services.refusals import lifecycle_refused
from rights.services.row import locked


def locked_with_backing(right_id: str) -> Right:
    """The right, locked behind its assurance (ARCHITECTURE.md, lock order). Raises LifecycleRefusedError `right_changed`, Right.DoesNotExist."""
    assurance_id = Right.objects.values_list("assurance_id", flat=True).get(pk=right_id)
    Assurance.objects.select_for_update(no_key=True).get(pk=assurance_id)
    right = locked(right_id)
    if right.assurance_id != assurance_id:
        raise lifecycle_refused("right_changed", "an amendment put it on another assurance meanwhile; look at it again")
    return right


def give_back(right: Right, units: int) -> None:
    """The capacity behind units that are no more may back others."""
    Assurance.objects.filter(pk=right.assurance_id).update(issued_units=F("issued_units") - units)
