"""Reads of the registry from the venue's side: which rights a caller may see, which symbols they fit, what backs them."""

from collections.abc import Iterable

from django.db.models import Q, QuerySet

from exchange.selectors import right_pages
from exchange.services.identity import Principal
from exchange.services.rules import DELIVERED
from rights import selectors
from rights.kernel import rows
from rights.models import Account, Assurance, Right

EVERYTHING = right_pages.EVERYTHING


def visible(principal: Principal) -> QuerySet[Right]:
    """Rights the caller may look at: its own, those it issued, all for operators and auditors."""
    every = selectors.rights_with_all()
    if principal.scopes & EVERYTHING:
        return every
    mine = Q(holder_id=principal.account_id)
    if principal.may("issue"):
        mine |= Q(issuer__participant_id=principal.participant_id)
    return every.filter(mine)


def sees_family(principal: Principal, right: Right) -> bool:
    """Whether the caller may look at every right of this one's lineage, whoever holds it."""
    if principal.scopes & EVERYTHING:
        return True
    return principal.may("issue") and right.issuer.participant_id == principal.participant_id


def right(principal: Principal, uuid: str) -> Right | None:
    """One right, if the caller may look at it. Read part by part: to plan a join of nine tables takes longer than to read them all."""
    found = selectors.rights_by_id([uuid])
    return found[0] if found and (found[0].holder_id == principal.account_id or sees_family(principal, found[0])) else None


def sees(principal: Principal, uuid: str) -> bool:
    """Whether there is such a right, and the caller may look at it."""
    return visible(principal).filter(pk=uuid).exists()


def rights(
    principal: Principal,
    *,
    limit: int,
    holder_uuid: str | None,
    class_key: str | None,
    status: str | None,
    after: str | None,
    issuer: str | None = None,
) -> list[Right]:
    """Newest first, at most `limit` + 1."""
    ids = right_pages.right_ids(
        principal, limit=limit + 1, holder_uuid=holder_uuid, class_key=class_key, status=status, after=after, issuer=issuer
    )
    return selectors.rights_by_id(ids)


_SYMBOLS = f"""
SELECT d.series_id, array_agg(i.symbol ORDER BY i.series_id <> d.series_id, i.symbol) FROM {DELIVERED} d
JOIN exchange_instrument i ON i.id = d.instrument_id WHERE d.series_id = ANY(%s::bigint[]) GROUP BY 1
"""


def symbols(series_ids: Iterable[int]) -> dict[int, list[str]]:
    """The instruments that each series is delivered into, its own first; series that have none are left out."""
    return dict(rows.fetch_all(_SYMBOLS, [rows.array(set(series_ids))]))


def account(uuid: str) -> Account | None:
    """A holder; the venue's own contra accounts are none."""
    return Account.objects.select_related("participant").filter(uuid=uuid, code=None).first()


def assurance(uuid: str) -> Assurance | None:
    return Assurance.objects.select_related("issuer", "compute_class").filter(uuid=uuid).first()


_LISTED = f"""
SELECT coalesce(sum(r.remaining_units), 0)::bigint FROM rights_right r
WHERE r.assurance_id = %s AND r.status = 'active' AND EXISTS (SELECT 1 FROM {DELIVERED} d WHERE d.series_id = r.series_id)
"""


def listed_units(row: Assurance) -> int:
    """Units of active rights under the assurance that some instrument's book can take."""
    found = rows.fetch_one(_LISTED, [row.pk])
    return int(found[0]) if found else 0
