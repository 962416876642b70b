"""Legs for tests of adapters: what an executor is given, without the request behind it."""

import time

from settlement.domain.work import Leg, Target

SOON_US = 30_000_000


def soon() -> int:
    """A deadline that nothing here should need."""
    return time.time_ns() // 1000 + SOON_US


def a_leg(base_url: str, operation: str = "chat.completions", **more) -> Leg:
    endpoint = Target(
        endpoint_id=1,
        endpoint_uuid="0192e4a0-0000-7000-8000-000000000001",
        adapter=more.pop("adapter", "openai"),
        base_url=base_url,
        model=more.pop("model", ""),
        secret=more.pop("secret", ""),
        timeout_ms=more.pop("timeout_ms", 20_000),
        max_attempts=more.pop("max_attempts", 2),
        inside=more.pop("inside", True),
    )
    plain = {
        "route_id": "0192e4a0-0000-7000-8000-000000000002",
        "right_id": "0192e4a0-0000-7000-8000-000000000003",
        "units": 100_000,
        "unit": "tokens",
        "workload": "text.generation",
        "supplier": "boreal",
        "region": "US",
    }
    return Leg(endpoint=endpoint, operation=operation, **{**plain, **more})
