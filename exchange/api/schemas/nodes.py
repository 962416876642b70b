"""Nodes of the pull-based network, their leases and their results."""

from exchange.api.schemas.words import (
    COUNT,
    HASH,
    MOMENT,
    POSITIVE,
    REASON,
    TEXT,
    WHOLE,
    Schema,
    answer,
    many,
    maybe,
    one_of,
    public_id,
    ref,
    request,
)
from rights.domain.capability import WORKLOADS
from settlement.domain.node_states import NODE_STATES
from settlement.services.lease import MOST_AT_ONCE

_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 80}
_KEY: Schema = {"type": "string", "minLength": 44, "maxLength": 44, "description": "Base64 of the 32 bytes of an Ed25519 public key"}
_SIGNATURE: Schema = {
    "type": "string",
    "maxLength": 88,
    "description": 'Base64 of the Ed25519 signature over `{"job":…,"output_hash":…,"units":…}`: canonical JSON, `units` a string',
}
MOST_OUTPUT = 200_000
_RESULT: dict[str, Schema] = {
    "units": {**WHOLE, "description": "Delivered; at most the lease's"},
    "output": {"type": "string", "maxLength": MOST_OUTPUT},
    "output_hash": {**HASH, "description": "SHA-256 of the output's UTF-8"},
    "signature": _SIGNATURE,
    "partial": {"type": "boolean", "default": False, "description": "Less was done than was asked for"},
}
_NEEDED = ("units", "output", "output_hash", "signature")

COMPONENTS: dict[str, Schema] = {
    "Node": answer(
        {
            "id": public_id("nod"),
            "supplier_id": public_id("sup"),
            "name": TEXT,
            "public_key": TEXT,
            "status": one_of(*NODE_STATES),
            "suspended_by": maybe(one_of("supplier", "venue")),
            "strikes": {**COUNT, "description": "Results that were not so, since it was last reinstated"},
            "leases": {**COUNT, "description": "Jobs it has now"},
            "created_at": MOMENT,
            "last_seen_at": maybe(MOMENT),
        },
        description="A machine that does a supplier's work",
    ),
    "NodeRequest": request({"name": _NAME, "public_key": _KEY}, required=("name", "public_key")),
    "NodeChange": request(
        {"name": _NAME, "status": one_of(*NODE_STATES), "reason": {**REASON, "description": "With `status`; goes on the record"}}
    ),
    "LeaseRequest": request(
        {
            "max_jobs": {"type": "integer", "minimum": 1, "maximum": MOST_AT_ONCE},
            "workloads": {**maybe(many(one_of(*WORKLOADS), 1, len(WORKLOADS))), "description": "Only jobs of these; of all unless given"},
        },
        required=("max_jobs",),
    ),
    "NodeLease": answer(
        {
            "job_id": public_id("job"),
            "workload": one_of(*WORKLOADS),
            "operation": TEXT,
            "model": {**TEXT, "description": "What the supplier calls it"},
            "unit": TEXT,
            "units": {**POSITIVE, "description": "The most that may be delivered"},
            "attempt": COUNT,
            "lease_expires_at": MOMENT,
            "deadline": {**MOMENT, "description": "No result is of use after it"},
            "payload": TEXT,
            "payload_hash": HASH,
        },
        description="A job in the node's hands until the lease expires",
    ),
    "LeasesKept": request({"job_ids": many(public_id("job"), 1, MOST_AT_ONCE)}, required=("job_ids",)),
    "LeaseKept": answer({"job_id": public_id("job"), "lease_expires_at": MOMENT}),
    "JobResult": request(_RESULT, required=_NEEDED),
    "JobResultOf": request({"job_id": public_id("job"), **_RESULT}, required=("job_id", *_NEEDED)),
    "JobResults": request({"results": many(ref("JobResultOf"), 1, MOST_AT_ONCE)}, required=("results",)),
    "JobFailure": request({"reason": {"type": "string", "minLength": 1, "maxLength": 200}}, required=("reason",)),
    "JobVerdict": answer(
        {
            "job_id": public_id("job"),
            "verdict": {
                **one_of("accepted", "refused", "lease_over", "unknown"),
                "description": "`lease_over`: it is in other hands, or done; `refused`: the result is not so, which is a strike",
            },
            "reason": {**maybe(one_of("signature", "output_hash", "above_reserved", "recount")), "description": "What was not so"},
        }
    ),
}
