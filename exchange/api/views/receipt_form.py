"""A supplier's receipt as it comes over the wire: read strictly, with the bytes that were signed."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from exchange.api import fields
from rights.domain.canonical_json import NotCanonicalError
from rights.domain.effective_policy import FALLBACKS
from rights.domain.package import MOST_PARTS
from settlement.domain.consequences import WHOLE_BPS
from settlement.domain.proofs import ProofType
from settlement.domain.receipt_body import STATUSES, LegTold, NewProof, Told, signed_bytes
from settlement.services.proof_rows import MOST_PROOFS
from settlement.services.supplier_receipt import Signed

HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
SIGNATURE = re.compile(r"[A-Za-z0-9+/]{86}==", re.ASCII)
MOST_EXPANSION = 10_000_000
MOST_TEXT = 200
_RECEIPT = ("request_id", "status", "started_at", "completed_at", "legs")
_LEG = (
    "route_id", "delivered_units", "billable_units", "latency_us", "queue_us", "fallbacks", "quality_loss_bps", "latency_expansion_bps",
    "output_ref", "output_hash", "error",
)  # fmt: skip
_PROOF = ("type", "reference", "content_hash", "units")
# What the venue says by itself, or makes of the signature.
TYPES = {str(kind): str(kind) for kind in ProofType if kind not in (ProofType.SUPPLIER_SIGNATURE, ProofType.CANCEL_AUTHORISATION)}


def signed_receipt(body: Mapping[str, Any], producer: str) -> Signed:
    """The receipt in `body`, which has the members `receipt`, `proofs`, `signature`. Raises FieldError."""
    receipt = fields.members(body["receipt"], "receipt", _RECEIPT, ("request_id", "status", "legs"))
    proofs = fields.items(body.get("proofs") or [], "proofs", 0, MOST_PROOFS, lambda value, field: _proof(value, field, producer))
    signature = fields.matching(body["signature"], "signature", SIGNATURE, "must be the base64 of an Ed25519 signature")
    try:
        raw = base64.b64decode(signature, validate=True)
        data = signed_bytes(receipt=body["receipt"], proofs=body.get("proofs") or [])
    except (binascii.Error, NotCanonicalError) as error:
        raise fields.FieldError("receipt", "has no canonical form") from error
    told = Told(
        status=fields.choice(receipt["status"], "receipt.status", {status: status for status in STATUSES if status != "cancelled"}),
        started_us=_moment(receipt, "started_at"),
        completed_us=_moment(receipt, "completed_at"),
        legs=tuple(fields.items(receipt["legs"], "receipt.legs", 0, MOST_PARTS, _leg)),
    )
    return Signed(fields.public_id(receipt["request_id"], "receipt.request_id", "req"), told, tuple(proofs), data, raw.hex())


def _moment(receipt: Mapping[str, Any], name: str) -> int | None:
    return None if receipt.get(name) is None else fields.moment_us(receipt[name], f"receipt.{name}")


def _leg(value: object, field: str) -> LegTold:
    found = fields.members(value, field, _LEG, ("route_id", "delivered_units"))

    def read(name: str, default: Any, reader: Any, *arguments: Any) -> Any:
        return default if found.get(name) is None else reader(found[name], f"{field}.{name}", *arguments)

    delivered = fields.whole(found["delivered_units"], f"{field}.delivered_units")
    return LegTold(
        route_id=fields.public_id(found["route_id"], f"{field}.route_id", "rte"),
        delivered_units=delivered,
        billable_units=read("billable_units", delivered, fields.whole),
        latency_us=read("latency_us", 0, fields.whole),
        queue_us=read("queue_us", 0, fields.whole),
        fallbacks=tuple(sorted(set(read("fallbacks", [], fields.items, 0, len(FALLBACKS), _fallback)))),
        quality_loss_bps=read("quality_loss_bps", 0, fields.integer, 0, WHOLE_BPS),
        latency_expansion_bps=read("latency_expansion_bps", 0, fields.integer, 0, MOST_EXPANSION),
        output_ref=read("output_ref", "", fields.text, 1, MOST_TEXT),
        output_hash=read("output_hash", "", fields.matching, HASH, "must be a SHA-256 in 64 hexadecimal digits"),
        error=read("error", "", fields.text, 1, MOST_TEXT),
    )


def _fallback(value: object, field: str) -> str:
    return fields.choice(value, field, {name: name for name in FALLBACKS})


def _proof(value: object, field: str, producer: str) -> NewProof:
    found = fields.members(value, field, _PROOF, ("type", "reference", "content_hash"))
    return NewProof(
        type=fields.choice(found["type"], f"{field}.type", TYPES),
        reference=fields.text(found["reference"], f"{field}.reference", 1, MOST_TEXT),
        content_hash=fields.matching(found["content_hash"], f"{field}.content_hash", HASH, "must be a SHA-256 in 64 hexadecimal digits"),
        producer=producer,
        units=None if found.get("units") is None else fields.whole(found["units"], f"{field}.units"),
    )
