"""Units change hands outside a book: a bilateral transfer, a delivery out of a package, a block sale (SPEC §4, §5).

The gate is asked under the locks, for every part, with the taker; either all parts move or none.
"""

from collections.abc import Callable, Sequence

import msgspec
from django.db import transaction

from rights.domain.gates import Grants, Permits, Verdict, transfer_refusals
from rights.domain.transfer_policy import TransferPolicy, read_policy
from rights.kernel.ids import Mint
from rights.models import Account, Right
from rights.selectors import holder_facts, right_facts
from rights.selectors.streams import streams_of
from rights.services.consents import mark_used, once_permits
from rights.services.deliveries import Held, Pair, deliver_units, lock_rights
from rights.services.journal import NewEvent, append_each
from rights.services.reception import counted_roots, look_up, shut_pairs, tightened
from settlement.services.deliver import asset_ids
from settlement.services.ledger import Move, post
from settlement.services.unit_locks import release_units

Tell = Callable[[], None]


class Part(msgspec.Struct, frozen=True):
    """`units` of a right (UUID text)."""

    right_id: str
    units: int


class Refused(msgspec.Struct, frozen=True):
    """A gate that shut, and for which right."""

    right_id: str
    verdict: Verdict


class TransferRefused(Exception):
    """Nothing moved; every reason of every part."""

    def __init__(self, refusals: Sequence[Refused]) -> None:
        super().__init__("; ".join(f"rgt_{r.right_id}: {r.verdict.detail}" for r in refusals))
        self.refusals = tuple(refusals)


class Moved(msgspec.Struct, frozen=True):
    """What each part became in the taker's hands: right of the part → right delivered; and the ledger entry's id."""

    entry_id: str
    receives: dict[str, str]


@transaction.atomic
def transfer_units(
    *,
    parts: Sequence[Part],
    giver: Account,
    taker: Account,
    mint: Mint,
    actor: str,
    now_us: int,
    payment: Sequence[Move] = (),
    entry_id: str | None = None,
    unlock: Sequence[str] = (),
    own: TransferPolicy | None = None,
    tell: Tell | None = None,
) -> Moved:
    """Move every part from giver to taker, with the payment's legs in the same entry. Raises TransferRefused, LedgerRefusal.

    `unlock` names (public ids) whose locks on these rights were made for this very move: they are released first. `own` is a policy that
    tightens every right's terms for this move, a package's. `tell` is called when the balances stand and before the registry's stream is
    written: an account's feed locks before it.
    """
    named = sorted({part.right_id for part in parts})
    held = lock_rights({*named, *counted_roots(named, own)})
    release_units(refs=unlock, now_us=now_us, only=named)
    once = once_permits(units={part.right_id: part.units for part in parts}, giver_id=giver.pk, taker_id=taker.pk, now_us=now_us)
    net: dict[Pair, int] = {(part.right_id, taker.pk): part.units for part in parts}
    refusals = _right_refusals(parts, giver, now_us, own)
    ours = {right for right, _ in net} - {refused.right_id for refused in refusals if refused.verdict.code == "right_not_held"}
    asked = {pair: units for pair, units in net.items() if pair[0] in ours}
    reception = look_up(net=asked, rights=held, now_us=now_us, once={key: row.units or 0 for key, row in once.items()}, own=own)
    for (right_id, _), verdicts in shut_pairs(reception, net=asked, rights=held).items():
        refusals += [Refused(right_id, verdict) for verdict in verdicts]
    if refusals:
        place = {part.right_id: position for position, part in enumerate(parts)}
        raise TransferRefused(sorted(refusals, key=lambda refused: place[refused.right_id]))
    entry = entry_id or mint.uuid(now_us)
    uuids = {giver.pk: str(giver.uuid), taker.pk: str(taker.uuid)}
    plan = deliver_units(
        net=net,
        reserved_delta={},
        owner_of={part.right_id: giver.pk for part in parts},
        new_id=lambda _pair: mint.uuid(now_us),
        mergeable=lambda _terms: False,
        account_uuid=uuids.__getitem__,
        now_us=now_us,
        rights=lock_rights(named),
    )
    _post(parts, giver, taker, held, payment, entry, now_us)
    _remember(plan.events, actor, now_us)
    if tell is not None:
        tell()
    used = {key for right_id in named for key in reception.leans_on(right_id, taker.pk)}
    mark_used(consents=[once[key] for key in sorted(used)], entry_id=entry, actor=actor, now_us=now_us)
    return Moved(entry, {part.right_id: plan.receives[(part.right_id, taker.pk)] for part in parts})


# What the taker is asked under the locks is asked apart, with the counts moving from part to part.
ANY_TAKER = Permits(Grants(everybody=True), Grants(everybody=True))


def _right_refusals(parts: Sequence[Part], giver: Account, now_us: int, own: TransferPolicy | None) -> list[Refused]:
    """Every shut gate of the rights themselves, which are under lock."""
    rights = {
        str(right.pk): right
        for right in Right.objects.select_related("series", "terms", "issuer", "holder__participant").filter(
            pk__in=[part.right_id for part in parts]
        )
    }
    refusals = []
    for part in parts:
        right = rights.get(part.right_id)
        if right is None or right.holder_id != giver.pk:
            refusals.append(Refused(part.right_id, Verdict("right_not_held", False, "the giver does not hold it")))
            continue
        found = transfer_refusals(
            right=right_facts(right),
            policy=tightened(read_policy(right.terms.transfer_policy), own),
            units=part.units,
            giver=holder_facts(right.holder),
            taker=None,
            now_us=now_us,
            permits=ANY_TAKER,
        )
        refusals += [Refused(part.right_id, verdict) for verdict in found]
    return refusals


def _post(
    parts: Sequence[Part], giver: Account, taker: Account, held: dict[str, Held], payment: Sequence[Move], entry: str, now_us: int
) -> None:
    assets = asset_ids({held[part.right_id].root_id for part in parts})
    moves: list[Move] = []
    for leg, part in enumerate(parts):
        asset = assets[held[part.right_id].root_id]
        moves.append(Move(entry, leg, "transfer", asset, giver.pk, taker.pk, part.units))
    for leg, move in enumerate(payment, start=len(parts)):
        moves.append(msgspec.structs.replace(move, entry_id=entry, leg=leg))
    post(moves=moves, now_us=now_us)


def _remember(events: Sequence[NewEvent], actor: str, now_us: int) -> None:
    """Each right's facts go to the stream of its series."""
    told = [(event.object_id.removeprefix("rgt_"), event) for event in events]
    stream_of = streams_of({right_id for right_id, _ in told})
    append_each(events=[(stream_of[right_id], event) for right_id, event in told], actor=actor, now_us=now_us)
