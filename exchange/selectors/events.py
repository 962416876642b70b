"""The registry's events as a caller may see them (docs/events.md, Who sees what)."""

import functools
from typing import Any

import msgspec
import orjson

from exchange.selectors import event_sight, named
from exchange.selectors.registry import EVERYTHING
from exchange.services.identity import Principal
from rights.kernel import rows

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
# Ids of those who act, and of others' accounts and keys.
_ACTORS = ("key:", "user:")
_OTHERS = (*_ACTORS, "acc_", "key_")
_ACCOUNTS = "SELECT 'acc_' || uuid::text FROM rights_account WHERE participant_id = %s"


class Found(msgspec.Struct, frozen=True):
    """An event's place and what the caller sees of it."""

    stream_id: int
    seq: int
    document: dict[str, Any]


class Viewer:
    """What one caller may see, and what of it is withheld."""

    def __init__(self, principal: Principal) -> None:
        self._principal = principal
        self.sees_all = bool(principal.scopes & EVERYTHING)
        own = {principal.participant_slug, principal.actor}
        if not self.sees_all:
            own |= {row[0] for row in rows.fetch_all(_ACCOUNTS, [principal.participant_id])}
        self._own = frozenset(own)
        self._supplies = functools.cache(functools.partial(event_sight.supplies, principal))

    def of_object(self, object_id: str, *, kind: str | None, after_seq: int, limit: int, after: tuple[int, int] = (0, 0)) -> list[Found]:
        """Events about an object, or referring to it if it is a right; at most `limit` + 1, in order of stream and sequence."""
        families = None if self.sees_all else sorted(event_sight.families(self._principal, object_id, self._own))
        values = {"object": object_id, "families": families, "type": kind, "after": after_seq, "limit": limit + 1}
        return self._shown(named.fetch_all(_SQL, values | {"stream": after[0], "seq": after[1]}))

    def of_stream(self, code: str, *, kind: str | None, after_seq: int, limit: int, after: tuple[int, int] = (0, 0)) -> list[Found]:
        """Events of one stream; for those who see everything."""
        values = {"code": code, "type": kind, "after": after_seq, "limit": limit + 1, "seq": after[1]}
        return self._shown(named.fetch_all(_STREAM, values))

    def _shown(self, found: list[tuple[Any, ...]]) -> list[Found]:
        return [Found(stream_id, seq, self.shown(orjson.loads(body), digest)) for stream_id, seq, body, digest in found]

    def shown(self, body: dict[str, Any], digest: str) -> dict[str, Any]:
        """The event with what concerns others alone left null; `withheld` names those members."""
        withheld: list[str] = []
        if not self.sees_all:
            shared = body["type"].partition(".")[0] in event_sight.SHARED
            hidden = event_sight.withheld_names(body, self._own, self._supplies)
            body = {name: self._part(value, name, hidden, withheld, shared=shared) for name, value in body.items()}
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
            "salt": None if withheld else body["salt"],
            "prev_hash": body["prev_hash"],
            "hash": digest,
            "withheld": withheld,
        }

    def _part(self, value: Any, path: str, hidden: frozenset[str], withheld: list[str], *, shared: bool) -> Any:
        if value is None or (isinstance(value, str) and value in self._own):
            return value
        if path.rpartition(".")[2] in hidden:
            withheld.append(path)
            return None
        if isinstance(value, dict):
            return {name: self._part(part, f"{path}.{name}", hidden, withheld, shared=shared) for name, part in value.items()}
        if isinstance(value, list):
            return [self._part(part, f"{path}.{place}", hidden, withheld, shared=shared) for place, part in enumerate(value)]
        if isinstance(value, str) and value.startswith(_ACTORS if shared else _OTHERS):
            withheld.append(path)
            return None
        return value
