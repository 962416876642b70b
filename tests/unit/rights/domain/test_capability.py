"""Which capability serves which class (SPEC §7): the tables, axis by axis, and every misfit named."""

import pytest

from rights.domain.capability import (
    AVAILABILITIES,
    ENVIRONMENTS,
    LATENCY_BANDS,
    MODES_OF_PRIVACY,
    PRIVACY_MODES,
    QUALITY_BANDS,
    RESOURCE_OF,
    WORKLOADS,
    CapabilityFacts,
    class_misfits,
    lies_in,
    serves_latency,
    serves_quality,
)
from rights.domain.fungibility import dimensions
from rights.domain.manifest import read_manifest
from tests.unit.rights.domain.manifests import chat_day

ALL = set(PRIVACY_MODES)
CHAT = CapabilityFacts(
    workload="text.generation",
    quality_band="standard",
    latency_band="interactive",
    privacy_mode="private-cluster",
    environment="dedicated-cluster",
    availability="reserved",
    unit="tokens",
    reliability_bps=None,
    retired=False,
    supplier="boreal",
    region="US-EAST",
    supplier_active=True,
)


def facts(**changes) -> CapabilityFacts:
    return CapabilityFacts(**{**{name: getattr(CHAT, name) for name in CHAT.__struct_fields__}, **changes})


def dims(**patch):
    return dimensions(read_manifest(chat_day(**patch)), issuer_tier=1)


def test_the_axes_are_those_of_the_specification():
    assert set(WORKLOADS) == {
        "text.generation", "text.classification", "text.embedding", "image.generation", "image.edit", "audio.transcription", "audio.synthesis",
        "video.generation", "tool.agent-runtime", "tool.browser-runtime", "tool.code-runtime", "gpu.batch", "custom",
    }  # fmt: skip
    assert set(QUALITY_BANDS) == {"economy", "standard", "high", "premium", "deterministic"}
    assert LATENCY_BANDS == ("realtime", "interactive", "async", "batch")
    assert {"local-isolated", "private-cluster", "trusted-network", "shared-remote", "public-network"} == ALL
    assert set(ENVIRONMENTS) == {
        "centralized-api", "dedicated-cluster", "private-gateway", "decentralized-network", "local-runtime", "agent-hosted-runtime",
    }  # fmt: skip
    assert set(AVAILABILITIES) == {"reserved", "on-demand", "burst", "spot", "scheduled-window"}


def test_every_resource_type_has_a_workload():
    types = {"text_inference", "image_generation", "video_generation", "embeddings", "agent_runtime", "gpu_time", "custom"}
    assert set(RESOURCE_OF.values()) == types


def test_the_modes_that_may_serve_each_privacy_class():
    assert {privacy: set(modes) for privacy, modes in MODES_OF_PRIVACY.items()} == {
        "public": ALL,
        "private": ALL - {"public-network"},
        "confidential": {"local-isolated", "private-cluster"},
        "local-only": {"local-isolated"},
    }


@pytest.mark.parametrize("privacy", MODES_OF_PRIVACY)
@pytest.mark.parametrize("mode", PRIVACY_MODES)
def test_privacy(privacy, mode):
    codes = [r.code for r in class_misfits(facts(privacy_mode=mode), dims(service={"privacy_class": privacy}))]
    assert codes == ([] if mode in MODES_OF_PRIVACY[privacy] else ["source_privacy"])


def test_quality_is_at_least_the_wanted_and_deterministic_stands_apart():
    order = ("economy", "standard", "high", "premium")
    for at, band in enumerate(order):
        assert [serves_quality(band, wanted) for wanted in order] == [wanted_at <= at for wanted_at in range(4)]
        assert not serves_quality(band, "deterministic")
        assert not serves_quality("deterministic", band)
    assert serves_quality("deterministic", "deterministic")


def test_latency_is_as_fast_or_faster():
    for at, band in enumerate(LATENCY_BANDS):
        assert [serves_latency(band, wanted) for wanted in LATENCY_BANDS] == [wanted_at >= at for wanted_at in range(4)]


@pytest.mark.parametrize(
    ("region", "jurisdictions", "inside"),
    [
        ("US-EAST", "any", True),
        ("US-EAST", ["US"], True),
        ("US-EAST", ["US-EAST"], True),
        ("US", ["US-EAST"], False),
        ("USA", ["US"], False),
        ("DE", ["EU", "DE"], True),
        ("DE", ["EU"], False),
    ],
)
def test_regions(region, jurisdictions, inside):
    assert lies_in(region, jurisdictions) is inside


def test_what_fits():
    assert class_misfits(CHAT, dims()) == []
    assert class_misfits(facts(quality_band="premium", latency_band="realtime", privacy_mode="local-isolated"), dims()) == []


def test_every_misfit_is_named_with_its_field():
    wrong = facts(
        workload="gpu.batch", unit="minutes", quality_band="economy", latency_band="batch", privacy_mode="public-network", region="DE"
    )
    service = {"jurisdiction": ["US"], "provider_constraints": {"allow": ["another"]}}
    found = class_misfits(wrong, dims(service=service), "sources.3")
    assert [r.code for r in found] == [
        "source_workload",
        "source_unit",
        "source_quality",
        "source_latency",
        "source_privacy",
        "source_region",
        "source_provider",
    ]
    assert {r.field for r in found} == {"sources.3"}


def test_a_supplier_the_class_denies():
    denied = dims(service={"provider_constraints": {"deny": ["boreal"]}})
    assert [r.code for r in class_misfits(CHAT, denied)] == ["source_provider"]
    assert class_misfits(facts(supplier="another"), denied) == []
