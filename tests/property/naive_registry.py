"""The registry's history read again by somebody who knows SPEC.md and the events, and none of the product's rules.

Written for being read, not for speed: one pass over all events in the order of their moments, every rule of SPEC §2 and §4 in a
plain sentence of Python. It takes nothing from `rights/domain`; where it and the product differ, one of them is wrong.
"""

import json
from datetime import datetime, timedelta
from typing import Any

from rights.models import Event

VENUE = "synthference"
# SPEC §2, the table of the life of a right.
MAY_BECOME = {
    "issued": {"active", "frozen", "expired", "burned"},
    "active": {"frozen", "expired", "fully_consumed", "finalized"},
    "frozen": {"issued", "active", "expired", "fully_consumed", "finalized", "burned"},
    "fully_consumed": {"finalized", "burned"},
    "expired": {"finalized", "burned"},
    "finalized": set(),
    "burned": set(),
}
Moment = datetime


def moment(text: str) -> Moment:
    return datetime.fromisoformat(text)


class NaiveRight:
    def __init__(self, **known: Any) -> None:
        self.__dict__.update(known)


class NaiveRegistry:
    """What the events say; `faults` are sentences about rules that they broke."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.rights: dict[str, Any] = {}
        self.issued: dict[str, int] = {}
        self.gone: dict[tuple[str, str], int] = {}  # (root, how) -> units
        self.accounts: dict[str, dict[str, str]] = {}
        self.suspended: set[str] = set()
        self.consents: dict[str, dict[str, Any]] = {}
        self.facts: dict[tuple[str, str], dict[str, Any]] = {}
        self.delegations: dict[str, dict[str, Any]] = {}
        self.moves = 0

    def read(self) -> "NaiveRegistry":
        rows = Event.objects.order_by("at", "stream_id", "seq").values_list("body", flat=True)
        for text in rows:
            body = json.loads(text)
            act = getattr(self, "on_" + body["type"].replace(".", "_"), None)
            if act is not None:
                act(body["payload"], moment(body["at"]), body["object"]["id"])
        for right_id, right in self.rights.items():
            if not 0 <= right.remaining <= right.max:
                self.faults.append(f"{right_id} has {right.remaining} of {right.max} units")
        self.conserve()
        return self

    # who is there

    def on_account_opened(self, told: dict[str, Any], at: Moment, account: str) -> None:
        self.accounts[account] = {"type": told["holder_type"], "place": told["jurisdiction"], "owner": told["participant"]}

    def on_participant_suspended(self, told: dict[str, Any], at: Moment, slug: str) -> None:
        self.suspended.add(slug)

    def on_participant_reinstated(self, told: dict[str, Any], at: Moment, slug: str) -> None:
        self.suspended.discard(slug)

    def on_holder_attested(self, told: dict[str, Any], at: Moment, account: str) -> None:
        self.facts[account, told["kind"]] = {"value": told["value"], "until": told["expires_at"] and moment(told["expires_at"])}

    def on_holder_attestation_revoked(self, told: dict[str, Any], at: Moment, account: str) -> None:
        del self.facts[account, told["kind"]]

    def on_consent_granted(self, told: dict[str, Any], at: Moment, consent: str) -> None:
        self.consents[consent] = {**told, "until": told["expires_at"] and moment(told["expires_at"])}

    def on_consent_revoked(self, told: dict[str, Any], at: Moment, consent: str) -> None:
        self.consents.pop(consent, None)

    def on_consent_used(self, told: dict[str, Any], at: Moment, consent: str) -> None:
        # The move it was used by is of the same moment and may stand in a stream that is read after this one.
        self.consents[consent]["until"] = at + timedelta(microseconds=1)

    # the life of rights

    def on_right_issued(self, told: dict[str, Any], at: Moment, _: str) -> None:
        units = int(told["units"])
        self.rights[told["right"]] = NaiveRight(
            id=told["right"],
            root=told["right"],
            issuer=told["issuer"],
            terms=told["terms_hash"],
            policy=told["manifest"]["transfer_policy"],
            end=moment(told["manifest"]["window"]["end"]),
            start=moment(told["manifest"]["window"]["start"]),
            holder=told["holder"],
            status="issued",
            before="",
            max=units,
            remaining=units,
            since=at,
        )
        self.issued[told["right"]] = units

    def become(self, right: Any, status: str) -> None:
        if status not in MAY_BECOME[right.status]:
            self.faults.append(f"{right.id} went from {right.status} to {status}")
        right.status = status

    def on_right_activated(self, told: dict[str, Any], at: Moment, _: str) -> None:
        self.become(self.rights[told["right"]], "active")

    def on_right_frozen(self, told: dict[str, Any], at: Moment, _: str) -> None:
        right = self.rights[told["right"]]
        right.before = right.status
        self.become(right, "frozen")

    def on_right_unfrozen(self, told: dict[str, Any], at: Moment, _: str) -> None:
        right = self.rights[told["right"]]
        if told["status"] not in (right.before, "expired", "fully_consumed"):
            self.faults.append(f"{right.id} was {right.before} and thawed to {told['status']}")
        if told["status"] == "expired" and at < right.end:
            self.faults.append(f"{right.id} expired before its window ended")
        self.become(right, told["status"])

    def leave(self, told: dict[str, Any], status: str, how: str) -> None:
        right = self.rights[told["right"]]
        if right.status != "expired" or status != "expired":
            self.become(right, status)
        if int(told["units"]) != right.remaining:
            self.faults.append(f"{right.id} had {right.remaining} units, {told['units']} were said to end")
        self.end_units(right, right.remaining, how)

    def end_units(self, right: Any, units: int, how: str) -> None:
        right.remaining -= units
        self.gone[right.root, how] = self.gone.get((right.root, how), 0) + units

    def on_right_expired(self, told: dict[str, Any], at: Moment, _: str) -> None:
        if at < self.rights[told["right"]].end:
            self.faults.append(f"{told['right']} expired before its window ended")
        self.leave(told, "expired", "expired")

    def on_right_burned(self, told: dict[str, Any], at: Moment, _: str) -> None:
        self.leave(told, "burned", "burned")

    def on_right_finalized(self, told: dict[str, Any], at: Moment, _: str) -> None:
        self.leave(told, "finalized", "burned")

    def on_right_partially_consumed(self, told: dict[str, Any], at: Moment, _: str) -> None:
        right = self.rights[told["right"]]
        if right.status != "active" or not right.start <= at < right.end:
            self.faults.append(f"{right.id} was used while {right.status}, at {at}")
        self.end_units(right, int(told["units"]), "consumed")

    def on_right_fully_consumed(self, told: dict[str, Any], at: Moment, _: str) -> None:
        right = self.rights[told["right"]]
        if right.remaining:
            self.faults.append(f"{right.id} is used up with {right.remaining} units left")
        self.become(right, "fully_consumed")

    def on_right_split(self, told: dict[str, Any], at: Moment, _: str) -> None:
        parent, units = self.rights[told["parent"]], int(told["units"])
        elsewhere = told["holder"] != parent.holder
        if elsewhere:
            self.judge(parent, told["holder"], units, at)
        elif parent.status not in ("issued", "active") or not parent.policy["splittable"] or not 0 < units < parent.remaining:
            self.faults.append(f"{parent.id} was divided while {parent.status}: {units} of {parent.remaining} units")
        parent.max -= units
        parent.remaining -= units
        child = NaiveRight(**parent.__dict__)
        child.id, child.holder, child.max, child.remaining = told["child"], told["holder"], units, units
        child.since = at if elsewhere else parent.since
        self.rights[told["child"]] = child

    def on_right_merged(self, told: dict[str, Any], at: Moment, _: str) -> None:
        source, target, units = self.rights[told["source"]], self.rights[told["target"]], int(told["units"])
        if source.root != target.root or target.status != source.status:
            self.faults.append(f"{source.id} was merged into {target.id}, which is {target.status}")
        if source.holder == target.holder:
            self.become(source, told["source_status"])
            target.since = max(source.since, target.since)
        else:
            self.judge(source, target.holder, units, at)
            target.since = at
        source.max -= units
        source.remaining -= units
        target.max += units
        target.remaining += units

    def on_right_transferred(self, told: dict[str, Any], at: Moment, _: str) -> None:
        right = self.rights[told["right"]]
        if (right.holder, right.remaining) != (told["from"], int(told["units"])):
            self.faults.append(f"{right.id} was given by {told['from']}, who does not hold it so")
        self.judge(right, told["to"], right.remaining, at)
        right.holder, right.since = told["to"], at

    # SPEC §4

    def judge(self, right: Any, taker: str, units: int, at: Moment) -> None:
        """Every gate, for a move that has happened."""
        self.moves += 1
        policy = right.policy
        for shut, words in (*self.of_right(right, units, at), *self.of_taker(right, taker, units, at)):
            if shut:
                self.faults.append(f"{units} units of {right.id} went to {taker} at {at}: {words} ({policy})")

    def of_right(self, right: Any, units: int, at: Moment) -> list[tuple[bool, str]]:
        policy = right.policy
        lockup = policy["lockup_until"]
        allowed = policy["venue_allow"]
        return [
            (right.status not in ("active", "issued"), f"status {right.status}"),
            (right.status == "issued" and not policy["pre_activation_transfer"], "not active"),
            (at >= right.end, "its window had ended"),
            (not policy["transferable"], "not transferable"),
            (not 0 < units <= right.remaining, f"only {right.remaining} remained"),
            (not policy["splittable"] and units != right.remaining, "not splittable"),
            (units < int(policy["min_transfer_units"]), "too few at once"),
            (lockup is not None and at < moment(lockup), "locked up"),
            (at < right.since + timedelta(seconds=policy["min_hold_seconds"]), "not held long enough"),
            (at >= right.end - timedelta(seconds=policy["transfer_cutoff_seconds"]), "after the cut-off"),
            (VENUE in policy["venue_deny"] or (allowed not in (None, "any") and VENUE not in allowed), "not at this venue"),
            (self.accounts[right.holder]["owner"] in self.suspended, "the giver was suspended"),
        ]

    def of_taker(self, right: Any, taker: str, units: int, at: Moment) -> list[tuple[bool, str]]:
        policy, who = right.policy, self.accounts[taker]
        types, places = policy["eligible_holder_types"], policy["eligible_jurisdictions"]
        held: dict[str, int] = {}
        for other in self.rights.values():
            if other.root == right.root:
                held[other.holder] = held.get(other.holder, 0) + other.remaining
        held[right.holder] -= units
        held[taker] = held.get(taker, 0) + units
        holders = sum(units > 0 for units in held.values())
        most_holders, most_units = policy["max_holders"], policy["max_units_per_holder"]
        return [
            (who["owner"] in self.suspended, "the taker was suspended"),
            (types not in (None, "any") and who["type"] not in types, f"a {who['type']}"),
            (places not in (None, "any") and self.place_of(taker, at) not in places, f"from {self.place_of(taker, at)}"),
            (taker in policy["denied_holders"], "denied"),
            (any(not self.attested(taker, kind, at) for kind in policy["required_attestations"]), "an attestation was missing"),
            (most_holders is not None and holders > most_holders, f"{holders} holders"),
            (most_units is not None and held[taker] > int(most_units), f"{held[taker]} units in one hand"),
            (policy["requires_issuer_consent"] and not self.permitted("consent", right, taker, units, at), "no consent"),
            (
                policy["requires_registry_acknowledgment"] and not self.permitted("acknowledgment", right, taker, units, at),
                "unacknowledged",
            ),
        ]

    def attested(self, account: str, kind: str, at: Moment) -> bool:
        fact = self.facts.get((account, kind))
        return fact is not None and (fact["until"] is None or at < fact["until"])

    def place_of(self, account: str, at: Moment) -> str:
        """What was attested, and unknown once that has run out; what was declared where nothing was attested."""
        fact = self.facts.get((account, "jurisdiction"))
        if fact is None:
            return self.accounts[account]["place"]
        return fact["value"] if self.attested(account, "jurisdiction", at) else ""

    def permitted(self, kind: str, right: Any, taker: str, units: int, at: Moment) -> bool:
        for told in self.consents.values():
            live = told["kind"] == kind and told["issuer"] == right.issuer and (told["until"] is None or at < told["until"])
            if not live or told["taker"] not in (None, taker):
                continue
            if told["scope"] == "transfer":
                covered = told["right"] == right.id and units <= int(told["units"])
            else:
                covered = (
                    (told["root"] is None and not told["terms_hash"]) or told["root"] == right.root or told["terms_hash"] == right.terms
                )
            if covered:
                return True
        return False

    # SPEC §6: a delegation is use within bounds, by those whose right it is

    def on_delegation_created(self, told: dict[str, Any], at: Moment, delegation: str) -> None:
        self.delegations[delegation] = {**told, "used": 0, "passed": 0, "ended": False}
        if told["parent"]:
            parent = self.delegations[told["parent"]]
            parent["passed"] += int(told["max_units"])
            if parent["ended"] or parent["used"] + parent["passed"] > int(parent["max_units"]) or not parent["subdelegation_allowed"]:
                self.faults.append(f"{delegation} passes on more than {told['parent']} allows")

    def on_delegation_used(self, told: dict[str, Any], at: Moment, delegation: str) -> None:
        row = self.delegations[delegation]
        row["used"] += int(told["units"])
        if (
            row["ended"]
            or row["used"] + row["passed"] > int(row["max_units"])
            or not moment(row["valid_from"]) <= at < moment(row["valid_until"])
        ):
            self.faults.append(f"{delegation} was used beyond its bounds at {at}")
        source = row
        while source["parent"]:
            source = self.delegations[source["parent"]]
        if self.rights[told["right"]].holder != source["delegator"]:
            self.faults.append(f"{delegation} was used on a right in other hands")

    def on_delegation_revoked(self, told: dict[str, Any], at: Moment, delegation: str) -> None:
        row = self.delegations[delegation]
        row["ended"] = True
        if row["parent"]:
            self.delegations[row["parent"]]["passed"] -= int(told["returned_units"])

    on_delegation_expired = on_delegation_revoked

    def conserve(self) -> None:
        """What was issued of each lineage is held, or used, expired or burned."""
        for root, units in self.issued.items():
            there = sum(right.remaining for right in self.rights.values() if right.root == root)
            gone = sum(self.gone.get((root, how), 0) for how in ("consumed", "expired", "burned"))
            if there + gone != units:
                self.faults.append(f"{root}: {units} issued, {there} held, {gone} gone")
