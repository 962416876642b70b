"""Reads of the registry for the API, the pages and the gate."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
import orjson
from django.db.models import Q, QuerySet

from rights.domain.fungibility import EXACT, eligibility_verdicts
from rights.domain.fungibility import Verdict as DimensionVerdict
from rights.domain.gates import HolderFacts, LineageCounts, Permits, Receiver, RightFacts, Verdict, transfer_verdicts
from rights.domain.manifest import Manifest, stored_manifest
from rights.domain.moment import text_of
from rights.domain.transfer_policy import TransferPolicy, read_policy
from rights.domain.window import WindowFacts, ends_us
from rights.kernel import rows
from rights.kernel.clock import rfc3339, to_us
from rights.kernel.ids import public
from rights.models import Account, Assurance, Issuer, Right, Series, Terms
from rights.selectors.reception import Scope, permits_for, permits_of, scope_of, with_credentials, with_once

_Key = TypeVar("_Key", int, str)
_Row = TypeVar("_Row", Series, Terms)


class Inventory(msgspec.Struct, frozen=True):
    """What an account has in one series, whole units; `rights` counts those with units left."""

    series_id: int
    units: int
    reserved: int
    rights: int


_INVENTORY = """
SELECT series_id, sum(remaining_units)::bigint, sum(reserved_units)::bigint, count(*)::bigint FROM rights_right
WHERE holder_id = %s AND remaining_units > 0 AND status IN ('issued', 'active', 'frozen') AND (%s::bigint IS NULL OR series_id = %s)
GROUP BY series_id ORDER BY series_id
"""
_COUNTS = """
SELECT count(DISTINCT holder_id), coalesce(sum(remaining_units) FILTER (WHERE holder_id = %s), 0)::bigint,
       coalesce(sum(remaining_units) FILTER (WHERE holder_id = %s), 0)::bigint
FROM rights_right WHERE root_id = %s AND remaining_units > 0
"""


def inventory(*, account_id: int, series_id: int | None = None) -> list[Inventory]:
    """The account's live units by series, or in one series."""
    return [Inventory(*row) for row in rows.fetch_all(_INVENTORY, [account_id, series_id, series_id])]


def rights_with_all() -> QuerySet[Right]:
    """Rights with everything their document shows, in one query."""
    return Right.objects.select_related("series__compute_class", "terms", "issuer", "assurance", "holder__participant", "controller")


_MOST_REMEMBERED = 2000
_series: dict[int, Series] = {}  # with their classes; like terms they never change, so memory is safe
_terms: dict[str, Terms] = {}


def rights_by_id(right_ids: Sequence[str]) -> list[Right]:
    """These rights, newest first, with everything their documents show: what many of them share is read once, what never changes seldom."""
    found = list(Right.objects.filter(pk__in=right_ids).order_by("-pk"))
    series = _remembered(_series, {right.series_id for right in found}, Series.objects.select_related("compute_class"))
    terms = _remembered(_terms, {right.terms_id for right in found}, Terms.objects.all())
    issuers = Issuer.objects.in_bulk({right.issuer_id for right in found})
    assurances = Assurance.objects.only("uuid").in_bulk({right.assurance_id for right in found})
    hands = {account_id for right in found for account_id in (right.holder_id, right.controller_id)}
    accounts = Account.objects.select_related("participant").in_bulk(hands)
    for right in found:
        right.series, right.terms, right.issuer = series[right.series_id], terms[right.terms_id], issuers[right.issuer_id]
        right.assurance, right.holder, right.controller = (
            assurances[right.assurance_id],
            accounts[right.holder_id],
            accounts[right.controller_id],
        )
    return found


def _remembered(memory: dict[_Key, _Row], wanted: set[_Key], kept: QuerySet[Any]) -> Mapping[_Key, _Row]:
    """Rows that never change, by key; those that are not in memory are read. A copy, for others may empty the memory meanwhile."""
    found = {key: row for key in wanted if (row := memory.get(key)) is not None}
    missing = kept.in_bulk(wanted - found.keys()) if len(found) < len(wanted) else {}
    if len(memory) + len(missing) > _MOST_REMEMBERED:
        memory.clear()
    memory.update(missing)
    return found | missing


