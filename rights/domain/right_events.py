"""The payloads of a right's events (docs/events.md). Both writers, registry and delivery, build them here.

Arguments are bare UUID texts and whole units; payloads carry public ids and amounts as strings. The event's own
`at` is the moment of the fact, so no payload repeats it. Replaying the payloads alone rebuilds every right except
`reserved_units`, which follows from open orders.
"""

from typing import Final

Payload = dict[str, object]

ISSUED: Final = "right.issued"
ACTIVATED: Final = "right.activated"
SPLIT: Final = "right.split"
MERGED: Final = "right.merged"
TRANSFERRED: Final = "right.transferred"
FROZEN: Final = "right.frozen"
UNFROZEN: Final = "right.unfrozen"
EXPIRED: Final = "right.expired"
BURNED: Final = "right.burned"
FINALIZED: Final = "right.finalized"
PARTIALLY_CONSUMED: Final = "right.partially_consumed"
FULLY_CONSUMED: Final = "right.fully_consumed"
AMENDED: Final = "right.amended"
REPLACED: Final = "right.replaced"
REISSUED_FROM: Final = "right.reissued_from"
MIGRATED: Final = "right.migrated"
BALANCE_CHANGED: Final = "right.balance_changed"

# Which member names the other right that an event concerns, where there is one.
_OTHER: Final = {SPLIT: "child", MERGED: "source"}


def refs(kind: str, payload: Payload) -> dict[str, str]:
    """The event's references: the other right, by which its own timeline finds the event."""
    return {"right": str(payload[_OTHER[kind]])} if kind in _OTHER else {}


def issued(
    *,
    right: str,
    series_id: int,
    class_key: str,
    class_fingerprint: str,
    window_start: str,
    window_end: str,
    window_mode: str,
    epoch_size_s: int,
    unit: str,
    terms_hash: str,
    issuer: str,
    assurance: str,
    holder: str,
    units: int,
    manifest: dict[str, object],
) -> Payload:
    """A new root right of `units` whole units, status `issued`. `issuer` is a slug, the window RFC 3339.

    `manifest` is the canonical document; its SHA-256 is `terms_hash`, so the terms too are remembered.
    """
    return {
        "assurance": f"ast_{assurance}",
        "class": {"fingerprint": class_fingerprint, "key": class_key},
        "holder": f"acc_{holder}",
        "issuer": issuer,
        "manifest": manifest,
        "right": f"rgt_{right}",
        "series": str(series_id),
        "terms_hash": terms_hash,
        "unit": unit,
        "units": str(units),
        "window": {"end": window_end, "epoch_size_s": epoch_size_s, "mode": window_mode, "start": window_start},
    }


def activated(*, right: str) -> Payload:
    """`issued` → `active`."""
    return {"right": f"rgt_{right}"}


def split(*, parent: str, child: str, units: int, to_account: str, netted: bool) -> Payload:
    """`units` leave the parent's max and remaining and become the child's, with what was used of them in the running epoch.

    The child belongs to `to_account`. A delivery splits straight into the buyer's hands (`netted`: later deliveries of the same root join the child); it is the
    change of holder too, and no `right.transferred` follows. A child that stays in the parent's hands keeps its
    controller and the moment since which it has been held; otherwise both begin with the event.
    """
    return {"child": f"rgt_{child}", "holder": f"acc_{to_account}", "netted": netted, "parent": f"rgt_{parent}", "units": str(units)}


def merged(*, source: str, target: str, units: int, source_status: str) -> Payload:
    """`units` leave the source's max and remaining and join the target's, with what was used of them in the running epoch.

    Two siblings of one holder: the source ends `finalized`, the target is held since the later of both. Or a
    delivery: the source sells to the holder of a netted right (target) of the same root, stays what it is even when
    nothing is left in it, and the target is held since the event.
    """
    return {"source": f"rgt_{source}", "source_status": source_status, "target": f"rgt_{target}", "units": str(units)}


def transferred(*, right: str, giver: str, taker: str, units: int, netted: bool) -> Payload:
    """The whole right changes hands (holder and controller); `units` is what remained in it. `netted`: as in `split`."""
    return {"from": f"acc_{giver}", "netted": netted, "right": f"rgt_{right}", "to": f"acc_{taker}", "units": str(units)}


