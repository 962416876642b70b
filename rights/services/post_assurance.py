"""Post proven capacity (SPEC §7): what rights may be issued against."""

from typing import Any

import msgspec
from django.db import transaction

from rights.domain.issuance import Refusal
from rights.kernel.clock import rfc3339, to_datetime
from rights.kernel.ids import public
from rights.models import Assurance, ComputeClass, Issuer
from rights.models.supply import MODES
from rights.services.journal import NewEvent, append, stream_for
from rights.services.refusals import IssuanceRefusedError

REGISTRY = "registry"
_MOST_UNITS = 2**62


class Capacity(msgspec.Struct, frozen=True):
    """What is posted. Units whole; overbooking needs a policy that justifies it and says what happens when it fails."""

    mode: str
    reference: str
    window_start_us: int
    window_end_us: int
    gross_units: int
    haircut_bps: int = 0
    overbook_bps: int = 0
    overbook_policy: dict[str, Any] | None = None
    stale_after_s: int = 7 * 86_400


def capacity_refusals(capacity: Capacity) -> list[Refusal]:
    """Everything wrong with a posting; empty when it can be taken."""
    policy = capacity.overbook_policy or {}
    explained = all(isinstance(policy.get(field), str) and policy[field] for field in ("justification", "degradation_plan"))
    checks = [
        (capacity.mode in MODES, "assurance_mode", f"the mode is one of {', '.join(MODES)}"),
        (0 < len(capacity.reference) <= 200, "assurance_reference", "the reference has 1 to 200 characters"),
        (capacity.window_end_us > capacity.window_start_us, "assurance_window", "the window ends after it starts"),
        (0 < capacity.gross_units <= _MOST_UNITS, "assurance_gross", f"gross units are 1 to {_MOST_UNITS}"),
        (0 <= capacity.haircut_bps <= 10_000, "assurance_haircut", "the haircut is 0 to 10000 bps"),
        (0 <= capacity.overbook_bps <= 10_000, "assurance_overbook", "overbooking is 0 to 10000 bps"),
        (capacity.overbook_bps == 0 or explained, "assurance_overbook", "overbooking needs a justification and a degradation_plan"),
        (capacity.stale_after_s > 0, "assurance_refresh", "an assurance goes stale after at least a second"),
    ]
    return [Refusal(code, words) for holds, code, words in checks if not holds]


@transaction.atomic
def post_assurance(
    *, issuer: Issuer, compute_class: ComputeClass, capacity: Capacity, assurance_id: str, actor: str, now_us: int
) -> Assurance:
    """The new assurance, remembered in the registry's stream. Raises IssuanceRefusedError."""
    refusals = capacity_refusals(capacity)
    if refusals:
        raise IssuanceRefusedError(refusals)
    assurance = Assurance.objects.create(
        uuid=assurance_id,
        issuer=issuer,
        mode=capacity.mode,
        reference=capacity.reference,
        compute_class=compute_class,
        window_start=to_datetime(capacity.window_start_us),
        window_end=to_datetime(capacity.window_end_us),
        unit=compute_class.unit,
        gross_units=capacity.gross_units,
        haircut_bps=capacity.haircut_bps,
        overbook_bps=capacity.overbook_bps,
        overbook_policy=capacity.overbook_policy,
        stale_after_s=capacity.stale_after_s,
        refreshed_at=to_datetime(now_us),
    )
    payload: dict[str, object] = {
        "class": {"fingerprint": compute_class.fingerprint, "key": compute_class.key},
        "gross_units": str(capacity.gross_units),
        "haircut_bps": capacity.haircut_bps,
        "issuer": issuer.slug,
        "mode": capacity.mode,
        "overbook_bps": capacity.overbook_bps,
        "overbook_policy": capacity.overbook_policy,
        "reference": capacity.reference,
        "stale_after_s": capacity.stale_after_s,
        "unit": compute_class.unit,
        "window": {"end": rfc3339(capacity.window_end_us), "start": rfc3339(capacity.window_start_us)},
    }
    event = NewEvent("assurance.posted", "assurance", public("ast", assurance_id), payload)
    append(stream_id=stream_for(REGISTRY), events=[event], actor=actor, now_us=now_us)
    return assurance
