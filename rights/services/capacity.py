"""What a capability can deliver in a window, as its supplier posts it (SPEC §7). Posting less takes pledges back, never rights."""

from collections.abc import Iterable

import msgspec
from django.db import transaction

from rights.domain import supply_events
from rights.domain.issuance import Refusal
from rights.kernel import rows
from rights.kernel.clock import rfc3339, to_datetime
from rights.kernel.ids import public
from rights.models import Capability, Issuer, PostedCapacity, Supplier
from rights.services.drift import take_back_pledges
from rights.services.journal import NewEvent
from rights.services.refusals import SupplyRefusedError
from rights.services.registry import remember_all

MOST_UNITS = 2**62
MOST_ISSUERS = 50
POSTED = "posted"

_US = "(extract(epoch from {}) * 1000000)::bigint"
_TO_COME = f"""
SELECT p.id, c.uuid::text, {_US.format("p.window_start")}, {_US.format("p.window_end")}, p.issuers, p.revision + 1
FROM rights_postedcapacity p JOIN rights_capability c ON c.id = p.capability_id
WHERE c.id = ANY(%s) AND p.window_end > %s AND p.units > 0 ORDER BY p.id FOR NO KEY UPDATE OF p
"""
_WITHDRAW = "UPDATE rights_postedcapacity SET units = 0, revision = revision + 1, posted_at = %s WHERE id = ANY(%s)"


class Posting(msgspec.Struct, frozen=True):
    """Whole units in a window; `issuers` (slugs) may pledge it beside the supplier's own."""

    window_start_us: int
    window_end_us: int
    units: int
    issuers: tuple[str, ...] = ()


def posting_refusals(posting: Posting, *, now_us: int) -> list[Refusal]:
    """Everything wrong with a posting by itself; empty when it can be taken."""
    known = set(Issuer.objects.filter(slug__in=posting.issuers).values_list("slug", flat=True))
    checks = [
        (posting.window_end_us > posting.window_start_us, "window.end", "the window ends after it starts"),
        (posting.window_end_us > now_us, "window.end", "the window has not ended yet"),
        (0 <= posting.units <= MOST_UNITS, "units", f"posted units are 0 to {MOST_UNITS}"),
        (len(posting.issuers) <= MOST_ISSUERS, "issuers", f"at most {MOST_ISSUERS} issuers"),
        *((slug in known, f"issuers.{place}", f"there is no issuer {slug}") for place, slug in enumerate(posting.issuers)),
    ]
    return [Refusal("capacity_posting", words, field) for holds, field, words in checks if not holds]


@transaction.atomic
def post_capacity(*, capability_id: str, posting: Posting, actor: str, now_us: int) -> PostedCapacity:
    """What the capability (its UUID) can deliver in the window from now on, in the place of what was posted for it before.

    Less than is pledged takes the pledges back by their shares, and what they backed drifts. Raises SupplyRefusedError
    `capacity_posting`, `source_retired`, `supplier_suspended`.
    """
    refusals = posting_refusals(posting, now_us=now_us)
    capability = Capability.objects.get(uuid=capability_id)
    supplier = Supplier.objects.select_for_update(no_key=True).get(pk=capability.supplier_id)
    capability.refresh_from_db()
    if supplier.status != "active":
        refusals.append(Refusal("supplier_suspended", f"supplier {supplier.slug} is suspended"))
    if capability.retired_at is not None:
        refusals.append(Refusal("source_retired", "the capability is retired"))
    if refusals:
        raise SupplyRefusedError(refusals)
    issuers = sorted(set(posting.issuers))
    window = {"window_start": to_datetime(posting.window_start_us), "window_end": to_datetime(posting.window_end_us)}
    row = PostedCapacity.objects.select_for_update(no_key=True).filter(capability=capability, **window).first()
    drifted: list[NewEvent] = []
    if row is None:
        row = PostedCapacity(capability=capability, revision=0, **window)
    elif posting.units < row.pledged_units:
        drifted = take_back_pledges(posted={row.pk: posting.units}, cause=public("cap", capability_id), now_us=now_us)
    row.units, row.issuers, row.revision, row.posted_at = posting.units, issuers, row.revision + 1, to_datetime(now_us)
    row.save(update_fields=None if row.pk is None else ["units", "issuers", "revision", "posted_at"])
    fact = supply_events.capacity_posted(
        window_start=rfc3339(posting.window_start_us),
        window_end=rfc3339(posting.window_end_us),
        units=posting.units,
        issuers=issuers,
        revision=row.revision,
        reason=POSTED,
    )
    event = NewEvent(supply_events.CAPACITY_POSTED, "capability", public("cap", capability_id), fact)
    remember_all([event, *drifted], actor=actor, now_us=now_us)
    row.refresh_from_db()
    return row


def withdraw(*, supplier: Supplier, reason: str, now_us: int, only: Iterable[int] | None = None) -> list[NewEvent]:
    """Take back everything posted for windows to come, of the supplier's capabilities (`only` these ids); the facts to remember.

    The caller holds the supplier's lock, and appends.
    """
    capabilities = supplier.capabilities.values_list("pk", flat=True) if only is None else only
    found = rows.fetch_all(_TO_COME, [sorted(capabilities), rfc3339(now_us)])
    if not found:
        return []
    events = []
    by_capability: dict[str, dict[int, int]] = {}
    for capacity_id, uuid, start_us, end_us, issuers, revision in found:
        by_capability.setdefault(uuid, {})[capacity_id] = 0
        fact = supply_events.capacity_posted(
            window_start=rfc3339(start_us), window_end=rfc3339(end_us), units=0, issuers=issuers, revision=revision, reason=reason
        )
        events.append(NewEvent(supply_events.CAPACITY_POSTED, "capability", public("cap", uuid), fact))
    for uuid, posted in sorted(by_capability.items()):
        events += take_back_pledges(posted=posted, cause=public("cap", uuid), now_us=now_us)
    rows.execute(_WITHDRAW, [rfc3339(now_us), [row[0] for row in found]])
    return events
