"""Which asks may not deliver to which bidders: the receiver's half of the transfer gate (SPEC §4).

Pairs are (policy key of the ask, account of the bidder). When every right in play goes to anybody there are none, at no cost.
"""

from exchange.domain.command import Side
from exchange.services.facts import load_parties
from exchange.services.working import Working
from rights.domain.gates import taker_refusals


def block_resting(work: Working) -> None:
    """Judge the policies of resting asks against everybody who bids now or in this batch."""
    core = work.memory.core
    core.blocked = frozenset()
    if work.memory.policies:
        in_play = {o.policy for o in work.memory.live.values() if o.policy}
        work.memory.policies = {key: rules for key, rules in work.memory.policies.items() if key in in_play}
        for key in work.memory.policies:
            block(work, key)


def block(work: Working, key: int) -> None:
    """Judge one policy against every bidder; called again when an ask brings a new policy."""
    if key in work.judged:
        return
    work.judged.add(key)
    missing = {o.account for o in work.memory.live.values() if o.side == Side.BUY} - work.parties.keys() - work.bidders.keys()
    if missing:
        work.bidders.update(load_parties(work.rules, missing))
    rules = work.memory.policies[key]
    refused = {
        (key, party.id)
        for party in (*work.parties.values(), *work.bidders.values())
        if any(taker_refusals(policy, party.facts) for policy in rules)
    }
    work.memory.core.blocked = work.memory.core.blocked | refused
