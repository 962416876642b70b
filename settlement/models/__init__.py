"""The ledger's tables."""

from settlement.models.ledger import Asset, Balance, Posting

__all__ = ["Asset", "Balance", "Posting"]
