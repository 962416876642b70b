"""From rights to a class (SPEC §3): the dimensions a buyer may care about, their fingerprint, a readable key, a lot.

Two rights trade in one book when every dimension and the window are equal; the verdicts say which field differs.
"""

import re
from typing import Any

import msgspec

from rights.domain.canonical_json import sha256_of
from rights.domain.dominance import ALIKE, RULES, WINDOW_RULES, Relation, class_relations, window_relations
from rights.domain.manifest import Manifest
from rights.domain.window import WindowFacts

# Units per lot: the natural trading unit (API.md, conventions).
_LOTS = {"tokens": 1_000_000, "requests": 1_000, "jobs": 1, "frames": 1_000, "seconds": 3_600, "minutes": 60}

_TYPES = {
    "text_inference": "TXT",
    "image_generation": "IMG",
    "video_generation": "VID",
    "embeddings": "EMB",
    "agent_runtime": "AGT",
    "gpu_time": "GPU",
    "custom": "CUS",
}
_MODELS = {"chat": "CHAT", "reasoning": "REAS", "image": "IMG", "video": "VID", "embedding": "EMB"}
_BANDS = {"economy": "ECO", "standard": "STD", "high": "HI", "premium": "PRM", "deterministic": "DET"}
_LATENCIES = {"realtime": "RT", "interactive": "INT", "async": "ASY", "batch": "BAT"}
_PRIVACIES = {"public": "PUB", "private": "PRV", "confidential": "CNF", "local-only": "LOC"}
_WORD = re.compile(r"[A-Z0-9]+", re.ASCII)


EXACT, DOMINANCE = "exact", "dominance"
# Which relations let a right pass, by the instrument's delivery rule.
_LETS_PASS = {EXACT: frozenset({Relation.EQUAL}), DOMINANCE: frozenset({Relation.EQUAL, Relation.BETTER})}


class Verdict(msgspec.Struct, frozen=True):
    """One dimension of a right against a class or window: how it stands to what is expected, and what would be better."""

    field: str
    expected: Any
    actual: Any
    relation: str
    rule: str
    passed: bool


def lot_size(unit: str) -> int:
    """Units per lot."""
    return _LOTS[unit]


def dimensions(manifest: Manifest, *, issuer_tier: int) -> dict[str, Any]:
    """What makes a class, flat, by the path of each field; nothing else of the manifest counts."""
    document = manifest.document
    service, settlement = document["service"], document["settlement_policy"]
    resource = document["resource"]
    found = {
        **{f"resource.{name}": resource[name] for name in ("type", "unit", "model_class", "capability_tags")},
        **{f"service.{name}": service[name] for name in ("priority", "quality_band", "latency_class", "privacy_class", "jurisdiction")},
        **{f"service.provider_constraints.{name}": value for name, value in service["provider_constraints"].items()},
        **{f"fallback_policy.{name}": value for name, value in document["fallback_policy"].items()},
        **{
            f"settlement_policy.{name}": settlement[name]
            for name in ("proof_profile", "refund_policy", "expiry_policy", "dispute_window_seconds")
        },
        "issuer.tier": issuer_tier,
        **{f"limits.{name}": value for name, value in document["limits"].items()},
    }
    return dict(sorted(found.items()))


def fingerprint(dims: dict[str, Any]) -> str:
    """SHA-256 of the canonical dimensions, hexadecimal."""
    return sha256_of(dims)


def class_key(dims: dict[str, Any]) -> str:
    """A readable name such as TXT.CHAT.STD.INT.PRV; at most 22 characters, not unique by itself.

    It shows type, first model class, quality, latency and privacy. Classes that differ elsewhere share it, and the
    registry gives the later one a longer key (`candidate_keys`).
    """
    kind, model = _TYPES[dims["resource.type"]], _model_word(dims["resource.model_class"])
    parts = [
        kind,
        "" if model == kind else model,
        _BANDS[dims["service.quality_band"]],
        _LATENCIES[dims["service.latency_class"]],
        _PRIVACIES[dims["service.privacy_class"]],
    ]
    return ".".join(part for part in parts if part)


def candidate_keys(dims: dict[str, Any], print_hex: str) -> tuple[str, ...]:
    """Keys to try in turn: the plain one, then with digits of the fingerprint where another class was first."""
    key = class_key(dims)
    return (key, *(f"{key}.{print_hex[:digits].upper()}" for digits in (4, 8, 16)))


def eligibility_verdicts(
    manifest: Manifest,
    *,
    issuer_tier: int,
    class_dims: dict[str, Any],
    window: WindowFacts | None = None,
    delivery_rule: str = EXACT,
) -> list[Verdict]:
    """One verdict per dimension, and per part of the window when one is given; eligible when all passed.

    Under `exact` only what is equal passes, under `dominance` what is better does too (rights/domain/dominance.py).
    """
    own = dimensions(manifest, issuer_tier=issuer_tier)
    lets_pass = _LETS_PASS[delivery_rule]
    verdicts = [
        Verdict(field, class_dims.get(field), own.get(field), found, RULES.get(field, ALIKE).words, found in lets_pass)
        for field, found in class_relations(own, class_dims).items()
    ]
    if window is not None:
        stated = own_window(manifest)
        for field, found in window_relations(stated, window).items():
            part = field.removeprefix("window.")
            verdicts.append(Verdict(field, getattr(window, part), getattr(stated, part), found, WINDOW_RULES[field], found in lets_pass))
    return verdicts


def own_window(manifest: Manifest) -> WindowFacts:
    """The window that a manifest states."""
    stated = manifest.document["window"]
    return WindowFacts(stated["start"], stated["end"], stated["mode"], manifest.period_s)


def _model_word(models: list[str]) -> str:
    """The first model class, shortened to four letters unless it has a customary short form; then how many there are."""
    if not models:
        return ""
    first = models[0]
    word = _MODELS.get(first) or "".join(_WORD.findall(first.upper()))[:4]
    return word if len(models) == 1 else f"{word}{len(models)}"
