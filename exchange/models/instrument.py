"""An instrument: one class in one window, with its trading rules (SPEC §3)."""

from django.db import models
from django.db.models import F, Q

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
    opens_at = models.DateTimeField()
    gate_closes_at = models.DateTimeField()
    reference_price_ticks = models.BigIntegerField(null=True, blank=True)
    listed_at = models.DateTimeField()

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
        ]

    def __str__(self) -> str:
        return self.symbol
