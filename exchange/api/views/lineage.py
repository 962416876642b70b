"""Where a right comes from, and where what a fill delivered comes from. Ids of rights that are others' alone are left out."""

from collections.abc import Sequence
from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api import cursors, fields
from exchange.api.base import ApiView, listing, not_found, page
from exchange.api.doc import Doc
from exchange.api.views.market_data import with_seq
from exchange.api.views.rights import OneRight
from exchange.feed import wire
from exchange.selectors import fill_lineage, fills, registry
from exchange.selectors.fill_lineage import MOST_STEPS, Slice
from exchange.services.identity import Principal
from exchange.services.rules import rules_of
from rights.kernel.clock import rfc3339
from rights.kernel.ids import bare, public
from rights.models import Right
from rights.selectors import lineage
from rights.selectors.lineage import Member

FAR = 2**31  # steps that no line has
DIRECTIONS = {name: name for name in ("family", "up", "down")}


class LineageView(OneRight):
    scopes: ClassVar = {"GET": "read"}
    queries: ClassVar = {"GET": ("direction", "limit", "cursor")}
    docs: ClassVar = {
        "GET": Doc(
            "The right's family that the caller may see, by id; `up`: the line from it to its root; `down`: what was made from it",
            "LineageRight",
            listed=True,
        )
    }

    def get(self, _request: Request, right_id: str) -> Response:
        right, limit = self.right(right_id), self.query.limit()
        direction = self.query.choice("direction", DIRECTIONS) or "family"
        if direction == "up":
            return self._line(right, limit)
        after = self.query.cursor(direction, "u")
        last = str(after[0]) if after else None
        holder = None if registry.sees_family(self.principal, right) else self.principal.account_id
        if direction == "down":
            found = lineage.children(right_id=str(right.pk), limit=limit, holder_id=holder, after=last)
        else:
            found = lineage.family(root_id=str(right.root_id), limit=limit, holder_id=holder, after=last)
        return page(found, limit, direction, lambda member: (member.id,), shown)

    def _line(self, right: Right, limit: int) -> Response:
        after = self.query.cursor("up", "ui")
        last = (str(after[0]), int(after[1])) if after else None
        if last is not None and not 0 < last[1] < FAR:
            raise fields.FieldError("cursor", "is not a cursor of this list")
        found = lineage.line(right_id=str(right.pk), root_id=str(right.root_id), limit=limit, after=last)
        told = {str(right.parent_id), str(right.root_id)}
        sees_all, mine = registry.sees_family(self.principal, right), self.principal.account_id
        data = [shown(one) if sees_all or one.holder_id == mine else withheld(one, is_told=one.id in told) for one in found[:limit]]
        following = cursors.encode("up", (found[limit - 1].id, found[limit - 1].steps or 0)) if len(found) > limit else None
        return listing(data, following)


def shown(member: Member) -> dict[str, Any]:
    """A member whom the caller may look at."""
    return {
        "id": public("rgt", member.id),
        "parent_right_id": None if member.parent_id is None else public("rgt", member.parent_id),
        "root_right_id": public("rgt", member.root_id),
        "steps": member.steps,
        "holder": public("acc", member.holder),
        "status": member.status,
        "freeze_reason": member.freeze_reason or None,
        "max_amount": str(member.max_units),
        "remaining_amount": str(member.remaining_units),
        "reserved_amount": str(member.reserved_units),
        "issuer_id": member.issuer,
        "assurance_id": public("ast", member.assurance),
        "terms_hash": member.terms_hash,
        "created_at": rfc3339(member.created_us),
        "withheld": False,
    }


def withheld(member: Member, *, is_told: bool) -> dict[str, Any]:
    """A member of the line in other hands: what the caller's own right says of it anyhow."""
    own = ("root_right_id", "issuer_id", "assurance_id", "terms_hash", "steps")
    found = {name: value if name in own else None for name, value in shown(member).items()}
    return found | {"id": public("rgt", member.id) if is_told else None, "withheld": True}


class FillLineageView(ApiView):
    scopes: ClassVar = {"GET": "read"}
    docs: ClassVar = {"GET": Doc("Of each delivered slice its parent, the event that moved it, and the line up to the root", "FillLineage")}

    def get(self, _request: Request, fill_id: str) -> Response:
        uuid = bare("fil", fill_id)
        record = fills.fill(account_id=self.principal.account_id, fill_uuid=uuid) if uuid else None
        if record is None:
            raise not_found()
        found = fill_lineage.slices(trade_uuid=record.trade_id)
        body = {
            **wire.fill(record, rules_of(record.book_id)),
            "deliveries": deliveries(found, self.principal),
        }
        return with_seq(Response(body), record.book_seq)


def deliveries(found: Sequence[Slice], principal: Principal) -> list[dict[str, Any]]:
    """API.md, Fill: each delivery, with its event and the line of its parent, as the caller may know it."""
    lines = fill_lineage.lines([one.parent_id for one in found])
    met = {right for line in lines.values() for right in line}
    known = {str(pk) for pk in registry.visible(principal).filter(pk__in=met).values_list("pk", flat=True)}
    return [
        {
            "right_id": public("rgt", one.right_id),
            "parent_right_id": public("rgt", one.parent_id),
            "root_right_id": public("rgt", one.root_id),
            "units": str(one.units),
            "issuer_id": one.issuer,
            "assurance_id": public("ast", one.assurance),
            "terms_hash": one.terms_hash,
            "kind": one.kind,
            "event_id": None if one.event_id is None else public("evt", one.event_id),
            "stream": one.stream,
            "seq": None if one.seq is None else str(one.seq),
            "line": [
                public("rgt", right) if right in known | {one.parent_id, one.root_id} else None
                for right in lines[one.parent_id][:MOST_STEPS]
            ],
            "line_goes_on": len(lines[one.parent_id]) > MOST_STEPS,
        }
        for one in found
    ]
