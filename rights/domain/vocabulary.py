"""The canonical words of each axis, and how the two common spellings of it map to each other (SPEC §3, §7). Tables only.

A right's manifest and a supplier's capability speak of the same things in two ways. Each axis has a canonical spelling in both
languages: going there and back from a right's word gives that word again. Words that only one side has fold into the nearest
one of the other. `serving` tells which of a capability's words may execute a right's. Published at GET /api/v1/vocabulary.
"""

from collections.abc import Mapping

import msgspec

from rights.domain.capability import (
    AVAILABILITIES,
    LATENCY_BANDS,
    MODES_OF_PRIVACY,
    PRIVACY_MODES,
    QUALITY_BANDS,
    RESOURCE_OF,
    serves_latency,
    serves_quality,
)


class Axis(msgspec.Struct, frozen=True):
    """One axis. `right_field` of a manifest, `capability_field` of a capability; maps from every word of either side."""

    name: str
    right_field: str
    capability_field: str
    says: str
    to_capability: Mapping[str, str]
    to_right: Mapping[str, str]
    serving: Mapping[str, tuple[str, ...]]


_CANONICAL_WORKLOAD = {
    "text_inference": "text.generation",
    "embeddings": "text.embedding",
    "image_generation": "image.generation",
    "video_generation": "video.generation",
    "agent_runtime": "tool.agent-runtime",
    "gpu_time": "gpu.batch",
    "custom": "custom",
}
_CANONICAL_MODE = {
    "public": "public-network",
    "private": "shared-remote",
    "confidential": "private-cluster",
    "local-only": "local-isolated",
}
# The strictest privacy class that a mode may serve.
_CLASS_OF_MODE = {mode: next(name for name in reversed(MODES_OF_PRIVACY) if mode in MODES_OF_PRIVACY[name]) for mode in PRIVACY_MODES}
_AVAILABILITY_OF_KIND = {"reserved": "reserved", "burst": "burst", "background": "spot", "custom": "on-demand"}
_KIND_OF_AVAILABILITY = {
    "reserved": "reserved",
    "scheduled-window": "reserved",
    "burst": "burst",
    "spot": "background",
    "on-demand": "custom",
}

AXES: tuple[Axis, ...] = (
    Axis(
        "workload",
        "resource.type",
        "workload",
        "What is executed.",
        _CANONICAL_WORKLOAD,
        RESOURCE_OF,
        {kind: tuple(workload for workload, found in RESOURCE_OF.items() if found == kind) for kind in _CANONICAL_WORKLOAD},
    ),
    Axis(
        "quality",
        "service.quality_band",
        "quality_band",
        "economy < standard < high < premium; deterministic stands apart.",
        {band: band for band in QUALITY_BANDS},
        {band: band for band in QUALITY_BANDS},
        {wanted: tuple(band for band in QUALITY_BANDS if serves_quality(band, wanted)) for wanted in QUALITY_BANDS},
    ),
    Axis(
        "latency",
        "service.latency_class",
        "latency_band",
        "Fast to slow; what is faster serves what may be slower.",
        {band: band for band in LATENCY_BANDS},
        {band: band for band in LATENCY_BANDS},
        {wanted: tuple(band for band in LATENCY_BANDS if serves_latency(band, wanted)) for wanted in LATENCY_BANDS},
    ),
    Axis(
        "privacy",
        "service.privacy_class",
        "privacy_mode",
        "A class of privacy is served by the modes that keep it; a mode maps to the strictest class it keeps.",
        _CANONICAL_MODE,
        _CLASS_OF_MODE,
        MODES_OF_PRIVACY,
    ),
    Axis(
        "availability",
        "kind",
        "availability",
        "How the capacity is promised. What is set aside serves everything, what is there by chance only what can wait.",
        _AVAILABILITY_OF_KIND,
        _KIND_OF_AVAILABILITY,
        {
            "reserved": ("reserved", "scheduled-window"),
            "burst": ("reserved", "on-demand", "burst"),
            "background": AVAILABILITIES,
            "custom": AVAILABILITIES,
        },
    ),
)
