"""Compensation in units (SPEC §9, `credit-reissue`): a new right under the same terms for what a degraded one was worth less.

It needs room under the issuer's assurance, which is locked before rights; without room the holder is compensated in money.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from django.db import transaction

from rights.domain.manifest import read_manifest
from rights.kernel.ids import Mint, public
from rights.models import Account, Assurance, Right
from rights.services.issue import find_assurance
from rights.services.journal import append_each, lock_streams
from rights.services.refusals import RegistryRefusalError
from settlement.domain.consequences import in_money
from settlement.models import Settlement
from settlement.services.case import Case
from settlement.services.grants import ACTOR, Grant, issue_grant, link
from settlement.services.slices import Slice
from settlement.services.unit_moves import Fact


def may_grant(case: Case) -> bool:
    """Whether a right of the request compensates in units."""
    return any(m.document["settlement_policy"]["refund_policy"] == "credit-reissue" for m in case.manifests().values())


def plan_grants(case: Case, slices: Sequence[Slice], *, mint: Mint, now_us: int) -> tuple[list[Slice], list[Grant]]:
    """The slices, with money in the place of units nobody can issue, and what is to be issued. Locks the assurances it would rest on."""
    owed: dict[str, list[Slice]] = {}
    for each in slices:
        if each.share.owed_units:  # by right: after a fallback two routes may use the same one
            owed.setdefault(each.route.right_id, []).append(each)
    if not owed:
        return list(slices), []
    rights = Right.objects.select_related("issuer", "series").in_bulk(list(owed))
    manifests, holder = case.manifests(), Account.objects.get(pk=case.holder_id)
    wanted: dict[str, Grant] = {}
    for right in rights.values():
        mine = owed[str(right.pk)]
        units = sum(each.share.owed_units for each in mine)
        wanted[str(right.pk)] = Grant(right, holder, units, manifests[mine[0].route.id].document)
    _lock_assurances(wanted.values())
    grants = _possible(wanted, mint, now_us)
    told = [
        each
        if not each.share.owed_units or each.route.right_id in grants
        else msgspec.structs.replace(each, share=in_money(each.share, quality_loss_bps=each.leg.quality_loss_bps if each.leg else 0))
        for each in slices
    ]
    return told, list(grants.values())


def issue_grants(case: Case, settlement: Settlement, grants: Sequence[Grant], *, mint: Mint, now_us: int) -> None:
    """Issue what was planned, and link it both ways. Whoever settles appends the rest, so every stream of his is locked here, in order."""
    if not grants:
        return
    lock_streams({case.stream_id, *(route.stream_id for route in case.routes), *(grant.former.series.stream_id for grant in grants)})
    facts: list[Fact] = []
    reason = f"compensation of {public('stl', str(settlement.id))}"
    for grant in grants:
        latter = issue_grant(grant, mint=mint, now_us=now_us)
        facts += link(former=grant.former, latter=latter, units=grant.units, kind=grant.kind, reason=reason, now_us=now_us)
    append_each(events=facts, actor=ACTOR, now_us=now_us)


def _lock_assurances(grants: Iterable[Grant]) -> None:
    behind = set()
    for grant in grants:
        try:
            behind.add(find_assurance(issuer=grant.former.issuer, manifest=read_manifest(grant.document)).pk)
        except RegistryRefusalError:
            continue
    list(Assurance.objects.select_for_update(no_key=True).filter(pk__in=behind).order_by("pk"))


def _possible(wanted: Mapping[str, Grant], mint: Mint, now_us: int) -> dict[str, Grant]:
    """Those that can be issued together, by right, in order. Each is issued beside those before it, for they may share an assurance's
    room, and all is taken back: the one way to know every rule.
    """
    possible: dict[str, Grant] = {}
    with transaction.atomic():
        for right_id, grant in sorted(wanted.items()):
            try:
                issue_grant(grant, mint=mint, now_us=now_us)
            except RegistryRefusalError:
                continue
            possible[right_id] = grant
        transaction.set_rollback(True)
    return possible
