"""What a batch reads once, for all its commands: who they come from, their cash, their deliverable rights."""

from collections.abc import Iterable
from typing import Any

import msgspec

from exchange.services.live import Live
from exchange.services.rules import Rules
from rights.domain.gates import HolderFacts, RightFacts, restriction_key, transfer_refusals, transferable_until_us
from rights.kernel import rows


class Party(msgspec.Struct, gc=False):
    """An account with the cash it may still spend (minor units), kept current through the batch."""

    id: int
    participant: int
    active: bool
    cash: int
    facts: HolderFacts


class Parcel(msgspec.Struct, gc=False):
    """Units of one right that its holder may still offer. `refused`: a gate shuts it whoever the taker is."""

    right_id: str
    units: int
    whole_units: int
    refused: bool
    splittable: bool
    min_units: int
    until_us: int
    policy: dict[str, Any]
    restricted: bool
    issuer: str


_PARTIES = """
SELECT a.id, a.participant_id, a.status = 'active' AND p.status = 'active', coalesce(b.amount - b.held, 0), a.uuid::text, a.holder_type, a.jurisdiction
FROM rights_account a JOIN rights_participant p ON p.id = a.participant_id
LEFT JOIN settlement_balance b ON b.account_id = a.id AND b.asset_id = %s
WHERE a.id = ANY(%s::bigint[])
"""

_PARCELS = """
SELECT r.holder_id, r.id::text, r.remaining_units, r.reserved_units, r.status, r.freeze_reason, r.activated_at IS NOT NULL,
       (extract(epoch from r.acquired_at) * 1000000)::bigint, r.terms_hash, i.slug
FROM rights_right r JOIN rights_issuer i ON i.id = r.issuer_id
WHERE r.series_id = %s AND r.holder_id = ANY(%s::bigint[]) AND r.remaining_units > r.reserved_units
ORDER BY r.created_at, r.id
"""

_HOLDINGS = """
SELECT a.participant_id, sum(r.remaining_units)::bigint FROM rights_right r JOIN rights_account a ON a.id = r.holder_id
WHERE r.series_id = %s AND a.participant_id = ANY(%s::bigint[]) GROUP BY 1
"""

_policies: dict[str, dict[str, Any]] = {}  # by terms hash; terms are immutable, so memory is safe


def policies_of(terms: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The transfer policy of each terms hash."""
    missing = [t for t in terms if t not in _policies]
    if missing:
        for terms_hash, text in rows.fetch_all(
            "SELECT terms_hash, transfer_policy::text FROM rights_terms WHERE terms_hash = ANY(%s)", [missing]
        ):
            _policies[terms_hash] = msgspec.json.decode(text)
    return _policies


def load_parties(rules: Rules, account_ids: Iterable[int]) -> dict[int, Party]:
    """Those accounts, by id."""
    found = rows.fetch_all(_PARTIES, [rules.currency_id, rows.array(account_ids)])
    return {
        row[0]: Party(
            id=row[0],
            participant=row[1],
            active=row[2],
            cash=row[3],
            facts=HolderFacts(
                account_id=row[0],
                public_id=f"acc_{row[4]}",
                holder_type=row[5],
                jurisdiction=row[6],
                status="active" if row[2] else "suspended",
            ),
        )
        for row in found
    }


def load_parcels(rules: Rules, parties: dict[int, Party], sellers: Iterable[int], now_us: int) -> dict[int, list[Parcel]]:
    """What each seller may deliver into this book: oldest window end first (all alike here), then oldest right."""
    found = rows.fetch_all(_PARCELS, [rules.series_id, rows.array(sellers)])
    policies = policies_of({row[8] for row in found})
    parcels: dict[int, list[Parcel]] = {}
    for holder, right_id, remaining, reserved, status, freeze_reason, activated, acquired_us, terms_hash, issuer in found:
        policy = policies[terms_hash]
        right = RightFacts(
            id=right_id,
            status=status,
            freeze_reason=freeze_reason,
            remaining_units=remaining,
            reserved_units=reserved,
            window_end_us=rules.window_end_us,
            acquired_us=acquired_us,
            activated=activated,
        )
        units = remaining - reserved
        refusals = transfer_refusals(right=right, policy=policy, units=units, giver=parties[holder].facts, taker=None, now_us=now_us)
        parcels.setdefault(holder, []).append(
            Parcel(
                right_id=right_id,
                units=units,
                whole_units=remaining,
                refused=any(r.code not in PER_SLICE for r in refusals),
                splittable=policy.get("splittable", True),
                min_units=int(policy.get("min_transfer_units") or 0),
                until_us=_until(policy, rules),
                policy=policy,
                restricted=restriction_key([policy]) != 0,
                issuer=issuer,
            )
        )
    return parcels


def _until(policy: dict[str, Any], rules: Rules) -> int:
    """The cut-off when it comes before the gate does; else 0, for the gate closes every order anyhow."""
    until = transferable_until_us(policy, rules.window_end_us)
    return until if until < rules.gate_us else 0


# Judged when the size of a slice is known, not when the parcel is read.
PER_SLICE = frozenset({"not_splittable", "below_min_transfer"})


def load_holdings(rules: Rules, participants: Iterable[int]) -> dict[int, int]:
    """Lots each participant holds in this series, rounded up; only asked for when there is a position limit."""
    return {p: -(-units // rules.lot_size) for p, units in rows.fetch_all(_HOLDINGS, [rules.series_id, rows.array(participants)])}


def rights_valid_until(rules: Rules, order: Live) -> int:
    """The earliest moment at which a right behind an ask stops being transferable (0: never before the gate)."""
    found = rows.fetch_all(
        "SELECT DISTINCT terms_hash FROM rights_right WHERE id = ANY(%s::uuid[])", [rows.array(right for right, _ in order.slices)]
    )
    policies = policies_of([row[0] for row in found])
    moments = [_until(policies[row[0]], rules) for row in found]
    return min((m for m in moments if m), default=0)
