"""All invariants of TRUST.md that this exchange can break by now, with their checks."""

from exchange.audit import (
    actors,
    commands,
    deliveries,
    holds,
    ledger,
    memory,
    orders,
    policies,
    proceeds,
    rights,
    roles,
    routes,
    settlements,
    units,
)
from exchange.audit.check import Check

# What each code promises, in TRUST.md's words.
SENTENCES = {
    "L1": "every ledger transaction sums to zero per asset; the whole ledger too",
    "L2": "stored balance = sum of postings; no account below its limit; 0 ≤ held ≤ balance",
    "L3": "holds equal what open orders, route locks and attached slices need, per account and asset",
    "L4": "units per root right: issued = held by holders + consumed + expired + burned; each split conserves",
    "L5": "fees = rate × notional by the one named rounding",
    "B1": "filled + remaining + cancelled = quantity, each ≥ 0; an order's fills sum to its filled",
    "B2": "a continuous book is never crossed or locked at rest",
    "B3": "price-time priority at every trade, by replay in an independent reference engine",
    "B4": "trade price = the maker's (or the auction's), inside both limits, in the collar, on tick; quantity whole lots",
    "B5": "no trade between accounts of one participant",
    "B6": "no trade after a halt's sequence until resume; none after gate closure",
    "C1": "each accepted command applied exactly once, in order; command sequence gapless per book; none pending > 5 s at rest",
    "C2": "one (account, key) → one command → one outcome, forever",
    "E1": "event sequence gapless per stream; hash chain valid; append-only",
    "E2": "replaying the events rebuilds the state; replaying the journal rebuilds the fills, byte for byte",
    "G1": "no trade or transfer broke a gate, re-evaluated from history as of its event",
    "G2": "frozen, expired, consumed, finalized, burned or locked units never trade and back no open ask",
    "G3": "lifecycle only along the table; finalized and burned are terminal; lineage acyclic, same terms hash along it",
    "A1": "active units ≤ usable × (1 + overbook) per assurance slice, also under concurrent issuance",
    "S1": "settlement only along the table, enforced by the database; deterministic (other process, shuffled proofs → same hash)",
    "S2": "consumed ≤ reserved ≤ remaining; payout + refund + release = reserved value; a reversal is the exact negation",
    "S3": "one live receipt per request; nothing finalized before its window ends or with an open dispute",
    "D1": "each trade has exactly one ledger transaction with the unit leg, the cash leg and fees, of the same database transaction",
    "M1": "snapshot + deltas = snapshot, checksum equal at every step; nothing published before commit; nothing committed unpublished",
    "Z1": "every command's actor was allowed to give it at that time",
}

_MODULES = (ledger, holds, routes, units, orders, commands, actors, roles, policies, rights, settlements, proceeds, deliveries, memory)
CHECKS: tuple[Check, ...] = tuple(
    sorted((check for module in _MODULES for check in module.CHECKS), key=lambda check: list(SENTENCES).index(check.code))
)
