"""What an executor is given: the work of a request, one leg per locked route (SPEC §8). Values of the moment it began; no money."""

import msgspec

OWN_ADAPTERS = frozenset({"batch"})  # executed by the supplier itself, without a call of the venue's; it tells its receipt


class Target(msgspec.Struct, frozen=True):
    """Where a leg is executed: a row of `settlement_endpoint`. `secret` as it is stored, encrypted; `inside`: an operator lets the
    address be one that is not global.
    """

    endpoint_id: int
    endpoint_uuid: str
    adapter: str
    base_url: str
    model: str
    secret: str
    timeout_ms: int
    max_attempts: int
    inside: bool = False


class Leg(msgspec.Struct, frozen=True):
    """One locked route: at most `units` (counted in `unit`) may be delivered through it. `fallbacks`: the degradations it means."""

    route_id: str
    right_id: str
    endpoint: Target
    units: int
    unit: str
    workload: str
    operation: str
    supplier: str
    region: str
    fallbacks: tuple[str, ...] = ()
    quality_loss_bps: int = 0


class Work(msgspec.Struct, frozen=True):
    """A request that is executing. `body` is its payload, None when whoever executes has it in hand; nothing counts after `deadline_us`."""

    request_id: str
    envelope_hash: str
    deadline_us: int
    body: str | None
    legs: tuple[Leg, ...]
    is_partial_allowed: bool = False
