"""Reads of the registry from the venue's side: which rights a caller may see, which symbols they fit, what backs them."""

from collections.abc import Iterable

from django.db.models import Q, QuerySet, Sum

from exchange.models import Instrument
from exchange.services.identity import Principal
from rights import selectors
from rights.models import Account, Assurance, Right

EVERYTHING = frozenset({"operate", "audit"})


def visible(principal: Principal) -> QuerySet[Right]:
    """Rights the caller may look at: its own, those it issued, all for operators and auditors."""
    every = selectors.rights_with_all()
    if principal.scopes & EVERYTHING:
        return every
    mine = Q(holder_id=principal.account_id)
    if principal.may("issue"):
        mine |= Q(issuer__participant_id=principal.participant_id)
    return every.filter(mine)


def right(principal: Principal, uuid: str) -> Right | None:
    """One right, if the caller may look at it."""
    return visible(principal).filter(pk=uuid).first()


def rights(
    principal: Principal, *, limit: int, holder_uuid: str | None, class_key: str | None, status: str | None, after: str | None
) -> list[Right]:
    """Newest first, at most `limit` + 1."""
    found = visible(principal)
    if holder_uuid is not None:
        found = found.filter(holder__uuid=holder_uuid)
    if class_key is not None:
        found = found.filter(series__compute_class__key=class_key)
    if status is not None:
        found = found.filter(status=status)
    if after is not None:
        found = found.filter(pk__lt=after)
    return list(found.order_by("-pk")[: limit + 1])


def symbols(series_ids: Iterable[int]) -> dict[int, str]:
    """The instrument of each series that has one."""
    return dict(Instrument.objects.filter(series_id__in=set(series_ids)).values_list("series_id", "symbol"))


def account(uuid: str) -> Account | None:
    """A holder; the venue's own contra accounts are none."""
    return Account.objects.select_related("participant").filter(uuid=uuid, code=None).first()


def assurance(uuid: str) -> Assurance | None:
    return Assurance.objects.select_related("issuer", "compute_class").filter(uuid=uuid).first()


def listed_units(row: Assurance) -> int:
    """Units of active rights under the assurance that an instrument's book can take."""
    live = Right.objects.filter(assurance=row, status="active", series__instrument__isnull=False)
    return int(live.aggregate(units=Sum("remaining_units"))["units"] or 0)
