"""Roll the demo's windows forward: post capacity, issue rights, list instruments for what comes into sight. Idempotent."""

from django.db import connection, transaction

from exchange.demo.catalog import ASSURANCE_MODE, HAIRCUT_BPS, ISSUER, SHARES, WARES, Ware, manifest
from exchange.demo.parties import ACTOR, account_of
from exchange.demo.supply import back
from exchange.demo.windows import Window, windows_at
from exchange.models import Instrument
from exchange.services.listing import TradingRules, list_instrument
from rights.domain.manifest import read_manifest
from rights.kernel.clock import rfc3339, to_datetime
from rights.kernel.ids import Mint
from rights.models import Account, Assurance, Issuer, Right, Series
from rights.services.post_assurance import Capacity, post_assurance
from rights.services.register import class_for
from settlement.services.issuance import issue_right

# Any fixed number: of two that roll at once, the later one finds nothing to do.
_ONE_AT_A_TIME = 7310002


def roll(*, mint: Mint, now_us: int) -> list[str]:
    """List every window that should be there and is not; the new symbols."""
    listed = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_ONE_AT_A_TIME])
        try:
            for ware in WARES:
                for window in windows_at(ware=ware, now_us=now_us):
                    symbol = _offer(ware, window, mint, now_us)
                    listed += [symbol] if symbol else []
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_ONE_AT_A_TIME])
    return listed


def _offer(ware: Ware, window: Window, mint: Mint, now_us: int) -> str | None:
    """Make one window tradable, step by step; what an interrupted run has done already is left alone."""
    issuer = Issuer.objects.get(slug=ISSUER)
    reference = f"demo:{ware.name}:{to_datetime(window.start_us):%Y%m%dT%H}:{(window.end_us - window.start_us) // 3_600_000_000}h"
    if Instrument.objects.filter(series__rights__assurance__reference=reference).exists():
        return None
    assurance = Assurance.objects.filter(issuer=issuer, reference=reference).first()
    if assurance is None:
        assurance = _assure(ware, window, issuer, reference, mint=mint, now_us=now_us)
    series = _issue(ware, window, assurance, mint, now_us)
    low, high = ware.collar
    rules = TradingRules(
        tick_minor=ware.tick_minor,
        collar_low_ticks=low,
        collar_high_ticks=high,
        opens_us=window.opens_us,
        maker_bps=2,
        taker_bps=8,
        max_quantity_lots=10_000,
        reference_price_ticks=ware.worth_minor // ware.tick_minor,
    )
    return list_instrument(series=series, rules=rules, actor=ACTOR, now_us=now_us).symbol


def _assure(ware: Ware, window: Window, issuer: Issuer, reference: str, *, mint: Mint, now_us: int) -> Assurance:
    supply_units = ware.supply_lots * ware.lot_units
    # Enough that the haircut leaves the whole supply, and a tenth to spare for what people issue themselves.
    gross_units = supply_units * 11 // 10 * 10_000 // (10_000 - HAIRCUT_BPS)
    source = back(ware, window, gross_units, mint=mint, now_us=now_us)
    capacity = Capacity(
        mode=ASSURANCE_MODE,
        reference=reference,
        window_start_us=window.start_us,
        window_end_us=window.end_us,
        gross_units=gross_units,
        haircut_bps=HAIRCUT_BPS,
        sources=(source,),
    )
    sample = read_manifest(_manifest(ware, window, ware.lot_units, reference))
    compute_class = class_for(manifest=sample, issuer_tier=issuer.tier)
    return post_assurance(
        issuer=issuer, compute_class=compute_class, capacity=capacity, assurance_id=mint.uuid(now_us), actor=ACTOR, now_us=now_us
    )


def _manifest(ware: Ware, window: Window, units: int, reference: str) -> dict[str, object]:
    return manifest(ware=ware, units=units, start=rfc3339(window.start_us), end=rfc3339(window.end_us), reference=reference)


@transaction.atomic
def _issue(ware: Ware, window: Window, assurance: Assurance, mint: Mint, now_us: int) -> Series:
    """Each holder's share, as rights of equal size; all of a window's or none."""
    for share in SHARES:
        holder: Account = account_of(share.holder)
        units = ware.supply_lots * share.percent // 100 // share.rights * ware.lot_units
        have = Right.objects.filter(assurance=assurance, holder=holder).count()
        for _ in range(share.rights - have):
            document = _manifest(ware, window, units, assurance.reference)
            issue_right(issuer=assurance.issuer, holder=holder, document=document, mint=mint, actor=ACTOR, now_us=now_us)
    return Right.objects.filter(assurance=assurance).select_related("series__compute_class")[:1].get().series
