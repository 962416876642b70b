"""Which asks may not deliver to which bidders: the receiver's half of the transfer gate (SPEC §4).

Pairs are (policy key of the ask, account of the bidder). When every right in play goes to anybody there are none, at no cost. What
depends on consents, credentials or counts is judged here as it stood when the batch looked, and once more under the locks.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from exchange.domain.command import Side
from exchange.services.facts import load_parties
from exchange.services.lessons import Lessons, Pair
from exchange.services.messages import Suspended
from exchange.services.working import Working
from rights.domain.gates import HolderFacts, LineageCounts, Receiver, Verdict, taker_refusals
from rights.selectors.reception import Holdings, holdings_of, permits_for, permits_of, scope_of, with_credentials

Key = TypeVar("Key")


def block_resting(work: Working, lessons: Lessons) -> None:
    """Judge the policies of resting asks against everybody who bids now or in this batch."""
    work.memory.core.blocked = frozenset(lessons.shut)
    work.lessons = lessons
    if work.memory.policies:
        in_play = {o.policy for o in work.memory.live.values() if o.policy}
        work.memory.policies = {key: rules for key, rules in work.memory.policies.items() if key in in_play}
        _judge(work, work.memory.policies)


def block(work: Working, key: int) -> None:
    """Judge one policy against every bidder; called again when an ask brings a new policy."""
    if key not in work.judged:
        _judge(work, {key: work.memory.policies[key]})


def looks_again(receivers: Iterable[Receiver]) -> bool:
    """Whether these receivers' rules may have changed since the batch looked."""
    return any(receiver.policy.looks_up or receiver.policy.asks_credentials for receiver in receivers)


def _judge(work: Working, policies: Mapping[int, Sequence[Receiver]]) -> None:
    work.judged.update(policies)
    missing = {o.account for o in work.memory.live.values() if o.side == Side.BUY} - work.parties.keys() - work.bidders.keys()
    if missing:
        work.bidders.update(load_parties(work.rules, missing))
    takers = {party.id: party.facts for party in (*work.parties.values(), *work.bidders.values())}
    lessons = work.lessons
    refused: set[Pair] = shut_pairs(policies, takers, lot_size=work.rules.lot_size, now_us=work.now_us, at_worst=lessons.at_worst)
    for key, receivers in policies.items():
        turned_away = (takers.keys() if lessons.closed else lessons.weary) if looks_again(receivers) else ()
        refused |= {(key, account) for account in turned_away}
    work.memory.core.blocked = work.memory.core.blocked | refused


def shut_pairs(
    policies: Mapping[Key, Sequence[Receiver]], takers: Mapping[int, HolderFacts], *, lot_size: int, now_us: int, at_worst: bool = False
) -> set[tuple[Key, int]]:
    """Which takers may not receive even a lot under which of the policies, as it stands now. `takers` by account, without credentials."""
    asked = [receiver for receivers in policies.values() for receiver in receivers]
    if any(receiver.policy.asks_credentials for receiver in asked):
        takers = with_credentials(takers.values(), now_us=now_us)
    permits = permits_of({scope_of(r) for r in asked if r.policy.needs_permits}, now_us=now_us)
    holdings = holdings_of({r.root for r in asked if r.policy.counts_holders})

    def refuses(receiver: Receiver, taker: HolderFacts) -> bool:
        counts = _counts(holdings, receiver.root, taker.account_id, lot_size, at_worst=at_worst)
        return bool(taker_refusals(receiver.policy, taker, units=lot_size, counts=counts, permits=permits_for(receiver, permits)))

    return {
        (key, account)
        for key, receivers in policies.items()
        for account, taker in takers.items()
        if any(refuses(receiver, taker) for receiver in receivers)
    }


def _counts(holdings: Holdings, root: str, taker: int, units: int, *, at_worst: bool) -> LineageCounts | None:
    """The counts as if the giver were to give his last: what is refused even so is refused at any fill. At worst he keeps something."""
    held = holdings.get(root)
    if held is None:
        return None
    return LineageCounts(holders=len(held), taker_units=held.get(taker, 0), giver_units=units + 1 if at_worst else units)


def pairs_behind(work: Working, verdicts: Mapping[tuple[str, int], Sequence[Verdict]]) -> set[Pair]:
    """The pairs whose trades the gate refused under the locks; `verdicts` by (right, receiving account).

    When a lineage is full, everybody who could be its next new holder is refused with them: else each would have his own attempt.
    Raises Suspended for takers that may receive nothing at all, which no pair could say of rights that go to anybody.
    """
    suspended = {account for (_, account), found in verdicts.items() if any(verdict.code == "taker_suspended" for verdict in found)}
    if suspended:
        raise Suspended(suspended)
    shut: set[Pair] = set()
    everybody = work.parties.keys() | work.bidders.keys()
    for trade in work.trades:
        codes = {verdict.code for right, _ in trade.parts for verdict in verdicts.get((right, trade.buy.account), ())}
        if codes:
            shut.add((trade.sell.policy, trade.buy.account))
        if "max_holders" in codes:
            receiving = {t.buy.account for t in work.trades if not any((right, t.buy.account) in verdicts for right, _ in t.parts)}
            holdings = holdings_of({r.root for r in work.memory.policies[trade.sell.policy] if r.policy.max_holders is not None})
            holders = {account for held in holdings.values() for account in held}
            shut |= {(trade.sell.policy, account) for account in everybody - receiving - holders}
    return shut