def rights_of(*, holder_id: int | None = None, class_key: str = "", status: str = "") -> QuerySet[Right]:
    """Rights by holder, class and status, newest first (keyset: id descending)."""
    wanted = Q()
    if holder_id is not None:
        wanted &= Q(holder_id=holder_id)
    if class_key:
        wanted &= Q(series__compute_class__key=class_key)
    if status:
        wanted &= Q(status=status)
    return rights_with_all().filter(wanted).order_by("-id")


def holder_facts(account: Account) -> HolderFacts:
    """The account as the gate sees it; suspended when it or its participant is."""
    active = account.status == "active" and account.participant.status == "active"
    return HolderFacts(
        account_id=account.pk,
        public_id=public("acc", str(account.uuid)),
        holder_type=account.holder_type,
        jurisdiction=account.jurisdiction,
        status="active" if active else "suspended",
    )


def right_facts(right: Right) -> RightFacts:
    """The right as the gate sees it."""
    return RightFacts(
        id=str(right.pk),
        status=right.status,
        freeze_reason=right.freeze_reason,
        remaining_units=right.remaining_units,
        reserved_units=right.reserved_units,
        window_end_us=right_window_end_us(right),
        acquired_us=to_us(right.acquired_at),
        activated=right.activated_at is not None,
    )


def right_window_end_us(right: Right) -> int:
    """When this right ends; in a rolling window that depends on its activation."""
    return ends_us(
        mode=right.series.window_mode,
        window_end_us=to_us(right.series.window_end),
        period_s=right.series.epoch_size_s,
        activated_us=None if right.activated_at is None else to_us(right.activated_at),
    )


def lineage_counts(*, root_id: str, giver_id: int, taker_id: int) -> LineageCounts:
    """How many hold units of the root, and how many the two parties hold."""
    row = rows.fetch_one(_COUNTS, [taker_id, giver_id, root_id]) or (0, 0, 0)
    return LineageCounts(holders=row[0], taker_units=row[1], giver_units=row[2])


def standing_permits(rights: Iterable[Right], *, now_us: int) -> dict[Scope, Permits]:
    """The consents and acknowledgments that stand for all of these rights, in one read; none where no policy asks for any."""
    receivers = [receiver_of(right) for right in rights]
    return permits_of([scope_of(receiver) for receiver in receivers if receiver.policy.needs_permits], now_us=now_us)


def gates_of(
    right: Right,
    *,
    now_us: int,
    units: int | None = None,
    taker: Account | None = None,
    permits: Mapping[Scope, Permits] | None = None,
) -> list[Verdict]:
    """Every rule of the gate for moving `units` (default: all that is free) out of its holder's hands now.

    `permits`: what `standing_permits` found, for whoever judges many rights; otherwise it is read here.
    """
    free = right.remaining_units - right.reserved_units
    receiver = receiver_of(right)
    counts = facts = None
    moving = free if units is None else units
    standing = permits_for(receiver, standing_permits([right], now_us=now_us) if permits is None else permits)
    if taker is not None:
        if receiver.policy.needs_permits:
            standing = with_once(standing, right=right, taker_id=taker.pk, units=moving, now_us=now_us)
        counts = lineage_counts(root_id=str(right.root_id), giver_id=right.holder_id, taker_id=taker.pk)
        facts = with_credentials([holder_facts(taker)], now_us=now_us)[taker.pk]
    return transfer_verdicts(
        right=right_facts(right),
        policy=receiver.policy,
        units=moving,
        giver=holder_facts(right.holder),
        taker=facts,
        now_us=now_us,
        counts=counts,
        permits=standing,
    )


def receiver_of(right: Right) -> Receiver:
    """The rules about who may receive it."""
    return Receiver(_policy_of(right.terms), right.issuer.slug, str(right.root_id), right.terms_id)


_MOST_POLICIES = 10_000
_policies: dict[str, TransferPolicy] = {}  # by terms hash; terms are immutable and named by what they say, so memory is safe


