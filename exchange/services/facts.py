"""What a batch reads once, for all its commands: who they come from, their cash, their deliverable rights."""

from collections.abc import Iterable
from typing import Any

import msgspec

from exchange.domain.command import Reason
from exchange.services.live import Live
from exchange.services.rules import DELIVERED, Rules
from rights.domain.gates import HolderFacts, Receiver, RightFacts, transfer_refusals, transferable_until_us
from rights.domain.transfer_policy import TransferPolicy
from rights.domain.window import ends_us
from rights.kernel import rows
from rights.kernel.trip import Answer, Trip
from rights.selectors.reception import permits_for, permits_of, scope_of
from rights.services.deliveries import remember_roots
from rights.services.reception import policies_of


class Party(msgspec.Struct, gc=False):
    """An account with the cash it may still spend (minor units), kept current through the batch."""

    id: int
    participant: int
    active: bool
    cash: int
    facts: HolderFacts


class Parcel(msgspec.Struct, gc=False):
    """Units of one right that its holder may still offer. `refused`: why it may not be offered, whoever the taker is; else NONE."""

    right_id: str
    units: int
    whole_units: int
    refused: Reason
    splittable: bool
    min_units: int
    until_us: int
    receiver: Receiver
    restricted: bool
    issuer: str
    series_id: int


_PARTIES = """
SELECT a.id, a.participant_id, a.status = 'active' AND p.status = 'active', coalesce(b.amount - b.held, 0), a.uuid::text, a.holder_type, a.jurisdiction
FROM rights_account a JOIN rights_participant p ON p.id = a.participant_id
LEFT JOIN settlement_balance b ON b.account_id = a.id AND b.asset_id = %s
WHERE a.id = ANY(%s::bigint[])
"""

PARCEL = """
SELECT r.holder_id, r.id::text, r.remaining_units, r.reserved_units, r.status, r.freeze_reason,
       (extract(epoch from r.activated_at) * 1000000)::bigint, (extract(epoch from r.acquired_at) * 1000000)::bigint, r.terms_hash,
       i.slug, r.root_id::text, r.series_id, a.status = 'sound'"""
# What PARCEL is of.
PARCEL_FROM = "rights_right r JOIN rights_issuer i ON i.id = r.issuer_id JOIN rights_assurance a ON a.id = r.assurance_id"
_OFFERED = "r.holder_id = ANY(%s::bigint[]) AND r.remaining_units > r.reserved_units ORDER BY r.created_at, r.id"
_PARCELS = f"{PARCEL} FROM {PARCEL_FROM} WHERE r.series_id = %s AND {_OFFERED}"
# By dominance: of every series the book delivers, each right with the window it has itself.
WINDOW = "s.window_mode, (extract(epoch from s.window_end) * 1000000)::bigint, s.epoch_size_s"
_IN_BOOK = f"SELECT d.series_id FROM {DELIVERED} d WHERE d.instrument_id = %s"
_DOMINANT_PARCELS = f"""{PARCEL}, {WINDOW} FROM {PARCEL_FROM}
JOIN rights_series s ON s.id = r.series_id WHERE r.series_id IN ({_IN_BOOK}) AND {_OFFERED}"""

_HOLDING = "SELECT a.participant_id, sum(r.remaining_units)::bigint FROM rights_right r JOIN rights_account a ON a.id = r.holder_id"
_HOLDINGS = f"{_HOLDING} WHERE r.series_id = %s AND a.participant_id = ANY(%s::bigint[]) GROUP BY 1"
_DOMINANT_HOLDINGS = f"{_HOLDING} WHERE r.series_id IN ({_IN_BOOK}) AND a.participant_id = ANY(%s::bigint[]) GROUP BY 1"
_BEHIND = f"""
SELECT DISTINCT r.terms_hash, (extract(epoch from r.activated_at) * 1000000)::bigint, {WINDOW}
FROM rights_right r JOIN rights_series s ON s.id = r.series_id WHERE r.id = ANY(%s::uuid[])
"""


def load_parties(rules: Rules, account_ids: Iterable[int]) -> dict[int, Party]:
    """Those accounts, by id."""
    trip = Trip()
    answer = ask_parties(trip, rules, account_ids)
    trip.go()
    return read_parties(answer)


def ask_parties(trip: Trip, rules: Rules, account_ids: Iterable[int]) -> Answer:
    return trip.ask(_PARTIES, [rules.currency_id, rows.array(account_ids)])


def read_parties(answer: Answer) -> dict[int, Party]:
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
        for row in answer.rows()
    }


def ask_parcels(trip: Trip, rules: Rules, sellers: Iterable[int]) -> Answer:
    if rules.is_exact:
        return trip.ask(_PARCELS, [rules.series_id, rows.array(sellers)])
    return trip.ask(_DOMINANT_PARCELS, [rules.book_id, rows.array(sellers)])


