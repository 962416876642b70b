"""Post proven capacity (SPEC §7): what rights may be issued against."""

import re

import msgspec
from django.db import transaction

from rights.domain import supply_events
from rights.domain.assurance import MODES, PLANS, Stand, stand_refusals
from rights.domain.issuance import Refusal, path_refusals
from rights.domain.reason import stated_reason
from rights.kernel.clock import rfc3339, to_datetime
from rights.kernel.ids import public
from rights.models import Assurance, ComputeClass, Issuer
from rights.selectors.supply import sources_of
from rights.services.journal import NewEvent
from rights.services.pledges import Source, find_capacity, lock_capacity, pledges_of, write_pledges
from rights.services.refusals import IssuanceRefusedError
from rights.services.registry import remember_all

MOST_UNITS = 2**62
MOST_SECONDS = 366 * 86_400
# As manifests name it (rights/domain/schema/manifest.v0.json).
REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_:+=/.-]{0,199}", re.ASCII)


class Capacity(msgspec.Struct, frozen=True):
    """What is posted. Units whole; overbooking needs a justification, and a plan for the day it fails.

    Without `sources` an operator answers for it, having looked himself; with them, posted capacity that comes to the gross is pledged.
    """

    mode: str
    reference: str
    window_start_us: int
    window_end_us: int
    gross_units: int
    haircut_bps: int = 0
    overbook_bps: int = 0
    justification: str = ""
    degradation_plan: str | None = None
    stale_after_s: int = 7 * 86_400
    sources: tuple[Source, ...] = ()


def capacity_refusals(capacity: Capacity, *, now_us: int) -> list[Refusal]:
    """Everything wrong with a posting by itself; empty when it can be taken."""
    explained = bool(capacity.justification) and capacity.degradation_plan is not None
    stated = capacity.justification
    checks = [
        (capacity.mode in MODES, "assurance_mode", f"the mode is one of {', '.join(MODES)}", "mode"),
        (
            REFERENCE.fullmatch(capacity.reference),
            "assurance_reference",
            "the reference is 1 to 200 of letters, digits and _ : + = / . -",
            "reference",
        ),
        (capacity.window_end_us > capacity.window_start_us, "assurance_window", "the window ends after it starts", "window.end"),
        (capacity.window_end_us > now_us, "window_over", "the window has not ended yet", "window.end"),
        (0 < capacity.gross_units <= MOST_UNITS, "assurance_gross", f"gross units are 1 to {MOST_UNITS}", "gross_units"),
        (0 <= capacity.haircut_bps <= 10_000, "assurance_haircut", "the haircut is 0 to 10000 bps", "haircut_bps"),
        (0 <= capacity.overbook_bps <= 10_000, "assurance_overbook", "overbooking is 0 to 10000 bps", "overbook_bps"),
        (
            capacity.overbook_bps == 0 or explained,
            "assurance_overbook",
            "overbooking needs a justification and a degradation_plan",
            "overbook_bps",
        ),
        (len(stated) <= 500 and stated.isprintable(), "assurance_overbook", "a justification has at most 500 characters", "justification"),
        (
            capacity.degradation_plan in {None, *PLANS},
            "assurance_plan",
            f"the plan is one of {', '.join(PLANS)}",
            "degradation_plan",
        ),
        (
            0 < capacity.stale_after_s <= MOST_SECONDS,
            "assurance_refresh",
            f"an assurance goes stale after 1 to {MOST_SECONDS} s",
            "stale_after_s",
        ),
    ]
    return [Refusal(code, words, field) for holds, code, words, field in checks if not holds]


@transaction.atomic
def post_assurance(
    *, issuer: Issuer, compute_class: ComputeClass, capacity: Capacity, assurance_id: str, actor: str, now_us: int, note: str | None = None
) -> Assurance:
    """The new assurance, remembered in the registry's stream. Locks the capacity behind it. `note`: what an operator looked at.

    Raises IssuanceRefusedError, ReasonMissing.
    """
    stated = None if note is None else stated_reason(note)
    refusals = capacity_refusals(capacity, now_us=now_us)
    units, unfound = find_capacity(capacity.sources, window_start_us=capacity.window_start_us, window_end_us=capacity.window_end_us)
    lock_capacity(units)
    refusals += unfound or _stand_refusals(issuer, compute_class, capacity, units)
    if refusals:
        raise IssuanceRefusedError(refusals)
    policy = {"justification": capacity.justification} if capacity.overbook_bps else None
    plan = capacity.degradation_plan or PLANS[0]
    assurance, made = Assurance.objects.get_or_create(
        issuer=issuer,
        reference=capacity.reference,
        compute_class=compute_class,
        window_start=to_datetime(capacity.window_start_us),
        window_end=to_datetime(capacity.window_end_us),
        defaults={
            "uuid": assurance_id,
            "mode": capacity.mode,
            "unit": compute_class.unit,
            "gross_units": capacity.gross_units,
            "haircut_bps": capacity.haircut_bps,
            "overbook_bps": capacity.overbook_bps,
            "overbook_policy": policy,
            "degradation_plan": plan,
            "stale_after_s": capacity.stale_after_s,
            "refreshed_at": to_datetime(now_us),
            "created_at": to_datetime(now_us),
        },
    )
    if not made:
        words = f"the issuer has an assurance called {capacity.reference} for this class and window: refresh that"
        raise IssuanceRefusedError([Refusal("assurance_exists", words, "reference")])
    write_pledges(assurance.pk, units)
    payload = supply_events.assured(
        class_key=compute_class.key,
        class_fingerprint=compute_class.fingerprint,
        issuer=issuer.slug,
        mode=capacity.mode,
        reference=capacity.reference,
        unit=compute_class.unit,
        window_start=rfc3339(capacity.window_start_us),
        window_end=rfc3339(capacity.window_end_us),
        gross_units=capacity.gross_units,
        haircut_bps=capacity.haircut_bps,
        overbook_bps=capacity.overbook_bps,
        overbook_policy=policy,
        degradation_plan=plan,
        stale_after_s=capacity.stale_after_s,
        behind=sources_of([assurance.pk]).get(assurance.pk, ()),
        note=stated,
    )
    event = NewEvent(supply_events.ASSURED, "assurance", public("ast", assurance_id), payload)
    remember_all([event], actor=actor, now_us=now_us)
    return assurance


def _stand_refusals(issuer: Issuer, compute_class: ComputeClass, capacity: Capacity, units: dict[int, int]) -> list[Refusal]:
    """The path for all; what the sources carry where there are any."""
    if not capacity.sources:
        return path_refusals(issuer.issuance_path, issuer.issuer_type, capacity.mode, field="mode")
    stand = Stand(
        issuance_path=issuer.issuance_path,
        issuer_type=issuer.issuer_type,
        mode=capacity.mode,
        dims=compute_class.dimensions,
        window_start_us=capacity.window_start_us,
        window_end_us=capacity.window_end_us,
        gross_units=capacity.gross_units,
        haircut_bps=capacity.haircut_bps,
    )
    return stand_refusals(stand, pledges_of(units, issuer=issuer, held={}, field="sources"))
