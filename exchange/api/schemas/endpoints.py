"""Where capabilities are executed, on the wire. The secret only goes in."""

from exchange.api.schemas.words import COUNT, FLAG, MOMENT, REASON, TEXT, answer, maybe, one_of, public_id, request
from settlement.models.request import ADAPTERS
from settlement.services.endpoints import ATTEMPTS, MOST_MODEL, MOST_SECRET, TIMEOUT_MS

_SETUP = {
    "adapter": one_of(*ADAPTERS),
    "base_url": {"type": "string", "minLength": 1, "maxLength": 300},
    "model": {"type": "string", "minLength": 1, "maxLength": MOST_MODEL, "description": "What the supplier calls it"},
    "secret": {
        "type": "string",
        "pattern": f"^[!-~]{{0,{MOST_SECRET}}}$",
        "description": "Sent to the supplier as a bearer token; kept encrypted, never shown",
    },
    "timeout_ms": {"type": "integer", "minimum": TIMEOUT_MS[0], "maximum": TIMEOUT_MS[1]},
    "max_attempts": {"type": "integer", "minimum": ATTEMPTS[0], "maximum": ATTEMPTS[1]},
    "inside": {**FLAG, "description": "The address may be one that is not global; only an operator says so"},
}
COMPONENTS = {
    "Endpoint": answer(
        {
            "id": public_id("end"),
            "supplier_id": public_id("sup"),
            "capability_id": public_id("cap"),
            "adapter": one_of(*ADAPTERS),
            "base_url": TEXT,
            "model": TEXT,
            "with_secret": FLAG,
            "timeout_ms": COUNT,
            "max_attempts": COUNT,
            "inside": FLAG,
            "status": one_of("active", "paused"),
            "health": answer(
                {
                    "breaker": one_of("closed", "open"),
                    "opened_until": maybe(MOMENT),
                    "failures_in_a_row": COUNT,
                    "latency_ms": maybe(COUNT),
                },
                description="What was measured lately; while the breaker is open the endpoint is not called",
            ),
            "created_at": MOMENT,
        }
    ),
    "EndpointRequest": request({"capability_id": public_id("cap"), **_SETUP}, required=("capability_id", "adapter")),
    "EndpointChange": request(
        {**{name: schema for name, schema in _SETUP.items() if name != "adapter"}, "status": one_of("active", "paused"), "reason": REASON},
        description="What is left out stays as it is",
    ),
}
