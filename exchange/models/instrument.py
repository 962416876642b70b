"""An instrument: one class in one window, with its trading rules (SPEC §3)."""

from django.db import models
from django.db.models import F, Q

from exchange.domain.proceeds import AT_ONCE, PROCEEDS
from rights.models import Series
from settlement.models import Asset


class Instrument(models.Model):
    """`tick_minor` is the tick's worth in minor units of `currency` per lot; `price_decimals` how prices are written."""

    symbol = models.CharField(max_length=64, unique=True)
    series = models.OneToOneField(Series, models.PROTECT, related_name="instrument")
    currency = models.ForeignKey(Asset, models.PROTECT)
    tick_minor = models.BigIntegerField()
    price_decimals = models.PositiveSmallIntegerField()
    lot_size = models.BigIntegerField()
    min_quantity_lots = models.BigIntegerField(default=1)
    max_quantity_lots = models.BigIntegerField(default=1_000_000)
    collar_low_ticks = models.BigIntegerField()
    collar_high_ticks = models.BigIntegerField()
    maker_bps = models.IntegerField(default=0)
    taker_bps = models.IntegerField(default=0)
    position_limit_lots = models.BigIntegerField(null=True, blank=True)
    # `exact`: rights of the series; `dominance`: of any class and window at least as good in every dimension (SPEC §3).
    delivery_rule = models.CharField(max_length=16, default="exact", choices=[(r, r) for r in ("exact", "dominance")])
    # Whether sellers are paid at the fill, or when the units they sold are final (exchange/services/proceeds.py).
    proceeds_escrow = models.CharField(max_length=16, default=AT_ONCE, db_default=AT_ONCE, choices=[(r, r) for r in PROCEEDS])
    opens_at = models.DateTimeField()
    gate_closes_at = models.DateTimeField()
    reference_price_ticks = models.BigIntegerField(null=True, blank=True)
    listed_at = models.DateTimeField()
    # It has left the list: its window is over, and its book is closed.
    delisted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(tick_minor__gt=0, lot_size__gt=0), name="instrument_tick_lot"),
            models.CheckConstraint(
                condition=Q(collar_low_ticks__gt=0, collar_high_ticks__gte=F("collar_low_ticks")), name="instrument_collar"
            ),
            models.CheckConstraint(
                condition=Q(min_quantity_lots__gt=0, max_quantity_lots__gte=F("min_quantity_lots")), name="instrument_quantity"
            ),
            models.CheckConstraint(
                condition=Q(maker_bps__gte=0, maker_bps__lte=1000, taker_bps__gte=0, taker_bps__lte=1000), name="instrument_fees"
            ),
            models.CheckConstraint(condition=Q(gate_closes_at__gt=F("opens_at")), name="instrument_gate"),
            models.CheckConstraint(condition=Q(delivery_rule__in=("exact", "dominance")), name="instrument_delivery_rule"),
            models.CheckConstraint(condition=Q(proceeds_escrow__in=PROCEEDS), name="instrument_proceeds_escrow"),
        ]
        indexes = [models.Index(fields=["id"], condition=Q(delisted_at__isnull=True), name="instrument_listed")]

    def __str__(self) -> str:
        return self.symbol


class Deliverable(models.Model):
    """A series whose rights are delivered into an instrument beside its own, because they are at least as good."""

    instrument = models.ForeignKey(Instrument, models.PROTECT, related_name="deliverable", db_index=False)
    series = models.ForeignKey(Series, models.PROTECT, related_name="+")
    since = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["instrument", "series"], name="deliverable_once")]

    def __str__(self) -> str:
        return f"{self.series_id} into {self.instrument_id}"


class DisclosureSheet(models.Model):
    """What a buyer may know of an instrument before trading (SPEC §3), computed; `body` is canonical JSON, append-only by version."""

    instrument = models.ForeignKey(Instrument, models.PROTECT, related_name="sheets", db_index=False)
    version = models.PositiveIntegerField()
    body = models.TextField()
    hash = models.CharField(max_length=64)
    computed_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["instrument", "version"], name="sheet_version")]

    def __str__(self) -> str:
        return f"{self.instrument_id} v{self.version}"
