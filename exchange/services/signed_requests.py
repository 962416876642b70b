"""Requests signed with Ed25519 (API.md, Identity): who signed, when, and never twice."""

import re
from collections.abc import Mapping

import msgspec

from exchange.domain.signed_request import signed_request
from exchange.services.identity import Principal
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
SELECT n.id, n.uuid::text, n.public_key, a.id, a.uuid::text, p.id, p.slug, a.holder_type, a.status <> 'active' OR p.status <> 'active'
FROM settlement_node n JOIN rights_supplier s ON s.id = n.supplier_id JOIN rights_participant p ON p.id = s.participant_id
JOIN rights_account a ON a.participant_id = p.id AND a.code IS NULL
WHERE n.uuid = %s ORDER BY a.id LIMIT 1
"""
_USE_NONCE = "INSERT INTO settlement_nodenonce (node_id, nonce, used_at) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
_FORGET = "DELETE FROM settlement_nodenonce WHERE used_at < %s"


class Signed(msgspec.Struct, frozen=True):
    """The four headers and the window, as they came; `key` is the public id of who is to have signed."""

    key: str
    timestamp: str
    nonce: str
    signature: str
    window: str = ""


def read_headers(headers: Mapping[str, str]) -> Signed | None:
    """None without `X-Key`."""
    if "X-Key" not in headers:
        return None
    named = ("X-Key", "X-Timestamp", "X-Nonce", "X-Signature", "X-Recv-Window")
    return Signed(*(headers.get(name, "") for name in named))


def principal_of_node(signed: Signed, *, method: str, target: str, body: bytes, now_us: int) -> Principal | None:
    """The node that signed the request; None for anything else, without saying why. Its nonce is used up."""
    uuid = bare("nod", signed.key)
    if uuid is None or not _is_fresh(signed, now_us):
        return None
    row = rows.fetch_one(_NODE, [uuid])
    said = signed_request(timestamp=signed.timestamp, nonce=signed.nonce, method=method, target=target, body=body)
    if row is None or not is_signed(public_key=row[2], signature=signed.signature, data=said):
        return None
    if not rows.execute(_USE_NONCE, [row[0], signed.nonce, rfc3339(now_us)]):
        return None
    account_id, account_uuid, participant_id, slug, holder_type, suspended = row[3:]
    return Principal(
        account_id=account_id,
        account_uuid=account_uuid,
        participant_id=participant_id,
        participant_slug=slug,
        holder_type=holder_type,
        scopes=frozenset() if suspended else frozenset({NODE_SCOPE}),
        actor=f"node:{uuid}",
        key_id=None,
        user_id=None,
        key_uuid=uuid,
        suspended=suspended,
    )


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