def read_parcels(answer: Answer, rules: Rules, parties: dict[int, Party], now_us: int, *, takers_out: bool) -> dict[int, list[Parcel]]:
    """What each seller may deliver into this book: oldest window end first, then oldest right (SPEC §5).

    `takers_out`: the book is post-only, because most of what it sells is weakly backed; then what is may rest there all the same.
    """
    found = answer.rows()
    remember_roots((row[1], row[10]) for row in found)
    return parcels_of(found, rules, parties, now_us, takers_out=takers_out)


def parcels_of(
    found: list[tuple[Any, ...]], rules: Rules, parties: dict[int, Party], now_us: int, *, takers_out: bool
) -> dict[int, list[Parcel]]:
    """`read_parcels` of rows in the columns of PARCEL, with those of WINDOW behind where they are not of the book's own series."""
    found = _in_order(rules, found)
    policies = policies_of(sorted({row[8] for row in found}))
    asked = [Receiver(policies[row[8]], row[9], row[10], row[8]) for row in found]
    permits = permits_of({scope_of(receiver) for receiver in asked if receiver.policy.needs_permits}, now_us=now_us)
    parcels: dict[int, list[Parcel]] = {}
    for row, receiver in zip(found, asked, strict=True):
        policy, right_ends_us = receiver.policy, _right_ends_us(rules, row)
        right = RightFacts(
            id=row[1],
            status=row[4],
            freeze_reason=row[5],
            remaining_units=row[2],
            reserved_units=row[3],
            window_end_us=right_ends_us,
            acquired_us=row[7],
            activated=row[6] is not None,
        )
        units = row[2] - row[3]
        refusals = transfer_refusals(
            right=right,
            policy=policy,
            units=units,
            giver=parties[row[0]].facts,
            taker=None,
            now_us=now_us,
            permits=permits_for(receiver, permits),
        )
        parcels.setdefault(row[0], []).append(
            Parcel(
                right_id=right.id,
                units=units,
                whole_units=right.remaining_units,
                refused=_refusal(shut=any(r.code not in PER_SLICE for r in refusals), backed=row[12] or takers_out),
                splittable=policy.splittable,
                min_units=policy.min_transfer_units,
                until_us=_until(policy, right_ends_us, rules),
                receiver=receiver,
                restricted=policy.restricts,
                issuer=receiver.issuer,
                series_id=row[11],
            )
        )
    return parcels


def _refusal(*, shut: bool, backed: bool) -> Reason:
    if shut:
        return Reason.GATE_REFUSED
    return Reason.NONE if backed else Reason.BACKING_UNSOUND


def _in_order(rules: Rules, found: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows of rights with free units, in order of delivery. In a fixed window of the book's own all end alike."""
    if not rules.is_exact or rules.window_mode == "rolling":
        found.sort(key=lambda row: _right_ends_us(rules, row))
    return found


def _right_ends_us(rules: Rules, row: tuple[Any, ...]) -> int:
    """When the right of a row ends: of the book's own series, or with the window that stands in the row."""
    if len(row) == _OWN_WINDOW:
        return rules.right_ends_us(row[6])
    mode, window_end_us, period_s = row[_OWN_WINDOW:]
    return ends_us(mode=mode, window_end_us=window_end_us, period_s=period_s, activated_us=row[6])


_OWN_WINDOW = 13  # columns of a row whose window is the book's


def _until(policy: TransferPolicy, right_ends_us: int, rules: Rules) -> int:
    """The cut-off when it comes before the gate does; else 0, for the gate closes every order anyhow."""
    until = transferable_until_us(policy, right_ends_us)
    return until if until < rules.gate_us else 0


# Judged when the size of a slice is known, not when the parcel is read.
PER_SLICE = frozenset({"not_splittable", "below_min_transfer"})


def load_holdings(rules: Rules, participants: Iterable[int]) -> dict[int, int]:
    """Lots each participant holds of what the book delivers, rounded up; only asked for when there is a position limit."""
    sql, key = (_HOLDINGS, rules.series_id) if rules.is_exact else (_DOMINANT_HOLDINGS, rules.book_id)
    return {p: -(-units // rules.lot_size) for p, units in rows.fetch_all(sql, [key, rows.array(participants)])}


def rights_valid_until(rules: Rules, order: Live) -> int:
    """The earliest moment at which a right behind an ask stops being transferable (0: never before the gate)."""
    found = rows.fetch_all(_BEHIND, [rows.array(right for right, _ in order.slices)])
    policies = policies_of(sorted({row[0] for row in found}))
    moments = [
        _until(policies[terms], ends_us(mode=mode, window_end_us=end_us, period_s=period_s, activated_us=activated_us), rules)
        for terms, activated_us, mode, end_us, period_s in found
    ]
    return min((m for m in moments if m), default=0)
