"""A right's manifest (SPEC §2): checked against the published schema and the rules across fields, completed, hashed.

`read_manifest` takes a parsed document (numbers are Python integers; the API's parser lets no float through) and gives
its one canonical form: defaults written out, sets sorted, moments normalised. Its SHA-256 is the terms hash.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from rights.domain.canonical_json import canonical_json, sha256_of
from rights.domain.manifest_faults import Fault, schema_faults
from rights.domain.manifest_rules import cross_field_faults
from rights.domain.moment import parse_us, text_of
from rights.domain.window import ends_us

VERSION = "synthference/v0"
SCHEMA_PATH = Path(__file__).parent / "schema" / "manifest.v0.json"
SCHEMA: dict[str, Any] = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))


class ManifestRefusedError(ValueError):
    """Every fault at once, each with the path of its field."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{fault.field}: {fault.detail}" for fault in faults))
        self.faults = tuple(faults)

    @property
    def field_errors(self) -> list[dict[str, str]]:
        """As the API writes them."""
        return [{"field": fault.field, "code": fault.code, "detail": fault.detail} for fault in self.faults]


class Manifest(msgspec.Struct, frozen=True):
    """Canonical terms. `document` has every field of the schema; `text` is its RFC 8785 form."""

    document: dict[str, Any]
    text: str
    terms_hash: str

    @property
    def units(self) -> int:
        """The most that can ever be delivered, whole units."""
        return int(self.document["resource"]["amount"])

    @property
    def window_start_us(self) -> int:
        return parse_us(self.document["window"]["start"])

    @property
    def window_end_us(self) -> int:
        return parse_us(self.document["window"]["end"])

    @property
    def period_s(self) -> int:
        """The epoch's size, or a rolling window's length; 0 for a fixed window."""
        window = self.document["window"]
        return window["epoch_size_seconds"] or window["rolling_length_seconds"] or 0

    def ends_us(self, activated_us: int | None) -> int:
        """When the right ends, activated at that moment or not yet."""
        mode = self.document["window"]["mode"]
        return ends_us(mode=mode, window_end_us=self.window_end_us, period_s=self.period_s, activated_us=activated_us)


def read_manifest(document: object) -> Manifest:
    """The canonical manifest, or ManifestRefusedError with every fault."""
    faults = schema_faults(SCHEMA, document)
    if faults or not isinstance(document, dict):
        raise ManifestRefusedError(faults)
    complete = _completed(SCHEMA, document)
    faults = cross_field_faults(complete)
    if faults:
        raise ManifestRefusedError(faults)
    normal = _normal_moments(complete)
    return Manifest(normal, canonical_json(normal).decode(), sha256_of(normal))


def stored_manifest(text: str, terms_hash: str) -> Manifest:
    """A manifest as it was stored; it was checked then."""
    return Manifest(json.loads(text), text, terms_hash)


def _completed(schema: Mapping[str, Any], value: Any) -> Any:
    """`value` with the schema's defaults written out; every list of a manifest is a set, so it is sorted."""
    if isinstance(value, list):
        return sorted(value)
    if not isinstance(value, dict):
        return value
    complete = {}
    for name, inner in schema["properties"].items():
        if name in value:
            complete[name] = _completed(inner, value[name])
        elif "default" in inner:
            complete[name] = _completed(inner, inner["default"])
    return complete


def _normal_moments(document: dict[str, Any]) -> dict[str, Any]:
    """Moments written one way: two spellings of one moment are the same terms."""
    window, policy = document["window"], document["transfer_policy"]
    lockup = policy["lockup_until"]
    return {
        **document,
        "window": {**window, "start": text_of(parse_us(window["start"])), "end": text_of(parse_us(window["end"]))},
        "transfer_policy": {**policy, "lockup_until": lockup and text_of(parse_us(lockup))},
    }
