"""The two spellings of each axis, row by row: SPEC §2 and §7 have the words, the tables have to have them all."""

from pathlib import Path

import pytest

from exchange.api.fungibility_page import page
from rights.domain import capability
from rights.domain.dominance import RULES, WINDOW_RULES
from rights.domain.manifest import SCHEMA
from rights.domain.vocabulary import AXES

BY_NAME = {axis.name: axis for axis in AXES}
CAPABILITY_WORDS = {
    "workload": capability.WORKLOADS,
    "quality_band": capability.QUALITY_BANDS,
    "latency_band": capability.LATENCY_BANDS,
    "privacy_mode": capability.PRIVACY_MODES,
    "availability": capability.AVAILABILITIES,
}


def manifest_words(path: str) -> set[str]:
    place = SCHEMA
    for name in path.split("."):
        place = place["properties"][name]
    return set(place["enum"])


@pytest.mark.parametrize("axis", AXES, ids=lambda axis: axis.name)
def test_every_word_of_both_sides_is_mapped(axis):
    rights, capabilities = manifest_words(axis.right_field), set(CAPABILITY_WORDS[axis.capability_field])
    assert set(axis.to_capability) == set(axis.serving) == rights
    assert set(axis.to_right) == capabilities
    assert set(axis.to_capability.values()) <= capabilities
    assert set(axis.to_right.values()) == rights


@pytest.mark.parametrize("axis", AXES, ids=lambda axis: axis.name)
def test_there_and_back_is_where_one_came_from(axis):
    for word, other in axis.to_capability.items():
        assert axis.to_right[other] == word
        assert other in axis.serving[word]
    for other, word in axis.to_right.items():
        assert other in axis.serving[word]


@pytest.mark.parametrize(
    ("right", "workload"),
    [
        ("text_inference", "text.generation"),
        ("embeddings", "text.embedding"),
        ("image_generation", "image.generation"),
        ("video_generation", "video.generation"),
        ("agent_runtime", "tool.agent-runtime"),
        ("gpu_time", "gpu.batch"),
        ("custom", "custom"),
    ],
)
def test_workloads(right, workload):
    axis = BY_NAME["workload"]
    assert (axis.to_capability[right], axis.to_right[workload]) == (workload, right)


@pytest.mark.parametrize(
    ("privacy", "modes"),
    [
        ("public", {"local-isolated", "private-cluster", "trusted-network", "shared-remote", "public-network"}),
        ("private", {"local-isolated", "private-cluster", "trusted-network", "shared-remote"}),
        ("confidential", {"local-isolated", "private-cluster"}),
        ("local-only", {"local-isolated"}),
    ],
)
def test_privacy_classes_and_the_modes_that_serve_them(privacy, modes):
    assert set(BY_NAME["privacy"].serving[privacy]) == modes


@pytest.mark.parametrize(
    ("axis", "word", "serving"),
    [
        ("quality", "standard", {"standard", "high", "premium"}),
        ("quality", "premium", {"premium"}),
        ("quality", "deterministic", {"deterministic"}),
        ("latency", "realtime", {"realtime"}),
        ("latency", "async", {"realtime", "interactive", "async"}),
        ("availability", "reserved", {"reserved", "scheduled-window"}),
        ("availability", "burst", {"reserved", "on-demand", "burst"}),
        ("availability", "background", set(capability.AVAILABILITIES)),
    ],
)
def test_what_may_serve(axis, word, serving):
    assert set(BY_NAME[axis].serving[word]) == serving


def test_the_page_is_up_to_date():
    document = Path(__file__).resolve().parents[4] / "docs" / "fungibility.md"
    assert document.read_text(encoding="utf-8") == page(), "python -m exchange.api.fungibility_page > docs/fungibility.md"
    assert all(f"| `{field}` |" in page() for field in (*RULES, *WINDOW_RULES))