def _policy_of(terms: Terms) -> TransferPolicy:
    found = _policies.get(terms.pk)
    if found is None:
        if len(_policies) >= _MOST_POLICIES:
            _policies.clear()
        found = _policies[terms.pk] = read_policy(terms.transfer_policy)
    return found


def manifest_of(right: Right) -> Manifest:
    """The terms the right was issued under."""
    return stored_manifest(right.terms.manifest, right.terms.terms_hash)


def window_facts(series: Series) -> WindowFacts:
    return WindowFacts(
        start=text_of(to_us(series.window_start)),
        end=text_of(to_us(series.window_end)),
        mode=series.window_mode,
        period_s=series.epoch_size_s,
    )


def eligibility(right: Right, series: Series, delivery_rule: str = EXACT) -> list[DimensionVerdict]:
    """One verdict per dimension and part of the window: may the right be delivered into the book of `series` under its rule?"""
    return eligibility_verdicts(
        manifest_of(right),
        issuer_tier=right.issuer.tier,
        class_dims=series.compute_class.dimensions,
        window=window_facts(series),
        delivery_rule=delivery_rule,
    )


def manifests_of(rights: Iterable[Right]) -> dict[str, Mapping[str, Any]]:
    """The manifests that these rights were issued under, by terms hash: each read once."""
    terms = {right.terms_id: right.terms for right in rights}
    return {terms_hash: orjson.loads(one.manifest) for terms_hash, one in terms.items()}


def right_document(
    right: Right,
    *,
    instruments: Sequence[str],
    now_us: int,
    permits: Mapping[Scope, Permits] | None = None,
    manifests: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """The right as GET /rights/{id} shows it (API.md): the manifest and the accounting around it.

    `instruments`: the symbols it is deliverable into, which the venue knows. `permits`: as `gates_of` takes them; `manifests`: what
    `manifests_of` found, for whoever shows many rights.
    """
    document = dict((manifests_of([right]) if manifests is None else manifests)[right.terms_id])
    if right.metadata is not None:
        document["metadata"] = right.metadata
    parent = right.parent_id
    return {
        "id": public("rgt", str(right.pk)),
        **document,
        "holder": public("acc", str(right.holder.uuid)),
        "holder_type": right.holder.holder_type,
        "controller": public("acc", str(right.controller.uuid)),
        "status": right.status,
        "freeze_reason": right.freeze_reason or None,
        "views": ["partially_consumed"] if 0 < right.remaining_units < right.max_units else [],
        "finalization_ref": right.finalization_ref or None,
        "max_amount": str(right.max_units),
        "remaining_amount": str(right.remaining_units),
        "reserved_amount": str(right.reserved_units),
        "parent_right_id": None if parent is None else public("rgt", str(parent)),
        "root_right_id": public("rgt", str(right.root_id)),
        "issuer_id": right.issuer.slug,
        "assurance_id": public("ast", str(right.assurance.uuid)),
        "terms_hash": right.terms_id,
        "class_key": right.series.compute_class.key,
        "class_fingerprint": right.series.compute_class.fingerprint,
        "instruments": list(instruments),
        "ends_at": rfc3339(right_window_end_us(right)),
        "activated_at": None if right.activated_at is None else rfc3339(to_us(right.activated_at)),
        "acquired_at": rfc3339(to_us(right.acquired_at)),
        "created_at": rfc3339(to_us(right.created_at)),
        "updated_at": rfc3339(to_us(right.updated_at)),
        "gates": [msgspec.to_builtins(verdict) for verdict in gates_of(right, now_us=now_us, permits=permits)],
    }


def link_documents(right: Right) -> list[dict[str, str]]:
    """What stands for the right, and what it stands for (SPEC §2, replace)."""
    after = [(link.kind, "replaced_by", link.latter_id) for link in right.successors.order_by("pk")]
    before = [(link.kind, "replaces", link.former_id) for link in right.predecessors.order_by("pk")]
    return [{"kind": kind, "relation": relation, "right_id": public("rgt", str(other))} for kind, relation, other in (*before, *after)]
