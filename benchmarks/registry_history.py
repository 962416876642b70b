"""The histories a registry bench is filled with: roots that were issued, sold on, moved, frozen and ran out, from a seed.

Pure. Every right is what its events make of it, and every event has the payload that the services write. What is left out: money, orders and
trades (a fill shows in the registry as `right.split`, `right.merged` or `right.transferred`), units in the ledger, consents, packages.
"""

import random
from collections.abc import Iterator
from typing import Any

import msgspec

from rights.domain import right_events as facts
from rights.kernel.ids import numbered

LARGE_FAMILY = 1000  # children of one root in a thousand; the others have about eight
CHILDREN = 8
SLICE = 1000  # units of every sale
_OWNER = 1 << 20  # so that ids made here are nobody else's


class Frame(msgspec.Struct, frozen=True):
    """A series and what its rights have in common. `holders` are account uuids by account id, popular ones first."""

    series_id: int
    class_key: str
    fingerprint: str
    unit: str
    window_start: str
    window_end: str
    terms_hash: str
    manifest: dict[str, Any]
    issuer: str
    issuer_id: int
    assurance: str
    assurance_id: int
    begins_us: int
    ends_us: int
    step_us: int
    is_over: bool


class Row(msgspec.Struct):
    """A right as its events leave it; `holder` is an account's id."""

    id: str
    root: str
    parent: str | None
    holder: int
    units: int
    made_us: int
    since_us: int
    status: str
    activated_us: int | None = None
    netted: bool = False
    prior_status: str = ""
    freeze_reason: str = ""
    max_units: int = 0


Fact = tuple[int, str, str, facts.Payload]  # moment, type, right, payload


