"""A holder's standing policy (SPEC §11): what it wants of one class, within which limits. Values only.

Prices in minor units per lot, spans in microseconds, amounts in units, parts in basis points.
"""

import msgspec

REBALANCER, AGENT = "rebalancer", "agent"
KINDS = (REBALANCER, AGENT)
ACTIVE, PAUSED, STOPPED, ENDED = "active", "paused", "stopped", "ended"
STATES = (ACTIVE, PAUSED, STOPPED, ENDED)
PRIORITIES = ("premium", "standard", "background")
RULES = ("coverage", "sell_unused", "roll", "swap")


class Target(msgspec.Struct, frozen=True):
    """Units wanted in the window that starts then."""

    start_us: int
    units: int


class Coverage(msgspec.Struct, frozen=True):
    """Hold what is needed: `targets` by window, `units` in every other one that starts within the horizon."""

    max_price_minor: int
    targets: tuple[Target, ...] = ()
    units: int = 0
    tolerance_units: int = 0
    horizon_us: int = 24 * 3_600_000_000
    slippage_bps: int = 100
    rest: bool = True

    def need_units(self, start_us: int) -> int:
        return next((target.units for target in self.targets if target.start_us == start_us), self.units)


class SellUnused(msgspec.Struct, frozen=True):
    """Sell what nobody will use: from `before_end_us` before the window's end, never below the least price."""

    min_price_minor: int
    before_end_us: int
    slippage_bps: int = 500
    rest: bool = True


class Roll(msgspec.Struct, frozen=True):
    """Sell what nobody will use and buy as much in the class's next window, for at most so much more than the sale brings."""

    before_end_us: int
    max_cost_bps: int
    slippage_bps: int = 100


class Swap(msgspec.Struct, frozen=True):
    """Sell what nobody will use and buy units of another class in the same window: `units_bps` of them for each."""

    to_class: str
    before_end_us: int
    max_cost_bps: int
    units_bps: int = 10_000
    slippage_bps: int = 100


class Limits(msgspec.Struct, frozen=True):
    """What one run, and all runs of one UTC day, may do. Spending: what buys cost at their limit prices."""

    max_orders_per_run: int = 20
    max_spend_per_run_minor: int | None = None
    max_spend_per_day_minor: int | None = None


class Rebalancing(msgspec.Struct, frozen=True):
    """A rebalancer's rules for one class; a rule that is None is not followed."""

    class_key: str
    coverage: Coverage | None = None
    sell_unused: SellUnused | None = None
    roll: Roll | None = None
    swap: Swap | None = None
    limits: Limits = Limits()

    @property
    def classes(self) -> tuple[str, ...]:
        """Every class it looks at."""
        return (self.class_key,) if self.swap is None else (self.class_key, self.swap.to_class)


class Hours(msgspec.Struct, frozen=True):
    """When a priority of service may be bought or used: whole UTC hours from `from_hour` up to `to_hour`; across midnight when that is less."""

    priority: str
    from_hour: int = 0
    to_hour: int = 24

    def cover(self, hour: int) -> bool:
        if self.from_hour <= self.to_hour:
            return self.from_hour <= hour < self.to_hour
        return hour >= self.from_hour or hour < self.to_hour


class Agency(msgspec.Struct, frozen=True):
    """What a program may do under its key, whatever it wants. None: without this bound; `hours` empty: any priority at any time."""

    classes: tuple[str, ...] = ()
    hours: tuple[Hours, ...] = ()
    max_order_minor: int | None = None
    max_spend_per_day_minor: int | None = None
    approval_above_minor: int | None = None
    allow_fallback: bool = True
    max_quality_loss_bps: int | None = None
    max_latency_expansion_bps: int | None = None
    max_units_per_request: int | None = None


Rules = Rebalancing | Agency


def rules_of(kind: str, document: object) -> Rules:
    """The rules behind a stored document."""
    if kind == REBALANCER:
        return msgspec.convert(document, Rebalancing, strict=False)
    return msgspec.convert(document, Agency, strict=False)


def document_of(rules: Rules) -> dict[str, object]:
    """The rules as they are stored and remembered: every number a string of digits."""
    found = _spelt(msgspec.to_builtins(rules))
    if not isinstance(found, dict):
        raise TypeError
    return found


def _spelt(value: object) -> object:
    if isinstance(value, dict):
        return {name: _spelt(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_spelt(inner) for inner in value]
    return str(value) if type(value) is int else value
