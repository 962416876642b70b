"""Whether a right may be issued (SPEC §7): issuer, path, assurance and terms have to fit, and the capacity has to be there."""

from collections.abc import Iterator

import msgspec

from rights.domain.manifest import Manifest
from rights.domain.units import issuable_units


class Path(msgspec.Struct, frozen=True):
    """Who may issue on a path, under which assurance modes; `own_supply`: resting on the issuer's own suppliers only."""

    issuer_types: frozenset[str]
    modes: frozenset[str]
    own_supply: bool = False


_ALL_TYPES = frozenset({"provider", "market", "coordinator", "vault", "protocol"})
_ALL_MODES = frozenset({"reserved-capacity", "inventory-posted", "historical-availability", "local-allocation", "hybrid"})
PATHS = {
    # The coordinator registers rights, its own or those of providers it has taken on.
    "centralized-coordinator": Path(_ALL_TYPES, _ALL_MODES - {"local-allocation"}),
    # A supplier may promise what it has set aside or posted, not what it has usually had.
    "supplier-self": Path(frozenset({"provider"}), frozenset({"reserved-capacity", "inventory-posted"}), own_supply=True),
    "registry-federated": Path(_ALL_TYPES - {"vault"}, frozenset({"reserved-capacity", "inventory-posted", "hybrid"})),
    # A company issues to itself what it has set aside in its own house.
    "enterprise-private": Path(frozenset({"provider", "vault"}), frozenset({"reserved-capacity", "local-allocation"}), own_supply=True),
    "hybrid": Path(_ALL_TYPES, _ALL_MODES),
}


class Refusal(msgspec.Struct, frozen=True):
    """Why not: a stable code, words that say what would help, and the field of the request it is about, where it is about one."""

    code: str
    detail: str
    field: str = ""


class IssuerFacts(msgspec.Struct, frozen=True):
    """The issuer on record. `active`: its participant is in good standing."""

    slug: str
    issuer_type: str
    issuance_path: str
    active: bool


class AssuranceFacts(msgspec.Struct, frozen=True):
    """The posted capacity as it stands under lock; `issuer` a slug, units whole."""

    reference: str
    issuer: str
    mode: str
    class_fingerprint: str
    window_start_us: int
    window_end_us: int
    unit: str
    gross_units: int
    haircut_bps: int
    overbook_bps: int
    issued_units: int
    status: str
    refreshed_us: int
    stale_after_s: int


def path_refusals(issuance_path: str, issuer_type: str, mode: str, field: str) -> list[Refusal]:
    """Why an issuer of this type may not issue on this path under an assurance of this mode; `field` is the mode's place."""
    path = PATHS.get(issuance_path)
    if path is None or issuer_type not in path.issuer_types:
        return [Refusal("path_not_allowed", f"an issuer of type {issuer_type} may not issue on the path {issuance_path}", field)]
    if mode not in path.modes:
        return [Refusal("path_not_allowed", f"the path {issuance_path} takes no assurance of mode {mode}", field)]
    return []


def issuance_refusals(
    *,
    manifest: Manifest,
    fingerprint: str,
    issuer: IssuerFacts,
    assurance: AssuranceFacts,
    now_us: int,
    units: int | None = None,
) -> list[Refusal]:
    """Every reason against issuing `units` (None: all it promises) under `manifest` now; empty when they may be issued."""
    standing = standing_refusals(manifest=manifest, fingerprint=fingerprint, issuer=issuer, assurance=assurance, now_us=now_us)
    return [*standing, *_capacity(manifest.units if units is None else units, assurance)]


def standing_refusals(
    *, manifest: Manifest, fingerprint: str, issuer: IssuerFacts, assurance: AssuranceFacts, now_us: int
) -> list[Refusal]:
    """The reasons that also hold against a right whose units are issued on the assurance already."""
    return [
        *_issuer(manifest, issuer, assurance),
        *_fit(manifest, fingerprint, assurance),
        *_freshness(manifest, assurance, now_us),
    ]


def _issuer(manifest: Manifest, issuer: IssuerFacts, assurance: AssuranceFacts) -> Iterator[Refusal]:
    stated = manifest.document["issuer"]
    for field, actual in (("id", issuer.slug), ("issuer_type", issuer.issuer_type), ("issuance_path", issuer.issuance_path)):
        if stated[field] != actual:
            yield Refusal("issuer_mismatch", f"issuer.{field} says {stated[field]}, on record is {actual}", f"issuer.{field}")
    if not issuer.active:
        yield Refusal("issuer_suspended", f"issuer {issuer.slug} is suspended")
    if assurance.issuer != issuer.slug:
        yield Refusal("assurance_foreign", f"the assurance belongs to issuer {assurance.issuer}", "assurance.reference")
    yield from path_refusals(issuer.issuance_path, issuer.issuer_type, assurance.mode, field="issuer.issuance_path")


def _fit(manifest: Manifest, fingerprint: str, assurance: AssuranceFacts) -> Iterator[Refusal]:
    stated = manifest.document["assurance"]
    for field, actual in (("mode", assurance.mode), ("reference", assurance.reference)):
        if stated[field] != actual:
            yield Refusal("assurance_mismatch", f"assurance.{field} says {stated[field]}, on record is {actual}", f"assurance.{field}")
    if fingerprint != assurance.class_fingerprint:
        yield Refusal("assurance_class", "the assurance backs another class", "assurance.reference")
    if (manifest.window_start_us, manifest.window_end_us) != (assurance.window_start_us, assurance.window_end_us):
        yield Refusal("assurance_window", "the assurance backs another window", "window")
    if manifest.document["resource"]["unit"] != assurance.unit:
        yield Refusal("assurance_unit", f"the assurance counts {assurance.unit}", "resource.unit")
    overbooked = assurance.overbook_bps > 0
    if overbooked != (stated["usable_basis"] == "oversubscribed"):
        actual = "oversubscribed" if overbooked else "net-of-haircut"
        words = f"assurance.usable_basis has to say what backs the right: {actual}"
        yield Refusal("assurance_basis", words, "assurance.usable_basis")


def _freshness(manifest: Manifest, assurance: AssuranceFacts, now_us: int) -> Iterator[Refusal]:
    if now_us >= manifest.window_end_us:
        yield Refusal("window_over", "its window has ended", "window.end")
    if assurance.status == "stale" or now_us > assurance.refreshed_us + assurance.stale_after_s * 1_000_000:
        yield Refusal("assurance_stale", f"the assurance has to be refreshed at least every {assurance.stale_after_s} s")
    if assurance.status == "degraded":
        yield Refusal("assurance_degraded", "the capacity behind the assurance has fallen; issuance waits until it is sound again")


def _capacity(units: int, assurance: AssuranceFacts) -> Iterator[Refusal]:
    most = issuable_units(assurance.gross_units, assurance.haircut_bps, assurance.overbook_bps)
    left = max(0, most - assurance.issued_units)
    if units > left:
        words = f"{units} units asked, {left} may still be issued under this assurance"
        yield Refusal("capacity_exhausted", words, "resource.amount")
