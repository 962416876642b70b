"""The receiver's half of the gate under the locks (SPEC §4): asked of every move of a set, in the order in which they happen.

Whoever revokes a consent or an attestation, or moves units of the same lineage, waits for this transaction or has been seen by it.
"""

from collections.abc import Mapping, Sequence

import msgspec

from rights.domain.gates import Grants, HolderFacts, Permits, Receiver, Verdict, taker_refusals
from rights.domain.transfer_policy import TransferPolicy, read_policy, strictest
from rights.kernel import rows
from rights.selectors.reception import Holdings, Scope, counts_of, holdings_of, permits_for, permits_of, scope_of, shift, with_credentials
from rights.services.deliveries import Held, Pair

_TERMS = "SELECT terms_hash, transfer_policy::text FROM rights_terms WHERE terms_hash = ANY(%s)"
_ROOTS = "SELECT id::text, root_id::text, terms_hash FROM rights_right WHERE id = ANY(%s::uuid[])"
_HOLDERS = """
SELECT a.id, a.uuid::text, a.holder_type, a.jurisdiction, a.status = 'active' AND p.status = 'active'
FROM rights_account a JOIN rights_participant p ON p.id = a.participant_id WHERE a.id = ANY(%s::bigint[])
"""
_policies: dict[str, TransferPolicy] = {}  # by terms hash; terms are immutable, so memory is safe


class ShutPairs(Exception):
    """Moves that a receiver's rule refuses now; nothing was written. Verdicts by (right, receiving account)."""

    def __init__(self, verdicts: Mapping[Pair, Sequence[Verdict]]) -> None:
        super().__init__(f"{len(verdicts)} moves are refused")
        self.verdicts = dict(verdicts)


def policies_of(terms: Sequence[str]) -> dict[str, TransferPolicy]:
    """The transfer policy of each terms hash."""
    missing = [t for t in terms if t not in _policies]
    for terms_hash, text in rows.fetch_all(_TERMS, [missing]) if missing else []:
        _policies[terms_hash] = read_policy(msgspec.json.decode(text))
    return _policies


def forget_policies() -> None:
    """For tests, which replace databases under a running process."""
    _policies.clear()


def counted_roots(right_ids: Sequence[str], own: TransferPolicy | None = None) -> list[str]:
    """The roots of those rights whose terms count holders: they are locked with the rights, so that counts stand still.

    `own`: what tightens the terms of all of them, a package's policy.
    """
    found = rows.fetch_all(_ROOTS, [rows.array(right_ids)])
    policies = policies_of(sorted({row[2] for row in found}))
    everything = own is not None and own.counts_holders
    return sorted({root for _, root, terms in found if everything or policies[terms].counts_holders})


def tightened(policy: TransferPolicy, own: TransferPolicy | None) -> TransferPolicy:
    """The terms' policy together with what tightens it, if anything does."""
    return policy if own is None else strictest([own, policy])


def holder_facts_of(account_ids: Sequence[int]) -> dict[int, HolderFacts]:
    """Those accounts as the gate sees them, without credentials."""
    return {
        row[0]: HolderFacts(row[0], f"acc_{row[1]}", row[2], row[3], "active" if row[4] else "suspended")
        for row in rows.fetch_all(_HOLDERS, [rows.array(account_ids)])
    }


OnceUnits = Mapping[tuple[str, str], int]  # (right, `consent` or `acknowledgment`) -> units of a consent for one transfer


class Reception(msgspec.Struct, frozen=True):
    """What was looked up for a set of moves, under lock."""

    receivers: dict[str, Receiver]
    takers: dict[int, HolderFacts]
    permits: Mapping[Scope, Permits]
    holdings: Holdings
    once: OnceUnits

    def standing(self, right: str) -> Permits:
        """The permits of a right, without those for one transfer."""
        return permits_for(self.receivers[right], self.permits)

    def permitted(self, right: str, taker: int, units: int) -> Permits:
        """The permits of one move: what stands, and what was granted for this transfer alone."""
        standing = self.standing(right)
        return Permits(
            self._with_once(standing.consent, (right, "consent"), taker, units),
            self._with_once(standing.acknowledgment, (right, "acknowledgment"), taker, units),
        )

    def _with_once(self, grants: Grants, key: tuple[str, str], taker: int, units: int) -> Grants:
        return Grants(grants.everybody, grants.takers | {taker}) if self.once.get(key, 0) >= units else grants

    def leans_on(self, right: str, taker: int) -> list[tuple[str, str]]:
        """The single-transfer consents a move needs because nothing standing covers it."""
        policy, standing = self.receivers[right].policy, self.standing(right)
        needed = (
            ("consent", policy.requires_issuer_consent and not standing.consent.covers(taker)),
            ("acknowledgment", policy.requires_registry_acknowledgment and not standing.acknowledgment.covers(taker)),
        )
        return [(right, kind) for kind, needs in needed if needs]


def look_up(
    *, net: Mapping[Pair, int], rights: Mapping[str, Held], now_us: int, once: OnceUnits | None = None, own: TransferPolicy | None = None
) -> Reception:
    """Load what the receivers' rules of these moves depend on; `rights` are under lock, with their counted roots. `own`: see there."""
    policies = policies_of(sorted({rights[right].terms_hash for right, _ in net}))
    receivers = {
        right: Receiver(
            tightened(policies[rights[right].terms_hash], own), rights[right].issuer, rights[right].root_id, rights[right].terms_hash
        )
        for right, _ in net
    }
    takers = holder_facts_of(sorted({taker for _, taker in net}))
    if any(receiver.policy.asks_credentials for receiver in receivers.values()):
        takers = with_credentials(takers.values(), now_us=now_us, lock=True)
    return Reception(
        receivers=receivers,
        takers=takers,
        permits=permits_of({scope_of(r) for r in receivers.values() if r.policy.needs_permits}, now_us=now_us, lock=True),
        holdings=holdings_of({r.root for r in receivers.values() if r.policy.counts_holders}),
        once=once or {},
    )


def shut_pairs(reception: Reception, *, net: Mapping[Pair, int], rights: Mapping[str, Held]) -> dict[Pair, list[Verdict]]:
    """The moves of `net` that may not happen, judged one after the other. A refused move is left out of the counts for those after it."""
    holdings = {root: dict(held) for root, held in reception.holdings.items()}
    shut: dict[Pair, list[Verdict]] = {}
    for (right, taker), units in net.items():
        receiver, giver = reception.receivers[right], rights[right].holder_id
        refusals = taker_refusals(
            receiver.policy,
            reception.takers[taker],
            units=units,
            counts=counts_of(holdings, receiver.root, giver, taker),
            permits=reception.permitted(right, taker, units),
        )
        if refusals:
            shut[(right, taker)] = refusals
        elif receiver.root in holdings:
            shift(holdings, receiver.root, giver, taker, units)
    return shut


def check_reception(net: Mapping[Pair, int], rights: Mapping[str, Held], *, now_us: int) -> None:
    """Raise ShutPairs when any move of a book's batch is refused. Consents for one transfer count for nothing there: books name nobody."""
    shut = shut_pairs(look_up(net=net, rights=rights, now_us=now_us), net=net, rights=rights)
    if shut:
        raise ShutPairs(shut)
