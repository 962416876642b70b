"""The reference manifests, published beside the schema: documents with the verdict that `read_manifest` must give (SPEC §2).

An invalid one is written as what it changes of a valid one (a merge patch, RFC 7396), so that its fault stands out.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from rights.domain.manifest import ManifestRefusedError, read_manifest

FIXTURES = Path(__file__).parents[1] / "fixtures" / "manifests"


class Reference(msgspec.Struct, frozen=True):
    """`expect`: (field, code) of every fault, none for a valid one; `terms_hash` only of a valid one; `about` names the rule."""

    name: str
    about: str
    manifest: Any
    expect: tuple[tuple[str, str], ...] = ()
    terms_hash: str | None = None


@cache
def reference_manifests() -> tuple[Reference, ...]:
    """All of them, the valid ones first."""
    verdicts = _read(FIXTURES / "golden.json")
    documents = {path.stem: _read(path) for path in sorted((FIXTURES / "valid").glob("*.json"))}
    found = [Reference(name, verdicts[name]["about"], document, (), verdicts[name]["terms_hash"]) for name, document in documents.items()]
    for path in sorted((FIXTURES / "invalid").glob("*.json")):
        example = _read(path)
        expect = tuple((fault["field"], fault["code"]) for fault in example["expect"])
        found.append(Reference(path.stem, example["about"], merged(documents[example["of"]], example["merge"]), expect))
    return tuple(found)


def verdict_of(document: Any) -> tuple[tuple[tuple[str, str], ...], str | None]:
    """The verdict in the form of `Reference`: the faults in order, or none and the terms hash."""
    try:
        return (), read_manifest(document).terms_hash
    except ManifestRefusedError as refused:
        return tuple(sorted((fault.field, fault.code) for fault in refused.faults)), None


def as_expected(reference: Reference) -> bool:
    """Whether the verdict is exactly the one that is expected."""
    return verdict_of(reference.manifest) == (tuple(sorted(reference.expect)), reference.terms_hash)


def merged(document: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    result = dict(document) if isinstance(document, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
