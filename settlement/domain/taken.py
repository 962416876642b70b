"""What requests take that are dealt with in one transaction: the next one is to find it gone, though no statement shows it yet. Pure."""

from collections.abc import Iterable

import msgspec

from settlement.domain.routing import Quote


class Taken(msgspec.Struct):
    """By right: units, and how many requests have some; by capability (its number): units; by account: minor units of its cash."""

    units: dict[str, int] = {}
    requests: dict[str, int] = {}
    capacity: dict[int, int] = {}
    cash: dict[int, int] = {}

    def add(self, chosen: Iterable[Quote]) -> None:
        """What one request has chosen."""
        rights = set()
        for quote in chosen:
            rights.add(quote.right_id)
            self.units[quote.right_id] = self.units.get(quote.right_id, 0) + quote.units
            self.capacity[quote.offer.capability_id] = self.capacity.get(quote.offer.capability_id, 0) + quote.units
            if quote.payer is not None:
                self.cash[quote.payer.account_id] = self.cash.get(quote.payer.account_id, 0) + quote.escrow_minor
        for right_id in rights:
            self.requests[right_id] = self.requests.get(right_id, 0) + 1