class Histories:
    """Root after root of one series; `facts` in the order of the series' stream."""

    def __init__(self, frame: Frame, holders: dict[int, str], chance: random.Random) -> None:
        self._frame, self._holders, self._chance = frame, holders, chance
        self._accounts = list(holders)
        self._now_us = frame.begins_us
        self._count = 0
        self.facts: list[Fact] = []

    def family(self, *, rights: int, events: int) -> list[Row]:
        """A root and what became of it: `rights` rights in all, about `events` events."""
        root = self._issue((rights + events) * SLICE)
        if rights == 1 and self._chance.random() < 0.5:
            return [root]  # not active yet
        self._activate(root)
        family = [root]
        growing: dict[int, Row] = {}  # by holder
        while len(family) < rights:
            holder = self._somebody()
            if holder not in growing and holder != root.holder:
                child = self._split(self._seller(family), holder)
                growing[holder] = child
                family.append(child)
            elif len(growing) > len(self._accounts) // 2:  # a small bench has few hands: the holder divides what he has
                family.append(self._split(self._seller(family), None))
        for _ in range(4 * events):
            if len(self.facts) - self._mark >= events - 1 or not growing:
                break
            self._sell_on(family, growing)
        if not self._frame.is_over:
            self._freeze_some(family)
        return family

    def close(self, families: list[Row]) -> None:
        """The window ends: what is left of every right expires."""
        self._now_us = max(self._now_us, self._frame.ends_us)
        for row in families:
            at = self._tick()
            fact = facts.expired(right=row.id, units=row.units, policy="burn", carried_units=0, why=None)
            self.facts.append((at, facts.EXPIRED, row.id, fact))
            row.status, row.units, row.netted = "expired", 0, False

    def _issue(self, units: int) -> Row:
        self._mark = len(self.facts)
        at = self._tick()
        holder = self._somebody()
        row = Row(self._id(at), "", None, holder, units, at, at, "issued", max_units=units)
        row.root = row.id
        frame = self._frame
        payload = facts.issued(
            right=row.id,
            series_id=frame.series_id,
            class_key=frame.class_key,
            class_fingerprint=frame.fingerprint,
            window_start=frame.window_start,
            window_end=frame.window_end,
            window_mode="fixed",
            epoch_size_s=0,
            unit=frame.unit,
            terms_hash=frame.terms_hash,
            issuer=frame.issuer,
            assurance=frame.assurance,
            holder=self._holders[holder],
            units=units,
            manifest=frame.manifest,
        )
        self.facts.append((at, facts.ISSUED, row.id, payload))
        return row

    def _activate(self, row: Row) -> None:
        at = self._tick()
        row.status, row.activated_us = "active", at
        self.facts.append((at, facts.ACTIVATED, row.id, facts.activated(right=row.id)))

    def _split(self, parent: Row, buyer: int | None) -> Row:
        """A sale to `buyer`, or the parent's own division."""
        at = self._tick()
        holder = parent.holder if buyer is None else buyer
        since = parent.since_us if buyer is None else at
        made = Row(self._id(at), parent.root, parent.id, holder, SLICE, at, since, "active", parent.activated_us, buyer is not None)
        made.max_units = SLICE
        parent.units -= SLICE
        parent.max_units -= SLICE
        fact = facts.split(parent=parent.id, child=made.id, units=SLICE, to_account=self._holders[holder], netted=made.netted)
        self.facts.append((at, facts.SPLIT, parent.id, fact))
        return made

    def _sell_on(self, family: list[Row], growing: dict[int, Row]) -> None:
        """To somebody who has of it already; or, now and then, all of a right to somebody new."""
        at = self._tick()
        seller = self._seller(family)
        if seller is not family[0] and self._chance.random() < 0.05:
            holder = self._somebody()
            if holder not in growing and holder != family[0].holder:
                if growing.get(seller.holder) is seller:
                    del growing[seller.holder]
                giver, seller.holder, seller.since_us, seller.netted = seller.holder, holder, at, True
                growing[holder] = seller
                fact = facts.transferred(
                    right=seller.id, giver=self._holders[giver], taker=self._holders[holder], units=seller.units, netted=True
                )
                self.facts.append((at, facts.TRANSFERRED, seller.id, fact))
                return
        target = growing[self._chance.choice(list(growing))] if len(growing) < 64 else family[self._chance.randrange(1, len(family))]
        if target is seller or target.holder == seller.holder or not target.netted:
            seller = family[0]
            if target.holder == seller.holder or not target.netted:
                return
        for row, units in ((seller, -SLICE), (target, SLICE)):
            row.units += units
            row.max_units += units
        target.since_us = at
        fact = facts.merged(source=seller.id, target=target.id, units=SLICE, source_status="active")
        self.facts.append((at, facts.MERGED, target.id, fact))

    def _freeze_some(self, family: list[Row]) -> None:
        for row in family:
            if self._chance.random() < 0.02:
                at = self._tick()
                fact = facts.frozen(right=row.id, reason="compliance", prior_status="active", note="bench")
                self.facts.append((at, facts.FROZEN, row.id, fact))
                row.status, row.prior_status, row.freeze_reason, row.netted = "frozen", "active", "compliance", False

    def _seller(self, family: list[Row]) -> Row:
        """Mostly the root; now and then whoever has enough to sell on."""
        other = family[self._chance.randrange(len(family))]
        return other if other.units > SLICE and self._chance.random() < 0.3 else family[0]

    def _somebody(self) -> int:
        """A holder; some are far more busy than others."""
        place = int(len(self._accounts) * self._chance.random() ** 3)
        return self._accounts[place]

    def _tick(self) -> int:
        self._now_us += self._chance.randrange(1, self._frame.step_us)
        return self._now_us

    def _id(self, at: int) -> str:
        self._count += 1
        return numbered(at, _OWNER + self._frame.series_id, self._count)


def plan(chance: random.Random, *, rights: int, events: int) -> Iterator[tuple[int, int]]:
    """(rights, events) of family after family that come to about so many rights and events."""
    per_right = events / max(rights, 1)
    left = rights
    while left > 0:
        size = LARGE_FAMILY if chance.random() < 0.001 else chance.randrange(1, 2 * CHILDREN + 2)
        size = min(size, left)
        left -= size
        yield size, round(size * per_right)
