"""What a supplier can do, on seven axes (SPEC §7), and whether it serves a class: each misfit is named.

The tables are the vocabulary both sides share: which resource a workload executes, which privacy modes a privacy class allows.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from rights.domain.issuance import Refusal

# Workload class → the resource type whose rights it can execute. What no type names (speech, editing, sorting) serves custom rights.
RESOURCE_OF = {
    "text.generation": "text_inference",
    "text.classification": "custom",
    "text.embedding": "embeddings",
    "image.generation": "image_generation",
    "image.edit": "custom",
    "audio.transcription": "custom",
    "audio.synthesis": "custom",
    "video.generation": "video_generation",
    "tool.agent-runtime": "agent_runtime",
    "tool.browser-runtime": "agent_runtime",
    "tool.code-runtime": "agent_runtime",
    "gpu.batch": "gpu_time",
    "custom": "custom",
}
WORKLOADS = tuple(RESOURCE_OF)
QUALITY_ORDER = ("economy", "standard", "high", "premium")  # `deterministic` stands apart
QUALITY_BANDS = (*QUALITY_ORDER, "deterministic")
LATENCY_BANDS = ("realtime", "interactive", "async", "batch")  # fast to slow
PRIVACY_MODES = ("local-isolated", "private-cluster", "trusted-network", "shared-remote", "public-network")
ENVIRONMENTS = (
    "centralized-api",
    "dedicated-cluster",
    "private-gateway",
    "decentralized-network",
    "local-runtime",
    "agent-hosted-runtime",
)
AVAILABILITIES = ("reserved", "on-demand", "burst", "spot", "scheduled-window")
# Privacy class of a right → the modes that may serve it, most private first.
MODES_OF_PRIVACY = {
    "public": PRIVACY_MODES,
    "private": ("local-isolated", "private-cluster", "trusted-network", "shared-remote"),
    "confidential": ("local-isolated", "private-cluster"),
    "local-only": ("local-isolated",),
}
# As manifests write them: provider constraints name suppliers by slug, jurisdictions are regions.
SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
REGION = re.compile(r"[A-Z]{2,3}(-[A-Z0-9]{1,8})?", re.ASCII)
CONSTRAINT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", re.ASCII)
UNITS = ("tokens", "requests", "jobs", "frames", "seconds", "minutes")


class CapabilityFacts(msgspec.Struct, frozen=True):
    """One capability and its supplier; `supplier` is a slug, `region` a code such as US or EU-WEST."""

    workload: str
    quality_band: str
    latency_band: str
    privacy_mode: str
    environment: str
    availability: str
    unit: str
    reliability_bps: int | None
    retired: bool
    supplier: str
    region: str
    supplier_active: bool


def serves_quality(band: str, wanted: str) -> bool:
    """Whether work of quality `band` satisfies a class of quality `wanted`; deterministic only itself."""
    if "deterministic" in (band, wanted):
        return band == wanted
    return QUALITY_ORDER.index(band) >= QUALITY_ORDER.index(wanted)


def serves_latency(band: str, wanted: str) -> bool:
    """Whether `band` is at least as fast as `wanted`."""
    return LATENCY_BANDS.index(band) <= LATENCY_BANDS.index(wanted)


def lies_in(region: str, jurisdictions: str | list[str]) -> bool:
    """Whether a region (`US-EAST`) is one of the jurisdictions, or part of one (`US`); `any` takes every region."""
    return jurisdictions == "any" or any(region == code or region.startswith(f"{code}-") for code in jurisdictions)


def class_misfits(capability: CapabilityFacts, dims: Mapping[str, Any], field: str = "") -> list[Refusal]:
    """Every dimension of the class (rights/domain/fungibility.py) that the capability can't serve; empty when it fits."""
    return list(_misfits(capability, dims, field))


def _misfits(capability: CapabilityFacts, dims: Mapping[str, Any], field: str) -> Iterator[Refusal]:
    kind, privacy = dims["resource.type"], dims["service.privacy_class"]
    if RESOURCE_OF[capability.workload] != kind:
        yield Refusal("source_workload", f"{capability.workload} executes no {kind}", field)
    if capability.unit != dims["resource.unit"]:
        yield Refusal("source_unit", f"the capability counts {capability.unit}, the class {dims['resource.unit']}", field)
    if not serves_quality(capability.quality_band, dims["service.quality_band"]):
        yield Refusal("source_quality", f"quality {capability.quality_band} does not serve {dims['service.quality_band']}", field)
    if not serves_latency(capability.latency_band, dims["service.latency_class"]):
        yield Refusal("source_latency", f"{capability.latency_band} is slower than {dims['service.latency_class']}", field)
    if capability.privacy_mode not in MODES_OF_PRIVACY[privacy]:
        modes = ", ".join(MODES_OF_PRIVACY[privacy])
        yield Refusal("source_privacy", f"{privacy} work may run {modes}; not {capability.privacy_mode}", field)
    if not lies_in(capability.region, dims["service.jurisdiction"]):
        codes = ", ".join(dims["service.jurisdiction"])
        yield Refusal("source_region", f"the supplier's region {capability.region} lies outside {codes}", field)
    allowed, denied = (dims[f"service.provider_constraints.{name}"] for name in ("allow", "deny"))
    if capability.supplier in denied or (allowed != "any" and capability.supplier not in allowed):
        yield Refusal("source_provider", f"the class keeps supplier {capability.supplier} out", field)
