"""An account's standing policies, and what each run of them did."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec

from exchange.models import Policy
from exchange.models.order import OrderStatus
from exchange.selectors import named
from exchange.selectors.named import moment

_LAST = 2**62


class ActionRow(msgspec.Struct, frozen=True):
    """One action and how its order stands now; `filled_lots` 0 while no batch has applied it."""

    run_id: str
    rule: str
    verb: str
    book_id: int
    pair_book_id: int | None
    side: int
    lots: int
    price_ticks: int
    tif: int
    units: int
    why: str
    outcome: str
    code: str
    detail: str
    order_id: str
    status: str | None
    filled_lots: int


class RunRow(msgspec.Struct, frozen=True):
    """One run with its actions; `passed`: what rules left alone."""

    id: str
    number: int
    revision: int
    trigger: str
    at_us: int
    passed: list[dict[str, str]]
    actions: Sequence[ActionRow] = ()


def policies(*, account_id: int, limit: int, before_id: int = _LAST, state: str | None = None, kind: str | None = None) -> list[Policy]:
    """Newest first, at most `limit` + 1."""
    found = Policy.objects.select_related("key").filter(account_id=account_id, id__lt=before_id)
    found = found.filter(state=state) if state else found
    found = found.filter(kind=kind) if kind else found
    return list(found.order_by("-id")[: limit + 1])


def policy(*, account_id: int, uuid: str) -> Policy | None:
    """The account's policy with this UUID."""
    return Policy.objects.select_related("key", "account").filter(account_id=account_id, uuid=uuid).first()


_RUNS = f"""
SELECT r.id::text, r.number, r.revision, r.trigger, {moment("r.at")}, r.passed::text FROM exchange_policyrun r
WHERE r.policy_id = %(policy)s AND r.number < %(before)s ORDER BY r.number DESC LIMIT %(limit)s
"""
_ACTIONS = """
SELECT a.run_id::text, a.rule, a.verb, a.book_id, a.pair_book_id, a.side, a.quantity_lots, a.price_ticks, a.tif, a.units, a.why, a.outcome,
       a.code, a.detail, a.order_id::text, o.status, coalesce(o.filled_lots, 0)
FROM exchange_policyaction a LEFT JOIN exchange_order o ON o.id = a.order_id WHERE a.run_id = ANY(%(runs)s::uuid[]) ORDER BY a.run_id, a.place
"""


def runs(*, policy_id: int, limit: int, before: int = _LAST) -> list[RunRow]:
    """A policy's runs, newest first, at most `limit` + 1."""
    found = named.fetch_all(_RUNS, {"policy": policy_id, "before": before, "limit": limit + 1})
    actions: dict[str, list[ActionRow]] = defaultdict(list)
    for row in named.fetch_all(_ACTIONS, {"runs": [row[0] for row in found]}) if found else ():
        status = None if row[15] is None else OrderStatus(row[15]).name.lower()
        actions[row[0]].append(ActionRow(*[*row[:15], status, row[16]]))
    return [RunRow(*[*row[:5], _passed(row[5]), actions[row[0]]]) for row in found]


def _passed(text: str) -> list[dict[str, str]]:
    found: list[dict[str, Any]] = msgspec.json.decode(text)
    return found
