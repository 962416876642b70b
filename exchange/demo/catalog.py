"""What the demo trades: three classes of rights, their worth, and how they are offered. Values only."""

from typing import Any

import msgspec

ISSUER = "issuer"
ISSUER_TYPE = "provider"
ISSUANCE_PATH = "centralized-coordinator"
ASSURANCE_MODE = "reserved-capacity"
HAIRCUT_BPS = 1000
HOUR_US = 3600 * 1_000_000
DAY_US = 24 * HOUR_US


class Ware(msgspec.Struct, frozen=True):
    """One class and its trading rules. Prices in micro-dollars per lot; `hours` is how far ahead hourly windows are listed."""

    name: str
    label: str
    resource: dict[str, Any]
    service: dict[str, str]
    # Where the demo's supplier executes it; the other axes follow from `service`.
    capability: dict[str, str]
    lot_units: int
    worth_minor: int
    tick_minor: int
    hours: int
    supply_lots: int
    dispute_window_s: int = 0  # how long what was charged may be challenged

    @property
    def collar(self) -> tuple[int, int]:
        """Lowest and highest price in ticks: a tenth and ten times the worth."""
        return self.worth_minor // 10 // self.tick_minor, self.worth_minor * 10 // self.tick_minor


WARES = (
    Ware(
        name="chat",
        label="Chat completions, a million tokens",
        resource={"type": "text_inference", "unit": "tokens", "model_class": ["chat"], "capability_tags": ["json-mode", "tool-use"]},
        service={"priority": "standard", "quality_band": "standard", "latency_class": "interactive", "privacy_class": "private"},
        capability={"workload": "text.generation", "privacy_mode": "private-cluster", "environment": "dedicated-cluster"},
        lot_units=1_000_000,
        worth_minor=1_800_000,
        tick_minor=1_000,
        hours=4,
        supply_lots=60_000,
    ),
    Ware(
        name="embeddings",
        label="Embeddings, a thousand requests",
        resource={"type": "embeddings", "unit": "requests", "model_class": ["embedding"], "capability_tags": []},
        service={"priority": "background", "quality_band": "standard", "latency_class": "async", "privacy_class": "public"},
        capability={"workload": "text.embedding", "privacy_mode": "trusted-network", "environment": "centralized-api"},
        lot_units=1_000,
        worth_minor=120_000,
        tick_minor=100,
        hours=3,
        supply_lots=40_000,
        dispute_window_s=900,
    ),
    Ware(
        name="gpu",
        label="GPU time, one hour",
        resource={"type": "gpu_time", "unit": "minutes", "model_class": [], "capability_tags": ["cuda"]},
        service={"priority": "standard", "quality_band": "high", "latency_class": "batch", "privacy_class": "confidential"},
        capability={"workload": "gpu.batch", "privacy_mode": "private-cluster", "environment": "dedicated-cluster"},
        lot_units=60,
        worth_minor=2_150_000,
        tick_minor=1_000,
        hours=3,
        supply_lots=12_000,
    ),
)


class Share(msgspec.Struct, frozen=True):
    """What a holder gets of each window's supply: `percent` of it, as `rights` separate rights."""

    holder: str
    percent: int
    rights: int


SHARES = (
    Share("seller", 8, 2),
    Share("maker", 8, 1),
    Share("supplier", 4, 1),
    Share("vault-01", 20, 1),
    Share("vault-02", 15, 1),
    Share("vault-03", 15, 1),
    Share("desk-01", 30, 1),
)


def manifest(*, ware: Ware, units: int, start: str, end: str, reference: str) -> dict[str, Any]:
    """The manifest of one right of the ware in the window (RFC 3339 texts); everything unsaid has the schema's default."""
    return {
        "version": "synthference/v0",
        "kind": "reserved",
        "resource": {**ware.resource, "amount": str(units)},
        "service": {**ware.service, "jurisdiction": "any"},
        "window": {"start": start, "end": end, "mode": "fixed"},
        "limits": {"partial_fill_allowed": True},
        "fallback_policy": {"allow_fallback": True, "substitute_providers": True},
        "settlement_policy": {
            "proof_profile": "standard",
            "refund_policy": "pro-rata",
            "expiry_policy": "burn",
            "dispute_window_seconds": ware.dispute_window_s,
        },
        "transfer_policy": {"min_transfer_units": str(ware.lot_units)},
        "issuer": {"issuer_type": ISSUER_TYPE, "id": ISSUER, "issuance_path": ISSUANCE_PATH},
        "assurance": {"mode": ASSURANCE_MODE, "reference": reference, "unit": ware.resource["unit"]},
        "metadata": {"label": ware.label, "tags": ["demo"]},
    }
