"""Asking for a listing, and the fixed-price offer of a whole package (SPEC §6, §7)."""

from django.db import models
from django.db.models import Q

from exchange.models.instrument import Instrument
from rights.models import Account, Issuer, Package, Series
from settlement.models import Asset

LISTING_STATES = ("submitted", "reviewed", "approved", "rejected", "withdrawn")
OFFER_STATES = ("open", "accepted", "withdrawn", "expired")


class ListingRequest(models.Model):
    """An issuer asks for a book. One operator reviews the sheet, another one approves: two persons."""

    uuid = models.UUIDField(unique=True)
    issuer = models.ForeignKey(Issuer, models.PROTECT, related_name="listings")
    series = models.ForeignKey(Series, models.PROTECT, related_name="+")
    rules = models.JSONField()
    delivery_rule = models.CharField(max_length=16, default="exact")
    state = models.CharField(max_length=16, default="submitted", choices=[(s, s) for s in LISTING_STATES])
    sheet = models.TextField()
    note = models.CharField(max_length=500, default="", blank=True)
    requested_by = models.CharField(max_length=80)
    reviewed_by = models.CharField(max_length=80, default="", blank=True)
    decided_by = models.CharField(max_length=80, default="", blank=True)
    decision_note = models.CharField(max_length=500, default="", blank=True)
    instrument = models.ForeignKey(Instrument, models.PROTECT, null=True, related_name="+")
    requested_at = models.DateTimeField()
    reviewed_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=LISTING_STATES), name="listing_state"),
            models.CheckConstraint(condition=~Q(state="approved") | ~Q(reviewed_by=models.F("decided_by")), name="listing_two_persons"),
            models.UniqueConstraint(fields=["series"], condition=Q(state__in=("submitted", "reviewed")), name="listing_open_once"),
        ]

    def __str__(self) -> str:
        return f"listing {self.uuid} {self.state}"


class BlockOffer(models.Model):
    """A whole package at a fixed price, all or nothing; `buyer` restricts it to one account."""

    uuid = models.UUIDField(unique=True)
    package = models.ForeignKey(Package, models.PROTECT, related_name="offers")
    seller = models.ForeignKey(Account, models.PROTECT, related_name="block_offers")
    buyer = models.ForeignKey(Account, models.PROTECT, null=True, related_name="+")
    price_minor = models.BigIntegerField()
    currency = models.ForeignKey(Asset, models.PROTECT)
    fee_bps = models.IntegerField(default=0)
    disclosure = models.TextField()
    package_revision = models.PositiveIntegerField()
    state = models.CharField(max_length=16, default="open", choices=[(s, s) for s in OFFER_STATES])
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_by = models.ForeignKey(Account, models.PROTECT, null=True, related_name="+")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(price_minor__gt=0, fee_bps__gte=0, fee_bps__lte=1000), name="block_offer_price"),
            models.CheckConstraint(condition=Q(state__in=OFFER_STATES), name="block_offer_state"),
            models.UniqueConstraint(fields=["package"], condition=Q(state="open"), name="block_offer_open_once"),
        ]

    def __str__(self) -> str:
        return f"offer {self.uuid} {self.state}"
