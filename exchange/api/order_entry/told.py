"""A private record, looked up by order: one pass over it serves every command of a call."""

from collections.abc import Mapping

from exchange.feed.accounts import Outcome
from exchange.feed.record import FillRecord, OrderRecord, PrivateRecord


class Told:
    """What one record says of each order in it."""

    def __init__(self, record: PrivateRecord) -> None:
        self.orders: dict[str, OrderRecord] = {o.id: o for o in record.orders}
        self.fills: dict[str, list[FillRecord]] = {}
        for fill in record.fills:
            self.fills.setdefault(fill.order_id, []).append(fill)


class Outcomes(dict[int, Outcome]):
    """Outcomes by command number; many share one record, which is looked through once."""

    def __init__(self, found: Mapping[int, Outcome]) -> None:
        super().__init__(found)
        self._told: dict[int, Told] = {}

    def told(self, outcome: Outcome) -> Told:
        """The record of one of these outcomes, by order."""
        key = id(outcome.record)
        if key not in self._told:
            self._told[key] = Told(outcome.record)
        return self._told[key]
