"""An event as the API shows it, made into the bytes that were hashed again (docs/events.md). Pure."""

import hashlib
from typing import Any

from rights.domain.canonical_json import canonical_json
from rights.domain.statement import BROKEN

_SAME = ("actor", "at", "id", "object", "payload", "prev_hash", "refs", "salt", "seq", "type")


def event_faults(document: Any) -> list[str]:
    """What is wrong with an event of which nothing is withheld; one that is not shown whole can't be hashed again."""
    try:
        if document["withheld"]:
            return [f"not shown whole, so that its hash can't be made again: {', '.join(document['withheld'])} withheld"]
        body = canonical_json({**{name: document[name] for name in _SAME}, "registry": document["stream"]})
        return [] if hashlib.sha256(body).hexdigest() == document["hash"] else ["the hash is not that of the event"]
    except BROKEN as fault:
        return [f"not an event: {fault!r}"]
