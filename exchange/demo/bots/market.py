"""An instrument as the public API shows it, in ticks; moments in microseconds."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from rights.kernel.clock import to_us

_SCALE = 9  # more decimals than any tick has


class Market(msgspec.Struct, frozen=True):
    """Rules, and the best prices when they are known."""

    symbol: str
    class_key: str
    tick_nano: int
    decimals: int
    low_ticks: int
    high_ticks: int
    reference_ticks: int
    start_us: int
    gate_us: int
    bid_ticks: int | None = None
    ask_ticks: int | None = None

    def text(self, ticks: int) -> str:
        """A price as the wire wants it."""
        whole, part = divmod(ticks * self.tick_nano, 10**_SCALE)
        return f"{whole}.{part:0{_SCALE}d}"[: len(str(whole)) + 1 + self.decimals] if self.decimals else str(whole)

    def ticks(self, price: str) -> int:
        """A price of the wire, in ticks."""
        return nano(price) // self.tick_nano

    def inside(self, ticks: int) -> int:
        """The nearest price in the collar."""
        return min(max(ticks, self.low_ticks), self.high_ticks)


def nano(text: str) -> int:
    """A decimal text in billionths."""
    whole, _, part = text.partition(".")
    return int(whole + part.ljust(_SCALE, "0")[:_SCALE])


def _us(text: str) -> int:
    return to_us(datetime.fromisoformat(text))


def market_of(instrument: Mapping[str, Any]) -> Market | None:
    """The market of an instrument's JSON; None when it has no reference price to start from."""
    if not instrument.get("reference_price"):
        return None
    tick = instrument["tick_size"]
    tick_nano = nano(tick)
    return Market(
        symbol=instrument["symbol"],
        class_key=instrument["class"]["key"],
        tick_nano=tick_nano,
        decimals=len(tick.partition(".")[2]),
        low_ticks=nano(instrument["collar"]["low"]) // tick_nano,
        high_ticks=nano(instrument["collar"]["high"]) // tick_nano,
        reference_ticks=nano(instrument["reference_price"]) // tick_nano,
        start_us=_us(instrument["window"]["start"]),
        gate_us=_us(instrument["gate_closes_at"]),
    )


def with_prices(market: Market, bid: str | None, ask: str | None) -> Market:
    """The market with the best prices of a ticker."""
    return msgspec.structs.replace(
        market,
        bid_ticks=nano(bid) // market.tick_nano if bid else None,
        ask_ticks=nano(ask) // market.tick_nano if ask else None,
    )
