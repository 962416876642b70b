"""Rights as their events alone tell them (docs/events.md). Pure.

`reserved_units` and `updated_at` follow orders, not events: the books' journals rebuild those.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from rights.domain import epoch
from rights.domain import right_events as types
from rights.domain.lifecycle import LIFECYCLE
from rights.domain.manifest import Manifest
from rights.domain.moment import parse_us
from rights.domain.succession import BURN
from rights.domain.window import ends_us

_Usage = epoch.Usage
SETTLEMENT = "stl_"


class RightState(msgspec.Struct):
    """One right. Ids are bare, moments RFC 3339 texts; `activated_at` is "" until it is."""

    id: str
    series_id: int
    terms_hash: str
    issuer: str
    assurance: str
    holder: str
    controller: str
    status: str
    prior_status: str
    freeze_reason: str
    max_units: int
    remaining_units: int
    parent: str
    root: str
    netted: bool
    activated_at: str
    acquired_at: str
    created_at: str
    epoch_at: str = ""
    epoch_used_units: int = 0
    finalization_ref: str = ""
    metadata: dict[str, Any] | None = None


class LifecycleError(Exception):
    """An event that takes a right where the table does not lead (TRUST G3)."""


class RightError(Exception):
    """An event about a right that no event has made, or one that takes more units than there are."""


Payload = Mapping[str, Any]


class RightStates:
    """Every right of one series; `apply` its events in order."""

    def __init__(self) -> None:
        self.rights: dict[str, RightState] = {}
        self._lineages: dict[str, list[str]] = {}
        self._window: Payload = {}  # the series' own
        self._terms: dict[str, Manifest] = {}  # by hash
        self._netted: dict[tuple[str, str, str], RightState] = {}  # by root, holder and activation: the one that absorbs
        self._steps: dict[str, Callable[[Payload, str], None]] = {
            types.ISSUED: self._issued,
            types.ACTIVATED: self._activated,
            types.SPLIT: self._split,
            types.MERGED: self._merged,
            types.TRANSFERRED: self._transferred,
            types.FROZEN: self._frozen,
            types.UNFROZEN: self._unfrozen,
            types.EXPIRED: self._expired,
            types.BURNED: lambda payload, at: self._ended(payload, "burned"),  # noqa: ARG005 - one shape for all steps
            types.BALANCE_CHANGED: self._balance_changed,
            types.FINALIZED: self._finalized,
            types.PARTIALLY_CONSUMED: self._consumed,
            types.FULLY_CONSUMED: self._used_up,
            types.AMENDED: self._amended,
            types.REPLACED: self._linked,
            types.REISSUED_FROM: self._linked,
            types.MIGRATED: self._linked,
        }

    def knows(self, event_type: str) -> bool:
        return event_type in self._steps

    def apply(self, event_type: str, payload: Payload, at: str) -> None:
        """Take one event in. Raises LifecycleError, RightError; KeyError or ValueError when the payload has another shape."""
        self._steps[event_type](payload, at)

    def named(self, public_id: str) -> RightState:
        """The right of a public id."""
        found = self.rights.get(public_id.removeprefix("rgt_"))
        if found is None:
            raise RightError(f"{public_id} was never made")
        return found

    def lineage(self, root: str) -> list[RightState]:
        """Every right of one root, itself included."""
        return [self.rights[right] for right in self._lineages.get(root, ())]

    def _make(self, right: RightState) -> None:
        self.rights[right.id] = right
        self._lineages.setdefault(right.root, []).append(right.id)

    def _issued(self, payload: Payload, at: str) -> None:
        right = payload["right"].removeprefix("rgt_")
        holder = payload["holder"].removeprefix("acc_")
        units = int(payload["units"])
        if right in self.rights:
            raise RightError(f"rgt_{right} was made before")
        self._window = payload["window"]
        self._terms[payload["terms_hash"]] = Manifest(payload["manifest"], "", payload["terms_hash"])
        made = RightState(
            id=right,
            series_id=int(payload["series"]),
            terms_hash=payload["terms_hash"],
            issuer=payload["issuer"],
            assurance=payload["assurance"].removeprefix("ast_"),
            holder=holder,
            controller=holder,
            status="issued",
            prior_status="",
            freeze_reason="",
            max_units=units,
            remaining_units=units,
            parent="",
            root=right,
            netted=False,
            activated_at="",
            acquired_at=at,
            created_at=at,
        )
        self._make(made)

    def _activated(self, payload: Payload, at: str) -> None:
        right = self.named(payload["right"])
        _become(right, "active")
        right.activated_at = at
        right.netted = False

    def _split(self, payload: Payload, at: str) -> None:
        parent = self.named(payload["parent"])
        units = int(payload["units"])
        usage = _lose(parent, units)
        child = payload["child"].removeprefix("rgt_")
        holder = payload["holder"].removeprefix("acc_")
        divided = holder == parent.holder  # among its holder's own hands: that does not shorten how long it has been held
        if child in self.rights:
            raise RightError(f"rgt_{child} was made before")
        made = RightState(
            id=child,
            series_id=parent.series_id,
            terms_hash=parent.terms_hash,
            issuer=parent.issuer,
            assurance=parent.assurance,
            holder=holder,
            controller=parent.controller if divided else holder,
            status=parent.status,
            prior_status="",
            freeze_reason="",
            max_units=units,
            remaining_units=units,
            parent=parent.id,
            root=parent.root,
            netted=False,
            activated_at=parent.activated_at,
            acquired_at=parent.acquired_at if divided else at,
            created_at=at,
        )
        _take_over(made, usage)
        self._make(made)
        self._net(made, netted=payload["netted"])

    def _net(self, right: RightState, *, netted: bool) -> None:
        """What a holder buys of a root joins one right, the latest that came to him to be it."""
        right.netted = netted
        if not netted:
            return
        place = (right.root, right.holder, right.activated_at)
        former = self._netted.get(place)
        if former is not None and former is not right and (former.root, former.holder, former.activated_at) == place:
            former.netted = False
        self._netted[place] = right

    def _merged(self, payload: Payload, at: str) -> None:
        source, target = self.named(payload["source"]), self.named(payload["target"])
        units = int(payload["units"])
        if source.activated_at != target.activated_at:
            raise RightError(f"rgt_{source.id} and rgt_{target.id} were not activated at the same moment")
        if self._over(source, at):
            raise RightError(f"the window of rgt_{source.id} had ended")
        _take_over(target, _lose(source, units))
        target.max_units += units
        target.remaining_units += units
        target.acquired_at = max(target.acquired_at, source.acquired_at) if source.holder == target.holder else at
        if payload["source_status"] != source.status:
            _become(source, payload["source_status"])
            source.netted = False

    def _over(self, right: RightState, at: str) -> bool:
        if self._window["mode"] != "rolling":
            return at >= str(self._window["end"])  # moments of one form, in the order of their texts
        activated_us = parse_us(right.activated_at) if right.activated_at else None
        window_end_us, period_s = parse_us(self._window["end"]), int(self._window["epoch_size_s"])
        return parse_us(at) >= ends_us(mode=self._window["mode"], window_end_us=window_end_us, period_s=period_s, activated_us=activated_us)

    def _transferred(self, payload: Payload, at: str) -> None:
        right = self.named(payload["right"])
        if right.holder != payload["from"].removeprefix("acc_") or right.remaining_units != int(payload["units"]):
            raise RightError(f"{payload['from']} does not hold {payload['units']} units of rgt_{right.id}")
        right.holder = right.controller = payload["to"].removeprefix("acc_")
        self._net(right, netted=payload.get("netted", False))
        right.acquired_at = at

    def _frozen(self, payload: Payload, at: str) -> None:  # noqa: ARG002 - one shape for all steps
        right = self.named(payload["right"])
        right.prior_status = right.status
        _become(right, "frozen")
        right.freeze_reason = payload["reason"]
        right.netted = False

    def _unfrozen(self, payload: Payload, at: str) -> None:  # noqa: ARG002
        right = self.named(payload["right"])
        _become(right, payload["status"])
        right.prior_status = right.freeze_reason = ""

    def _ended(self, payload: Payload, status: str) -> None:
        right = self.named(payload["right"])
        if int(payload["units"]) != right.remaining_units:
            raise RightError(f"rgt_{right.id} has {right.remaining_units} units, not {payload['units']}")
        if not right.status == status == "expired":  # unfrozen after its end it is expired already, and only gives up its units
            _become(right, status)
        right.remaining_units = 0
        right.netted = False
        right.freeze_reason = right.prior_status = ""

    def _expired(self, payload: Payload, at: str) -> None:  # noqa: ARG002
        self._ended(payload, "expired")
        if "policy" not in payload:  # before policies were followed everything burned, and nothing was said of it
            return
        right = self.named(payload["right"])
        policy, units, carried = payload["policy"], int(payload["units"]), int(payload["carried_units"])
        stated = self._terms[right.terms_hash].document["settlement_policy"]["expiry_policy"]
        whole = policy == BURN or carried == units
        if policy != stated or not 0 <= carried <= units or (policy == BURN and carried) or whole != (payload["why"] is None):
            raise RightError(f"rgt_{right.id} ended by {policy}, {carried} of {units} units carried over, against its terms: {stated}")

    def _finalized(self, payload: Payload, at: str) -> None:  # noqa: ARG002
        self._ended(payload, "finalized")
        self.named(payload["right"]).finalization_ref = payload["ref"]

    def _consumed(self, payload: Payload, at: str) -> None:
        right = self.named(payload["right"])
        units = int(payload["units"])
        # What was under lock before it froze, or before its window ended, is used all the same: a settlement says so.
        settled = payload["ref"].startswith(SETTLEMENT)
        if right.status not in (("active", "frozen") if settled else ("active",)) or not 0 < units <= right.remaining_units:
            raise RightError(f"{units} units of rgt_{right.id} were used, {right.remaining_units} remained, {right.status}")
        if at < self._window["start"] or (not settled and self._over(right, at)):
            raise RightError(f"rgt_{right.id} was used outside its window")
        before = _Usage(parse_us(right.epoch_at) if right.epoch_at else 0, right.epoch_used_units)
        told = _Usage(parse_us(payload["epoch_at"]) if payload["epoch_at"] else 0, int(payload["epoch_used_units"]))
        if not self._follows(right, before, told, units, parse_us(at), settled=settled):
            raise RightError(f"{units} units of rgt_{right.id} were used, more than its epoch allows or counted otherwise")
        right.remaining_units -= units
        right.epoch_at, right.epoch_used_units = payload["epoch_at"] or "", told.used_units

    def _follows(self, right: RightState, before: _Usage, told: _Usage, units: int, now_us: int, *, settled: bool) -> bool:
        """Whether the epoch's usage is what it was and `units` more; a settlement's count in the epoch in which they were locked."""
        manifest = self._terms[right.terms_hash]
        if not settled or epoch.epoch_of(manifest, now_us) == 0:
            return told == epoch.usage_after(
                manifest=manifest,
                max_units=right.max_units,
                epoch_us=before.epoch_us,
                used_units=before.used_units,
                units=units,
                now_us=now_us,
            )
        if told.epoch_us <= before.epoch_us:
            return told.epoch_us == before.epoch_us and told.used_units in (before.used_units, before.used_units + units)
        return told == _Usage(epoch.epoch_of(manifest, told.epoch_us), units) and told.epoch_us <= now_us

    def _used_up(self, payload: Payload, at: str) -> None:  # noqa: ARG002
        right = self.named(payload["right"])
        if right.remaining_units:
            raise RightError(f"rgt_{right.id} still has {right.remaining_units} units")
        _become(right, "fully_consumed")
        right.netted = False

    def _linked(self, payload: Payload, at: str) -> None:  # noqa: ARG002
        self.named(payload["right"])

    def _amended(self, payload: Payload, at: str) -> None:  # noqa: ARG002
        moved = payload["moved"]
        if payload["manifest"] is not None:
            self._terms[payload["terms_hash"]] = Manifest(payload["manifest"], "", payload["terms_hash"])
        if moved is not None and payload["right"].removeprefix("rgt_") not in self.rights:
            self._arrived(payload, moved)
            return
        right = self.named(payload["right"])
        if right.terms_hash != payload["former_terms"]:
            raise RightError(f"rgt_{right.id} was not under the terms that were amended")
        if moved is not None:
            del self.rights[right.id]
            self._lineages[right.root].remove(right.id)
            return
        right.terms_hash, right.metadata = payload["terms_hash"], payload["metadata"]
        if payload["assurance"] is not None:
            right.assurance = payload["assurance"].removeprefix("ast_")

    def _arrived(self, payload: Payload, moved: Payload) -> None:
        """A right whose new class or window is this stream's: all that is known of it comes with the event."""
        state, right = moved["state"], payload["right"].removeprefix("rgt_")
        self._window = moved["window"]
        self._make(
            RightState(
                id=right,
                series_id=int(moved["to"]),
                terms_hash=payload["terms_hash"],
                issuer=state["issuer"],
                assurance=state["assurance"].removeprefix("ast_"),
                holder=state["holder"].removeprefix("acc_"),
                controller=state["controller"].removeprefix("acc_"),
                status=state["status"],
                prior_status="",
                freeze_reason="",
                max_units=int(state["max_units"]),
                remaining_units=int(state["remaining_units"]),
                parent="",
                root=right,
                netted=False,
                activated_at=state["activated_at"],
                acquired_at=state["acquired_at"],
                created_at=state["created_at"],
                epoch_at=state["epoch_at"],
                epoch_used_units=int(state["epoch_used_units"]),
            )
        )

    def _balance_changed(self, payload: Payload, at: str) -> None:  # noqa: ARG002
        right = self.named(payload["right"])
        right.max_units = int(payload["max_units"])
        right.remaining_units = int(payload["remaining_units"])


def _become(right: RightState, status: str) -> None:
    if status not in {following.value for following in LIFECYCLE.get(right.status, ())}:  # type: ignore[call-overload]
        raise LifecycleError(f"rgt_{right.id} may not go from {right.status} to {status}")
    right.status = status


def _lose(right: RightState, units: int) -> tuple[str, int]:
    """What was used of the units in their epoch leaves with them."""
    if not 0 < units <= right.remaining_units:
        raise RightError(f"rgt_{right.id} has {right.remaining_units} units, {units} leave it")
    gone = 0
    if right.epoch_used_units:
        right.epoch_used_units, gone = epoch.divided(right.epoch_used_units, units=units, max_units=right.max_units)
    right.remaining_units -= units
    right.max_units -= units
    return right.epoch_at, gone


def _take_over(right: RightState, usage: tuple[str, int]) -> None:
    if usage[1]:
        right.epoch_at, right.epoch_used_units = epoch.together((right.epoch_at, right.epoch_used_units), usage)
