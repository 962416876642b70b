"""Nodes, and what they lease and are answered, as the wire shows them."""

from typing import Any

from exchange.selectors.nodes import NodeRow
from rights.kernel.clock import rfc3339
from settlement.services.complete import Answered
from settlement.services.lease import Lease


def node(row: NodeRow) -> dict[str, Any]:
    return {
        "id": f"nod_{row.uuid}",
        "supplier_id": f"sup_{row.supplier_uuid}",
        "name": row.name,
        "public_key": row.public_key,
        "status": row.status,
        "suspended_by": row.suspended_by or None,
        "strikes": row.strikes,
        "leases": row.leases,
        "created_at": rfc3339(row.created_us),
        "last_seen_at": None if row.seen_us is None else rfc3339(row.seen_us),
    }


def lease(row: Lease) -> dict[str, Any]:
    """A job with all that is needed to do it; `payload` is the text that hashes to `payload_hash`."""
    return {
        "job_id": f"job_{row.job_id}",
        "workload": row.workload,
        "operation": row.operation,
        "model": row.model,
        "unit": row.unit,
        "units": str(row.units),
        "attempt": row.attempt,
        "lease_expires_at": rfc3339(row.expires_us),
        "deadline": rfc3339(row.deadline_us),
        "payload": row.body,
        "payload_hash": row.body_hash,
    }


def verdict(answered: Answered) -> dict[str, Any]:
    return {"job_id": f"job_{answered.job_id}", "verdict": answered.verdict, "reason": answered.detail or None}


def kept(job_id: str, expires_us: int) -> dict[str, Any]:
    return {"job_id": f"job_{job_id}", "lease_expires_at": rfc3339(expires_us)}
