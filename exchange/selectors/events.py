"""The registry's events as a caller may see them (docs/events.md, Who sees what)."""

from collections.abc import Mapping
from typing import Any

import msgspec
import orjson

from exchange.selectors import named, registry
from exchange.services.identity import Principal
from rights.kernel import rows
from rights.kernel.ids import bare

PUBLIC = frozenset({"instrument", "assurance", "issuer", "anchor", "venue_key"})
# Both ways to an event, each by its own index in the order of the answer.
_SQL = """
WITH found AS (
    (SELECT stream_id, seq, body, hash FROM rights_event e WHERE e.object_id = %(object)s AND (e.stream_id, e.seq) > (%(stream)s, %(seq)s)
        AND (%(families)s::text[] IS NULL OR split_part(e.type, '.', 1) = ANY(%(families)s::text[]))
        AND (%(type)s::text IS NULL OR e.type = %(type)s OR starts_with(e.type, %(type)s || '.')) AND e.seq > %(after)s
        ORDER BY stream_id, seq LIMIT %(limit)s)
    UNION
    (SELECT stream_id, seq, body, hash FROM rights_event e WHERE e.ref_right = %(object)s AND (e.stream_id, e.seq) > (%(stream)s, %(seq)s)
        AND (%(families)s::text[] IS NULL OR split_part(e.type, '.', 1) = ANY(%(families)s::text[]))
        AND (%(type)s::text IS NULL OR e.type = %(type)s OR starts_with(e.type, %(type)s || '.')) AND e.seq > %(after)s
        ORDER BY stream_id, seq LIMIT %(limit)s))
SELECT stream_id, seq, body, hash FROM found ORDER BY 1, 2 LIMIT %(limit)s
"""
_STREAM = """
SELECT e.stream_id, e.seq, e.body, e.hash FROM rights_event e WHERE e.stream_id = (SELECT id FROM rights_stream WHERE code = %(code)s)
    AND e.seq > greatest(%(after)s, %(seq)s) AND (%(type)s::text IS NULL OR e.type = %(type)s OR starts_with(e.type, %(type)s || '.'))
ORDER BY e.seq LIMIT %(limit)s
"""
_ACCOUNTS = "SELECT 'acc_' || uuid::text FROM rights_account WHERE participant_id = %s"
_PARTY = "SELECT 1 FROM exchange_trade WHERE id = %s AND %s IN (buyer_id, seller_id)"


class Found(msgspec.Struct, frozen=True):
    """An event's place and what the caller sees of it."""

    stream_id: int
    seq: int
    document: dict[str, Any]


class Viewer:
    """What one caller may see, and what of it is withheld."""

    def __init__(self, principal: Principal) -> None:
        self._principal = principal
        self.sees_all = bool(principal.scopes & registry.EVERYTHING)
        self._own = {principal.participant_slug, principal.actor}
        if not self.sees_all:
            self._own |= {row[0] for row in rows.fetch_all(_ACCOUNTS, [principal.participant_id])}

    def of_object(self, object_id: str, *, kind: str | None, after_seq: int, limit: int, after: tuple[int, int] = (0, 0)) -> list[Found]:
        """Events about an object, or referring to it if it is a right; at most `limit` + 1, in order of stream and sequence."""
        families = None if self.sees_all else sorted(self._families(object_id))
        values = {"object": object_id, "families": families, "type": kind, "after": after_seq, "limit": limit + 1}
        return self._shown(named.fetch_all(_SQL, values | {"stream": after[0], "seq": after[1]}))

    def of_stream(self, code: str, *, kind: str | None, after_seq: int, limit: int, after: tuple[int, int] = (0, 0)) -> list[Found]:
        """Events of one stream; for those who see everything."""
        values = {"code": code, "type": kind, "after": after_seq, "limit": limit + 1, "seq": after[1]}
        return self._shown(named.fetch_all(_STREAM, values))

    def _families(self, object_id: str) -> frozenset[str]:
        """Which families of types the caller may see about this object."""
        if right := bare("rgt", object_id):
            return frozenset({"right"}) if registry.right(self._principal, right) else frozenset()
        if trade := bare("trd", object_id):
            return frozenset({"trade"}) if rows.fetch_one(_PARTY, [trade, self._principal.account_id]) else frozenset()
        if object_id in self._own:
            return PUBLIC | {"account"} if bare("acc", object_id) else PUBLIC | {"participant"}
        return PUBLIC

    def _shown(self, found: list[tuple[Any, ...]]) -> list[Found]:
        return [Found(stream_id, seq, self.shown(orjson.loads(body), digest)) for stream_id, seq, body, digest in found]

    def shown(self, body: dict[str, Any], digest: str) -> dict[str, Any]:
        """The event with what concerns others alone left null; `withheld` names those members."""
        withheld: list[str] = []
        if not self.sees_all:
            hidden = self._other_side(body)
            body = {name: self._part(value, name, hidden, withheld) for name, value in body.items()}
        return {
            "id": body["id"],
            "stream": body["registry"],
            "seq": body["seq"],
            "type": body["type"],
            "object": body["object"],
            "at": body["at"],
            "actor": body["actor"],
            "payload": body["payload"],
            "refs": body["refs"],
            "prev_hash": body["prev_hash"],
            "hash": digest,
            "withheld": withheld,
        }

    def _other_side(self, body: Mapping[str, Any]) -> frozenset[str]:
        """Of a trade, the members that are the other side's."""
        if body["type"] != "trade.executed":
            return frozenset()
        hidden: set[str] = set()
        for side, owner in (("buy", "buyer"), ("sell", "seller")):
            if body["payload"][owner] not in self._own:
                hidden |= {f"{side}_order", f"{side}_fee"}
        return frozenset(hidden)

    def _part(self, value: Any, path: str, hidden: frozenset[str], withheld: list[str]) -> Any:
        if isinstance(value, dict):
            return {name: self._part(part, f"{path}.{name}", hidden, withheld) for name, part in value.items()}
        if isinstance(value, list):
            return [self._part(part, f"{path}.{place}", hidden, withheld) for place, part in enumerate(value)]
        if self._may_know(value, path.rpartition(".")[2], hidden):
            return value
        withheld.append(path)
        return None

    def _may_know(self, value: Any, name: str, hidden: frozenset[str]) -> bool:
        if not isinstance(value, str) or value in self._own:
            return True
        if name in hidden or name in {"note", "participant", "salt"}:
            return name == "salt"
        return not value.startswith(("acc_", "key:", "user:", "key_"))
