"""Assurance in numbers and rules (SPEC §7): what is usable, what each mode may rest on, how a shortfall is shared. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from rights.domain.capability import AVAILABILITIES, CapabilityFacts, class_misfits
from rights.domain.issuance import PATHS, Refusal, path_refusals
from rights.domain.units import WHOLE_BPS

STATUSES = ("sound", "degraded", "stale")
# What a degraded assurance does, beside that nothing more is issued under it; the first is the default.
PLANS = ("pause-issuance", "freeze-unsold", "halt-books")


class Mode(msgspec.Struct, frozen=True):
    """What an assurance of a mode may rest on. `measured`: availabilities that count only with a measured reliability."""

    availabilities: frozenset[str]
    measured: frozenset[str] = frozenset()
    environments: frozenset[str] | None = None
    own_supply: bool = False


_SET_ASIDE = frozenset({"reserved", "scheduled-window"})
_ALL = frozenset(AVAILABILITIES)
MODE_RULES: dict[str, Mode] = {
    "reserved-capacity": Mode(_SET_ASIDE),
    "inventory-posted": Mode(_ALL - {"spot"}),
    # What has usually been there: worth at most what was measured of it.
    "historical-availability": Mode(_ALL, measured=_ALL),
    "local-allocation": Mode(
        _SET_ASIDE | {"on-demand"}, environments=frozenset({"dedicated-cluster", "private-gateway", "local-runtime"}), own_supply=True
    ),
    "hybrid": Mode(_ALL, measured=_ALL - _SET_ASIDE),
}
MODES = tuple(MODE_RULES)


class Pledge(msgspec.Struct, frozen=True):
    """`units` of one posted capacity for an assurance. `free_units`: posted and pledged to nobody else; `field`: where the request names it.

    `own`: its supplier is the issuer's own; `offered`: the supplier lets this issuer pledge it.
    """

    capability: CapabilityFacts
    window_start_us: int
    window_end_us: int
    free_units: int
    units: int
    own: bool
    offered: bool
    field: str


class Stand(msgspec.Struct, frozen=True):
    """What the pledges have to carry: the issuer's path, the mode, the class and its window, gross and haircut."""

    issuance_path: str
    issuer_type: str
    mode: str
    dims: Mapping[str, Any]
    window_start_us: int
    window_end_us: int
    gross_units: int
    haircut_bps: int


def stand_refusals(stand: Stand, pledges: Sequence[Pledge]) -> list[Refusal]:
    """Every reason why these pledges don't carry the assurance; empty when they do."""
    found = path_refusals(stand.issuance_path, stand.issuer_type, stand.mode, field="mode")
    if stand.mode not in MODE_RULES or stand.issuance_path not in PATHS:
        return found
    for pledge in pledges:
        found += [*class_misfits(pledge.capability, stand.dims, pledge.field), *_pledge_refusals(stand, pledge)]
    return [*found, *_sums(stand, pledges)]


def _pledge_refusals(stand: Stand, pledge: Pledge) -> Iterator[Refusal]:
    rule, capability, field = MODE_RULES[stand.mode], pledge.capability, pledge.field
    if not capability.supplier_active:
        yield Refusal("supplier_suspended", f"supplier {capability.supplier} is suspended", field)
    if capability.retired:
        yield Refusal("source_retired", "the capability is retired", field)
    if not (pledge.own or pledge.offered):
        yield Refusal("source_not_offered", f"supplier {capability.supplier} has not offered this capacity to the issuer", field)
    if not pledge.own and (rule.own_supply or PATHS[stand.issuance_path].own_supply):
        who = f"mode {stand.mode}" if rule.own_supply else f"path {stand.issuance_path}"
        yield Refusal("source_foreign", f"the {who} takes the issuer's own suppliers only", field)
    if capability.availability not in rule.availabilities:
        yield Refusal("source_availability", f"the mode {stand.mode} does not take {capability.availability} capacity", field)
    if rule.environments is not None and capability.environment not in rule.environments:
        yield Refusal("source_environment", f"the mode {stand.mode} does not take a {capability.environment}", field)
    if capability.availability in rule.measured and capability.reliability_bps is None:
        yield Refusal("source_unmeasured", f"the mode {stand.mode} takes {capability.availability} capacity once it was measured", field)
    if not (stand.window_start_us <= pledge.window_start_us and pledge.window_end_us <= stand.window_end_us):
        yield Refusal("source_window", "the capacity's window does not lie within the assurance's", field)
    if pledge.units > pledge.free_units:
        yield Refusal("capacity_pledged", f"{pledge.units} units asked, {pledge.free_units} of the posted capacity are free", field)


def _sums(stand: Stand, pledges: Sequence[Pledge]) -> Iterator[Refusal]:
    total = sum(pledge.units for pledge in pledges)
    if total < stand.gross_units:
        yield Refusal("sources_short", f"the sources come to {total} units, gross is {stand.gross_units}", "gross_units")
    least = least_haircut_bps(stand.mode, [pledge.capability for pledge in pledges])
    if stand.haircut_bps < least:
        yield Refusal("haircut_small", f"what was measured of the sources asks for a haircut of {least} bps at least", "haircut_bps")


def least_haircut_bps(mode: str, capabilities: Sequence[CapabilityFacts]) -> int:
    """What the weakest source that counts by measurement falls short of always being there; 0 when there is none."""
    measured = MODE_RULES[mode].measured
    known = [c.reliability_bps for c in capabilities if c.availability in measured and c.reliability_bps is not None]
    return WHOLE_BPS - min(known, default=WHOLE_BPS)


def shared_cut(units: Sequence[int], posted_units: int) -> list[int]:
    """Pledges after only `posted_units` are left: each by its share, rounded down, so that together they never exceed what is there."""
    total = sum(units)
    return list(units) if total <= posted_units else [one * posted_units // total for one in units]
