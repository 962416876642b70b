"""Requests signed with Ed25519 (API.md, Identity): who signed, when, and never twice."""

import re

import msgspec

from exchange.domain.signed_request import signed_request
from rights.kernel import rows
from rights.kernel.clock import rfc3339
from rights.kernel.ids import bare
from settlement.domain.node_results import is_signed

DEFAULT_WINDOW_MS = 5_000
MOST_WINDOW_MS = 60_000
MOST_AHEAD_MS = 1_000  # a clock may be so much before ours
NODE_SCOPE = "node"
_MILLIS = re.compile(r"[1-9][0-9]{0,14}", re.ASCII)
_NONCE = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)
# A supplier's node acts for the first account of the supplier's owner.
_NODE = """
SELECT n.uuid::text, n.public_key, s.slug, a.id
FROM settlement_node n JOIN rights_supplier s ON s.id = n.supplier_id JOIN rights_participant p ON p.id = s.participant_id
JOIN rights_account a ON a.participant_id = p.id AND a.code IS NULL
WHERE n.uuid = %s ORDER BY a.id LIMIT 1
"""
_FORGET = "DELETE FROM settlement_nodenonce WHERE used_at < %s"


class Signed(msgspec.Struct, frozen=True):
    """The four headers and the window, as they came; `key` is the public id of who is to have signed."""

    key: str
    timestamp: str
    nonce: str
    signature: str
    window: str = ""


class KnownNode(msgspec.Struct, frozen=True):
    """What of a node never changes: it may be remembered as long as a process lives. `account_id`: whose rate it draws from."""

    node_id: str
    public_key: str
    supplier: str
    account_id: int

    @property
    def actor(self) -> str:
        return f"node:{self.node_id}"


def known_node(*, node_id: str) -> KnownNode | None:
    """The node with this UUID."""
    row = rows.fetch_one(_NODE, [node_id])
    return None if row is None else KnownNode(*row)


def node_named(signed: Signed, now_us: int) -> str | None:
    """The UUID of the node that is to have signed; None where the headers are of no call that could be taken now."""
    return bare("nod", signed.key) if _is_fresh(signed, now_us) else None


def has_signed(node: KnownNode, signed: Signed, *, method: str, target: str, body: bytes) -> bool:
    """Whether the node signed just this. Whether it has come before, the transaction that does it finds out."""
    said = signed_request(timestamp=signed.timestamp, nonce=signed.nonce, method=method, target=target, body=body)
    return is_signed(public_key=node.public_key, signature=signed.signature, data=said)


def forget_nonces(*, now_us: int) -> int:
    """Drop the nonces of requests that are too old to be taken anyhow; how many."""
    return rows.execute(_FORGET, [rfc3339(now_us - 2 * MOST_WINDOW_MS * 1000)])


def _is_fresh(signed: Signed, now_us: int) -> bool:
    window = signed.window or str(DEFAULT_WINDOW_MS)
    well_formed = _MILLIS.fullmatch(signed.timestamp) and _NONCE.fullmatch(signed.nonce) and _MILLIS.fullmatch(window)
    if not well_formed or int(window) > MOST_WINDOW_MS:
        return False
    age_ms = now_us // 1000 - int(signed.timestamp)
    return -MOST_AHEAD_MS <= age_ms <= int(window)
