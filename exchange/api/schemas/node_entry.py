"""Routes that nodes work through in front of Django (exchange/api/node_entry), described as the others are."""

from typing import Any

from exchange.api.doc import Doc
from exchange.api.openapi import operation
from exchange.services.signed_requests import NODE_SCOPE

_ROOT = "/api/v1/nodes"
_SIGNED = "Signed by the node: `X-Key` is its id."
_PREFER = {
    "name": "Prefer",
    "in": "header",
    "description": "`wait=N` seconds for a job where there is none (not at all unless given, at most 30)",
    "schema": {"type": "string"},
}


def _described(path: str, doc: Doc, *headers: dict[str, Any]) -> dict[str, Any]:
    full = f"{_ROOT}/{path}"
    return {full: {"post": operation(doc, path=full, method="POST", scope=NODE_SCOPE, headers=headers)}}


_KEEP = Doc("Keep several leases; those that are over are left out", "LeaseKept", body="LeasesKept", listed=True, description=_SIGNED)
_ALL = Doc("Hand in several results; one verdict for each", "JobVerdict", body="JobResults", listed=True, description=_SIGNED)
_LEASE = Doc(
    "Take open jobs, the oldest first; none when there are none", "NodeLease", body="LeaseRequest", listed=True, description=_SIGNED
)
PATHS: dict[str, dict[str, Any]] = {
    **_described("lease", _LEASE, _PREFER),
    **_described("heartbeat", _KEEP),
    **_described("complete", _ALL),
    **_described(
        "leases/{job_id}/heartbeat", Doc("Keep one lease", "LeaseKept", body="Empty", description=_SIGNED, errors=("lease_over",))
    ),
    **_described("leases/{job_id}/complete", Doc("Hand in the result of one job", "JobVerdict", body="JobResult", description=_SIGNED)),
    **_described(
        "leases/{job_id}/fail", Doc("Give a job back that the node can't do", "JobVerdict", body="JobFailure", description=_SIGNED)
    ),
}
