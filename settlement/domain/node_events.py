"""The payloads of nodes' events (docs/events.md). Jobs and leases are a queue, not memory: what came of them is in the receipt."""

from typing import Final

Payload = dict[str, object]

REGISTERED: Final = "node.registered"
RENAMED: Final = "node.renamed"
SUSPENDED: Final = "node.suspended"
REINSTATED: Final = "node.reinstated"
STRUCK: Final = "node.struck"


def registered(*, supplier: str, name: str, public_key: str) -> Payload:
    """A new node of a supplier (its public id), active, without strikes."""
    return {"name": name, "public_key": public_key, "supplier": supplier}


def renamed(*, name: str) -> Payload:
    return {"name": name}


def suspended(*, by: str, reason: str) -> Payload:
    """`by`: supplier or venue. What it had leased is offered to others."""
    return {"by": by, "reason": reason}


def reinstated(*, reason: str) -> Payload:
    """Active, and without strikes."""
    return {"reason": reason}


def struck(*, job: str, request: str, lie: str, units: int, output_hash: str, signature: str, strikes: int) -> Payload:
    """What a node claimed of a job and was not so. `strikes`: how many it has with this one."""
    return {
        "job": job,
        "lie": lie,
        "output_hash": output_hash,
        "request": request,
        "signature": signature,
        "strikes": strikes,
        "units": str(units),
    }
