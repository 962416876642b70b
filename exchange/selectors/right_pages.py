"""Pages of rights, newest first, out of a registry of millions.

Each way in reads at most a page from the end of an index that begins with what is asked for: a holder's or an issuer's rights by status, a
series' by status, all of a status, all. What a caller may see in more ways than one comes out of the union.
"""

from collections.abc import Sequence
from typing import Any

from exchange.services.identity import Principal
from rights.kernel import rows
from rights.models import Issuer
from rights.models.right import STATUSES

EVERYTHING = frozenset({"operate", "audit"})
_Way = tuple[str, list[Any]]  # a statement that finds ids, and its parameters

_ACCOUNT = "SELECT id FROM rights_account WHERE uuid = %s AND code IS NULL"
_CLASS = "SELECT id FROM rights_computeclass WHERE key = %s"
_ISSUER = "SELECT id FROM rights_issuer WHERE slug = %s"
_STATUSES = "unnest(%s::text[]) AS w(status)"
_SERIES = "(SELECT id FROM rights_series WHERE compute_class_id = %s) AS s(id)"


def right_ids(
    principal: Principal,
    *,
    limit: int,
    holder_uuid: str | None,
    class_key: str | None,
    status: str | None,
    after: str | None,
    issuer: str | None = None,
) -> list[str]:
    """UUID texts of rights the caller may look at, newest first, at most `limit`; `after` is the last one seen, `issuer` a slug."""
    page = _Page(limit, after, [status] if status else list(STATUSES), _one(_CLASS, class_key))
    holder, from_issuer = _one(_ACCOUNT, holder_uuid), _one(_ISSUER, issuer)
    if (holder_uuid and holder is None) or (class_key and page.class_id is None) or (issuer and from_issuer is None):
        return []
    ways = _ways(principal, page, holder, from_issuer)
    if not ways:
        return []
    union = " UNION ".join(f"({sql})" for sql, _ in ways)
    values = [value for _, found in ways for value in found]
    return [row[0] for row in rows.fetch_all(f"SELECT id::text FROM ({union}) u(id) ORDER BY u.id DESC LIMIT %s", [*values, limit])]


def _one(sql: str, value: str | None) -> int | None:
    found = rows.fetch_one(sql, [value]) if value is not None else None
    return found[0] if found else None


def _ways(principal: Principal, page: "_Page", holder: int | None, issuer: int | None) -> list[_Way]:
    asked = None if issuer is None else [issuer]
    if principal.scopes & EVERYTHING:
        if holder is not None:
            return [page.held(holder, asked)]
        return [page.all() if asked is None else page.issued(asked)]
    own = [one for one in _issuers_of(principal) if asked is None or one in asked]
    mine = principal.account_id
    if holder is not None and holder != mine:
        return [page.held(holder, own)] if own else []
    ways = [page.held(mine, asked)]
    if holder is None and own:
        ways.append(page.issued(own))
    return ways


def _issuers_of(principal: Principal) -> list[int]:
    if not principal.may("issue"):
        return []
    return list(Issuer.objects.filter(participant_id=principal.participant_id).values_list("pk", flat=True))


class _Page:
    """What every way to a page shares."""

    def __init__(self, limit: int, after: str | None, statuses: Sequence[str], class_id: int | None) -> None:
        self._limit, self._after, self._statuses, self.class_id = limit, after, list(statuses), class_id

    def held(self, holder: int, issuers: Sequence[int] | None = None) -> _Way:
        """A holder's; `issuers`: those of them alone."""
        if self.class_id is None and issuers is None:
            return self._each(_STATUSES, [self._statuses], {"r.holder_id = %s": [holder], "r.status = w.status": []})
        asked: dict[str, list[Any]] = {"r.holder_id = %s": [holder]}
        if len(self._statuses) < len(STATUSES):  # otherwise the index alone says enough
            asked["r.status = ANY(%s)"] = [self._statuses]
        if self.class_id is not None:
            asked["r.series_id IN (SELECT id FROM rights_series WHERE compute_class_id = %s)"] = [self.class_id]
        if issuers is not None:
            asked["r.issuer_id = ANY(%s)"] = [list(issuers)]
        # All that a holder has is little: read first and sorted then, however much the server would like to walk along all ids.
        where, values = self._where(asked)
        return f"WITH few AS MATERIALIZED (SELECT r.id FROM rights_right r WHERE {where}) SELECT id FROM few ORDER BY id DESC LIMIT %s", [
            *values,
            self._limit,
        ]

    def issued(self, issuers: Sequence[int]) -> _Way:
        """What these issuers issued, whoever holds it."""
        if self.class_id is not None:
            return self._of_class({"r.issuer_id = ANY(%s)": [list(issuers)]})
        start = f"unnest(%s::bigint[]) AS i(id) CROSS JOIN {_STATUSES}"
        return self._each(start, [list(issuers), self._statuses], {"r.issuer_id = i.id": [], "r.status = w.status": []})

    def all(self) -> _Way:
        if self.class_id is not None:
            return self._of_class({})
        if len(self._statuses) == 1:
            return self._each(_STATUSES, [self._statuses], {"r.status = w.status": []})
        where, values = self._where({})
        return f"SELECT r.id FROM rights_right r WHERE {where} ORDER BY r.id DESC LIMIT %s", [*values, self._limit]

    def _of_class(self, more: dict[str, list[Any]]) -> _Way:
        start = f"{_SERIES} CROSS JOIN {_STATUSES}"
        return self._each(start, [self.class_id, self._statuses], {"r.series_id = s.id": [], "r.status = w.status": [], **more})

    def _each(self, start: str, before: list[Any], asked: dict[str, list[Any]]) -> _Way:
        """The newest of every row of `start`."""
        where, values = self._where(asked)
        sql = f"SELECT r.id FROM rights_right r WHERE {where} ORDER BY r.id DESC LIMIT %s"
        return f"SELECT f.id FROM {start} CROSS JOIN LATERAL ({sql}) f", [*before, *values, self._limit]

    def _where(self, asked: dict[str, list[Any]]) -> tuple[str, list[Any]]:
        whole = asked | ({"r.id < %s": [self._after]} if self._after else {})
        return " AND ".join(whole) or "true", [value for values in whole.values() for value in values]
