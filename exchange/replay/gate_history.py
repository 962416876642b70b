"""The transfer gate, asked again about every change of holder in the journal, as of its event (TRUST G1).

A suspension's moment is read before its locks are taken, so one that began less than `GRACE_US` before a batch may have
committed after it; the same holds for consents and attestations (`permit_history.py`), at both ends.
"""

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

from exchange.replay.permit_history import PermitHistory
from exchange.replay.right_state import RightState, RightStates
from rights.domain import right_events as types
from rights.domain.gates import NO_PERMITS, HolderFacts, LineageCounts, RightFacts, transfer_refusals
from rights.domain.moment import parse_us
from rights.domain.transfer_policy import TransferPolicy, read_policy
from rights.domain.window import ends_us
from rights.kernel import rows

GRACE_US = 30_000_000
_HOLDERS = """
SELECT a.uuid::text, a.id, a.holder_type, a.jurisdiction, p.slug FROM rights_account a JOIN rights_participant p ON p.id = a.participant_id
"""


class GateHistory:
    """What the gate needs to know of the past: feed the registry's events first."""

    def __init__(self) -> None:
        self._holders = {row[0]: row[1:] for row in rows.fetch_all(_HOLDERS)}
        self._policies: dict[str, TransferPolicy] = {}
        self._windows: dict[str, Mapping[str, Any]] = {}  # the manifest's, by terms hash
        self._permits = PermitHistory(GRACE_US)
        self._standing: dict[str, list[tuple[int, str]]] = {}  # participant -> (from when, status)

    def remember(self, event_type: str, object_id: str, payload: Mapping[str, Any], at: str) -> None:
        """Note what later questions depend on."""
        if event_type in (types.ISSUED, types.AMENDED):
            if payload["manifest"] is None:  # only its metadata was amended
                return
            self._windows[payload["terms_hash"]] = payload["manifest"]["window"]
            self._policies.setdefault(payload["terms_hash"], read_policy(payload["manifest"]["transfer_policy"]))
        elif self._permits.remember(event_type, object_id, payload, at):
            return
        elif event_type == "participant.suspended":
            self._standing.setdefault(object_id, []).append((parse_us(at) + GRACE_US, "suspended"))
        elif event_type == "participant.reinstated":
            standing = self._standing.setdefault(object_id, [])
            if standing and standing[-1][0] >= parse_us(at):
                standing.pop()
            else:
                standing.append((parse_us(at), "active"))

    def refusals(self, states: RightStates, event_type: str, payload: Mapping[str, Any], at: str) -> list[str]:
        """Codes of the rules that this event broke; `states` as they were just before it."""
        if event_type == types.SPLIT:
            right, taker = states.named(payload["parent"]), payload["holder"]
        elif event_type == types.MERGED:
            right, taker = states.named(payload["source"]), f"acc_{states.named(payload['target']).holder}"
        elif event_type == types.TRANSFERRED:
            right, taker = states.named(payload["right"]), payload["to"]
        else:
            return []
        if taker == f"acc_{right.holder}":
            return []
        return self._judge(states, right, taker.removeprefix("acc_"), int(payload["units"]), parse_us(at))

    def _judge(self, states: RightStates, right: RightState, taker: str, units: int, now_us: int) -> list[str]:
        policy, window = self._policies[right.terms_hash], self._windows[right.terms_hash]
        facts = RightFacts(
            id=right.id,
            status=right.status,
            freeze_reason=right.freeze_reason,
            remaining_units=right.remaining_units,
            reserved_units=0,
            window_end_us=ends_us(
                mode=window["mode"],
                window_end_us=parse_us(window["end"]),
                period_s=window["epoch_size_seconds"] or window["rolling_length_seconds"] or 0,
                activated_us=parse_us(right.activated_at) if right.activated_at else None,
            ),
            acquired_us=parse_us(right.acquired_at),
            activated=bool(right.activated_at),
        )
        refusals = transfer_refusals(
            right=facts,
            policy=policy,
            units=units,
            giver=self._holder(right.holder, now_us),
            taker=self._permits.credentials(self._holder(taker, now_us), now_us),
            now_us=now_us,
            counts=self._counts(states, right, taker) if policy.counts_holders else None,
            permits=self._permits.permits(right, self._holders[taker][0], f"acc_{taker}", units=units, now_us=now_us)
            if policy.needs_permits
            else NO_PERMITS,
        )
        return [refusal.code for refusal in refusals]

    def _counts(self, states: RightStates, right: RightState, taker: str) -> LineageCounts:
        held: dict[str, int] = {}
        for member in states.lineage(right.root):
            if member.remaining_units:
                held[member.holder] = held.get(member.holder, 0) + member.remaining_units
        return LineageCounts(holders=len(held), taker_units=held.get(taker, 0), giver_units=held.get(right.holder, 0))

    def _holder(self, uuid: str, now_us: int) -> HolderFacts:
        account_id, holder_type, jurisdiction, slug = self._holders[uuid]
        standing = self._standing.get(slug, [])
        past = bisect_right(standing, (now_us, "~"))
        status = standing[past - 1][1] if past else "active"
        return HolderFacts(
            account_id=account_id, public_id=f"acc_{uuid}", holder_type=holder_type, jurisdiction=jurisdiction, status=status
        )
