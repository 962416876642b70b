"""Which node calls, read off the raw ASGI scope. Once `X-Key` is there, the signature alone decides."""

from typing import Any

from exchange.api.node_entry.heard import Heard
from exchange.api.order_entry.access import header, need, principal_of
from exchange.api.problems import Problem
from exchange.services.signed_requests import MOST_WINDOW_MS, NODE_SCOPE, KnownNode, Signed, has_signed, known_node, node_named
from rights.kernel.clock import now_us
from settlement.services.off_loop import in_thread

MOST = 10_000
_HEADERS = (b"x-key", b"x-timestamp", b"x-nonce", b"x-signature", b"x-recv-window")
_known: dict[str, KnownNode] = {}
_heard = Heard(MOST_WINDOW_MS // 1000 + 1)


async def node_of(scope: dict[str, Any], body: bytes) -> tuple[KnownNode, str]:
    """Who signed the request, and the nonce it is good with once. Raises Problem `unauthenticated`, for keys and members `scope_missing`."""
    if header(scope, b"x-key") is None:
        need(await principal_of(scope), NODE_SCOPE)  # which nobody has but a node
    signed = Signed(*(header(scope, name) or "" for name in _HEADERS))
    node_id = node_named(signed, now_us())
    node = None if node_id is None else _known.get(node_id) or await _known_now(node_id)
    query = scope["query_string"].decode("latin-1")
    target = scope["path"] + (f"?{query}" if query else "")
    if node is None or not has_signed(node, signed, method=scope["method"], target=target, body=body):
        raise Problem("unauthenticated")
    if not _heard.is_new(node.node_id, signed.nonce, signed_s=int(signed.timestamp) // 1000, now_s=now_us() // 1_000_000):
        raise Problem("unauthenticated")
    return node, signed.nonce


async def _known_now(node_id: str) -> KnownNode | None:
    node = await in_thread(known_node, node_id=node_id)
    if node is not None:
        if len(_known) >= MOST:
            _known.clear()
        _known[node_id] = node
    return node
