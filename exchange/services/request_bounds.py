"""What a bounded key may use rights for (SPEC §11, agent policy): classes, hours of a priority, units at once, which degradations.

What may not be is refused; what an agent's policy tolerates less than the envelope asks is tightened in the envelope, which then says so.
"""

from collections.abc import Collection

import msgspec

from exchange.domain.bounds import BoundRefusal, priority_allowed
from exchange.domain.standing_policy import Agency
from exchange.models import ApiKey
from exchange.selectors import named
from exchange.services.entry import agency_on
from rights.domain.effective_policy import Policy
from rights.kernel.planned import load
from rights.models import ComputeClass
from settlement.domain.envelope import Envelope

_CLASSES = """
WITH wanted AS (
    SELECT unnest(%(rights)s::uuid[]) AS right_id
    UNION SELECT d.right_id FROM rights_delegation d WHERE d.uuid = %(delegation)s::uuid AND d.right_id IS NOT NULL
    UNION SELECT x.right_id FROM rights_delegation d JOIN rights_packagepart x ON x.package_id = d.package_id AND x.removed_at IS NULL
        WHERE d.uuid = %(delegation)s::uuid
    UNION SELECT x.right_id FROM rights_package p JOIN rights_packagepart x ON x.package_id = p.id AND x.removed_at IS NULL
        WHERE p.uuid = %(package)s::uuid)
SELECT DISTINCT c.key, coalesce(c.dimensions ->> 'service.priority', '') FROM wanted w JOIN rights_right r ON r.id = w.right_id
JOIN rights_series s ON s.id = r.series_id JOIN rights_computeclass c ON c.id = s.compute_class_id ORDER BY 1
"""


class RequestBounded(Exception):
    """The key may not ask for this; nothing was written."""

    def __init__(self, refusals: list[BoundRefusal]) -> None:
        super().__init__("; ".join(refusal.detail for refusal in refusals))
        self.refusals = refusals


def within_bounds(*, key_id: int | None, envelope: Envelope, now_us: int) -> Envelope:
    """The envelope as the caller's key may send it. Raises RequestBounded."""
    key = _bounded(key_id)
    if key is None:
        return envelope
    agency = agency_on(key.pk) or Agency()
    refusals = _refusals(key, agency, envelope, now_us)
    if refusals:
        raise RequestBounded(refusals)
    return _tightened(envelope, agency)


def still_within_bounds(*, key_id: int | None, envelope: Envelope, now_us: int) -> None:
    """For a request that was submitted before. Raises RequestBounded, also where the key would have had to send it tightened."""
    if within_bounds(key_id=key_id, envelope=envelope, now_us=now_us) != envelope:
        detail = "the key's policy tolerates less degradation than the request: log in as a member, or submit it anew with this key"
        raise RequestBounded([BoundRefusal("forbidden", detail)])


def usable_classes(*, key_id: int | None, class_keys: Collection[str], now_us: int) -> frozenset[str]:
    """Of these classes those whose rights the key may use now: for who does not name a right, and leaves the choice to its policy."""
    key = _bounded(key_id)
    if key is None:
        return frozenset(class_keys)
    agency = agency_on(key.pk) or Agency()
    found = ComputeClass.objects.filter(key__in=class_keys).values_list("key", "dimensions")
    return frozenset(
        class_key for class_key, dims in found if not _class_refusals(key, agency, class_key, str(dims.get("service.priority", "")), now_us)
    )


def _bounded(key_id: int | None) -> ApiKey | None:
    return None if key_id is None else next(iter(load(ApiKey, "id = %s AND bounded", [key_id])), None)


def _refusals(key: ApiKey, agency: Agency, envelope: Envelope, now_us: int) -> list[BoundRefusal]:
    values = {
        "rights": [candidate.right_id for candidate in envelope.candidates],
        "delegation": envelope.delegation_id,
        "package": envelope.package_id,
    }
    found: list[BoundRefusal] = []
    for class_key, priority in named.fetch_all(_CLASSES, values):
        found += _class_refusals(key, agency, class_key, priority, now_us)
    most = agency.max_units_per_request
    if most is not None and envelope.expected_units > most:
        found.append(BoundRefusal("request_units_exceeded", f"the key may ask for {most} units at once, not for {envelope.expected_units}"))
    return found


def _class_refusals(key: ApiKey, agency: Agency, class_key: str, priority: str, now_us: int) -> list[BoundRefusal]:
    found: list[BoundRefusal] = []
    if any(allowed and class_key not in allowed for allowed in (tuple(key.classes), agency.classes)):
        found.append(BoundRefusal("class_not_allowed", f"the key may not use rights of {class_key}"))
    if not priority_allowed(agency.hours, priority, now_us):
        found.append(BoundRefusal("priority_not_allowed", f"the key may not have {priority or 'this'} service at this hour (UTC)"))
    return found


def _tightened(envelope: Envelope, agency: Agency) -> Envelope:
    """With no fallback, or none that costs more than the agent's policy tolerates."""
    if not agency.allow_fallback:
        return msgspec.structs.replace(envelope, fallbacks=frozenset())
    return msgspec.structs.replace(envelope, constraints=_tolerant(envelope.constraints, agency))


def _tolerant(said: Policy, agency: Agency) -> Policy:
    loss, expansion = (
        bound if before is None else before if bound is None else min(before, bound)
        for before, bound in (
            (said.max_quality_loss_bps, agency.max_quality_loss_bps),
            (said.max_latency_expansion_bps, agency.max_latency_expansion_bps),
        )
    )
    return msgspec.structs.replace(said, max_quality_loss_bps=loss, max_latency_expansion_bps=expansion)
