"""A right's family as far as its reader may see it: the line it comes from, and what was made from it."""

import msgspec

from exchange.selectors import registry
from exchange.services.identity import Principal
from exchange.web.amounts import units_text
from rights.kernel.ids import public
from rights.models import Right
from rights.selectors import lineage
from rights.selectors.lineage import Member

MOST_STEPS = 30
MOST_CHILDREN = 20


class Kin(msgspec.Struct, frozen=True):
    """One right of the family. Of one in others' hands alone there are no `words`, and its id only where the reader's own right tells it."""

    right_id: str
    words: str = ""
    status: str = ""
    is_own: bool = False


class Family(msgspec.Struct, frozen=True):
    """`line`: root first, down to the parent; `goes_on`: it is longer than what is shown. `after`: where more children begin, if there are."""

    line: list[Kin]
    goes_on: bool
    children: list[Kin]
    after: str


def family_of(principal: Principal, right: Right, *, after: str | None) -> Family:
    """The family around a right; `after` (UUID) is the last child seen."""
    own_id, unit = str(right.pk), right.series.compute_class.unit
    sees_all, mine = registry.sees_family(principal, right), principal.account_id
    told = {str(right.parent_id), str(right.root_id)}

    def kin(member: Member) -> Kin:
        if not sees_all and member.holder_id != mine:
            return Kin(public("rgt", member.id) if member.id in told else "")
        words = f"{units_text(member.remaining_units, unit)} of {member.max_units:,} left"
        return Kin(public("rgt", member.id), words, member.status, member.holder_id == mine)

    line = lineage.line(right_id=own_id, root_id=str(right.root_id), limit=MOST_STEPS)
    children = lineage.children(right_id=own_id, limit=MOST_CHILDREN, holder_id=None if sees_all else mine, after=after)
    return Family(
        line=[kin(one) for one in reversed(line[1:MOST_STEPS])],
        goes_on=len(line) > MOST_STEPS,
        children=[kin(one) for one in children[:MOST_CHILDREN]],
        after=public("rgt", children[MOST_CHILDREN - 1].id) if len(children) > MOST_CHILDREN else "",
    )
