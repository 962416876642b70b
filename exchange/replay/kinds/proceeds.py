"""Sellers' proceeds as they were released, as the events of their trades tell it."""

from exchange.domain.proceeds import RELEASED
from exchange.replay.object_states import Fields, ObjectKind, Payload
from exchange.replay.right_tables import MOMENT


def _released(states: dict[str, Fields], object_id: str, payload: Payload, at: str) -> None:
    if object_id in states:
        raise ValueError(f"the proceeds of {object_id} were released before")
    states[object_id] = {name: payload[name] for name in ("buyer_minor", "entry_id", "seller_minor")} | {"at": at}


_PROCEEDS = f"""
SELECT 'trd_' || p.trade_id, jsonb_build_object('at', {MOMENT.format("p.released_at")}, 'buyer_minor', p.buyer_minor::text,
       'entry_id', p.entry_id, 'seller_minor', p.seller_minor::text)
FROM exchange_proceeds p ORDER BY 1
"""
KINDS = (ObjectKind("proceeds", {RELEASED: _released}, _PROCEEDS),)