def frozen(*, right: str, reason: str, prior_status: str, note: str) -> Payload:
    """`reason` is a freeze reason (SPEC §2), `note` the operator's words. A netted right takes in no later deliveries from here on."""
    return {"note": note, "prior_status": prior_status, "reason": reason, "right": f"rgt_{right}"}


def unfrozen(*, right: str, status: str, note: str, approved_by: str | None = None) -> Payload:
    """Back to `status`: what it was, or what has come true meanwhile. `approved_by`: the second person, where it took two."""
    return {"approved_by": approved_by, "note": note, "right": f"rgt_{right}", "status": status}


def expired(*, right: str, units: int, policy: str, carried_units: int, why: str | None) -> Payload:
    """The window ended; `units` remained unused and left the holder: remaining is zero afterwards.

    By the expiry policy of its terms `carried_units` of them became another right, which `right.replaced` names; `why` the others did not,
    where the policy would have had them.
    """
    return {"carried_units": str(carried_units), "policy": policy, "right": f"rgt_{right}", "units": str(units), "why": why}


def burned(*, right: str, units: int, reason: str, approved_by: str | None = None) -> Payload:
    """Taken out of existence by decision, and why; remaining is zero afterwards. `approved_by`: the second person, where it took two."""
    return {"approved_by": approved_by, "reason": reason, "right": f"rgt_{right}", "units": str(units)}


def balance_changed(*, right: str, max_units: int, remaining_units: int) -> Payload:
    """Absolute amounts after a correction that no other type describes."""
    return {"max_units": str(max_units), "remaining_units": str(remaining_units), "right": f"rgt_{right}"}


def finalized(*, right: str, units: int, ref: str, reason: str, approved_by: str | None = None) -> Payload:
    """Closed for good, and why; `units` remained and were burned, `ref` is what it was settled by, if anything. `approved_by`: as in `burned`."""
    return {"approved_by": approved_by, "reason": reason, "ref": ref, "right": f"rgt_{right}", "units": str(units)}


def partially_consumed(*, right: str, units: int, epoch_at: str | None, epoch_used_units: int, ref: str) -> Payload:
    """`units` were used and left the holder; in the epoch that began at `epoch_at` it has used `epoch_used_units` by now."""
    return {"epoch_at": epoch_at, "epoch_used_units": str(epoch_used_units), "ref": ref, "right": f"rgt_{right}", "units": str(units)}


def fully_consumed(*, right: str) -> Payload:
    """Nothing remains after the consumption before this event."""
    return {"right": f"rgt_{right}"}


def amended(
    *,
    right: str,
    amendment: str,
    reason: str,
    former_terms: str,
    terms_hash: str,
    manifest: dict[str, object] | None,
    metadata: dict[str, object] | None,
    assurance: str | None,
    moved: dict[str, object] | None,
    approved_by: str | None = None,
) -> Payload:
    """New terms (`manifest` under `terms_hash`, backed by `assurance`) or new `metadata`. `moved`: the class and window the right has now, where they changed.

    Where they did, the event stands in the stream it left and, with the whole right in `moved.state`, in the one it came to. `approved_by`: the second person,
    where a holder was reassigned.
    """
    return {
        "amendment": amendment,
        "approved_by": approved_by,
        "assurance": assurance and f"ast_{assurance}",
        "former_terms": former_terms,
        "manifest": manifest,
        "metadata": metadata,
        "moved": moved,
        "reason": reason,
        "right": f"rgt_{right}",
        "terms_hash": terms_hash,
    }


def replaced(*, right: str, by: str, units: int, kind: str, reason: str) -> Payload:
    """Another right stands for it: `kind` is `replaced`, `reissued`, `migrated` or `rolled`; `units` went over."""
    return {"by": f"rgt_{by}", "kind": kind, "reason": reason, "right": f"rgt_{right}", "units": str(units)}


def reissued_from(*, right: str, former: str, units: int, kind: str, reason: str) -> Payload:
    """The other end of the link: this right stands for `former`."""
    return {"former": f"rgt_{former}", "kind": kind, "reason": reason, "right": f"rgt_{right}", "units": str(units)}


def migrated(*, right: str, former: str, units: int, kind: str, reason: str) -> Payload:
    """As `reissued_from`, for a right that came over from other terms of the same capacity."""
    return reissued_from(right=right, former=former, units=units, kind=kind, reason=reason)
