"""The venue's tables. Commands, batches and trades refuse UPDATE and DELETE (migration 0002)."""

from exchange.models.access import ApiKey, IdempotencyKey, Membership
from exchange.models.book import Batch, Book, Command
from exchange.models.bounds import KeyDraw, OrderApproval
from exchange.models.feed import AccountFeed, AccountMessage
from exchange.models.instrument import Deliverable, DisclosureSheet, Instrument
from exchange.models.listing import BlockOffer, ListingRequest
from exchange.models.order import Order, Proceeds, Trade
from exchange.models.policy import Policy, PolicyAction, PolicyRun
from exchange.models.proposal import Proposal

__all__ = [
    "AccountFeed",
    "AccountMessage",
    "ApiKey",
    "Batch",
    "BlockOffer",
    "Book",
    "Command",
    "Deliverable",
    "DisclosureSheet",
    "IdempotencyKey",
    "Instrument",
    "KeyDraw",
    "ListingRequest",
    "Membership",
    "Order",
    "OrderApproval",
    "Policy",
    "PolicyAction",
    "PolicyRun",
    "Proceeds",
    "Proposal",
    "Trade",
]
