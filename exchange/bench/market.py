"""The market a bench trades in: a fresh instrument, traders with deep pockets, a key for each."""

import msgspec

from exchange.demo.catalog import WARES, manifest
from exchange.services import keys
from exchange.services.funding import fund
from exchange.services.listing import TradingRules, list_instrument
from exchange.services.participants import NewAccount, appoint_issuer, open_participant
from exchange.services.timetable import run_due
from rights.domain.manifest import read_manifest
from rights.kernel.clock import now_us, rfc3339, to_datetime, to_us
from rights.kernel.ids import Mint
from rights.models import Account, Right, Series
from rights.services.post_assurance import Capacity, post_assurance
from rights.services.register import class_for
from settlement.services.issuance import issue_right

ACTOR = "venue:bench"
HOUR_US = 3_600_000_000
LOTS_EACH = 5_000_000
SCOPES = {"read", "trade", "cancel"}
MINT = Mint()


class Trader(msgspec.Struct, frozen=True):
    account_id: int
    token: str


class Market(msgspec.Struct, frozen=True):
    symbol: str
    book_id: int
    tick_minor: int
    price_decimals: int
    mid_ticks: int
    traders: list[Trader]

    def price(self, ticks: int) -> str:
        """The wire's price text."""
        micro = ticks * self.tick_minor
        whole, part = divmod(micro, 1_000_000)
        return f"{whole}.{part:06d}"[: len(str(whole)) + 1 + self.price_decimals]


def make_market(*, traders: int) -> Market:
    """A new series and book, open, with `traders` accounts that hold cash and one right each."""
    moment = now_us()
    tag = f"{moment:x}"[-8:]
    ware = WARES[0]
    owner = open_participant(
        slug=f"bench-issuer-{tag}", name="bench issuer", account=NewAccount("bench issuer"), mint=MINT, actor=ACTOR, now_us=moment
    )
    issuer = appoint_issuer(
        participant=owner,
        slug=f"bench-{tag}",
        issuer_type="provider",
        tier=1,
        issuance_path="centralized-coordinator",
        actor=ACTOR,
        now_us=moment,
    )
    start, end = _free_window(moment)
    reference = f"bench:{tag}"
    units = LOTS_EACH * ware.lot_units
    document = manifest(ware=ware, units=units, start=rfc3339(start), end=rfc3339(end), reference=reference)
    document["issuer"]["id"] = issuer.slug
    sample = read_manifest(document)
    capacity = Capacity(
        mode="reserved-capacity",
        reference=reference,
        window_start_us=start,
        window_end_us=end,
        gross_units=units * (traders + 1),
        haircut_bps=0,
    )
    compute_class = class_for(manifest=sample, issuer_tier=issuer.tier)
    post_assurance(
        issuer=issuer, compute_class=compute_class, capacity=capacity, assurance_id=MINT.uuid(moment), actor=ACTOR, now_us=moment
    )
    found = [_trader(f"bench-{tag}-{i}", issuer, document, moment) for i in range(traders)]
    low, high = ware.collar
    rules = TradingRules(
        tick_minor=ware.tick_minor, collar_low_ticks=low, collar_high_ticks=high, opens_us=moment, maker_bps=2, taker_bps=8
    )
    series = Right.objects.filter(issuer=issuer).select_related("series").first()
    if series is None:
        raise RuntimeError("no right was issued")
    instrument = list_instrument(series=series.series, rules=rules, actor=ACTOR, now_us=moment)
    run_due(now_us=now_us())
    mid = ware.worth_minor // ware.tick_minor
    return Market(instrument.symbol, instrument.pk, instrument.tick_minor, instrument.price_decimals, mid, found)


def _free_window(moment: int) -> tuple[int, int]:
    """A window in which nothing is listed, however quickly markets follow one another: it begins at an odd second of a far hour."""
    hour = moment // HOUR_US * HOUR_US + 48 * HOUR_US
    end = hour + 24 * HOUR_US
    listed = Series.objects.filter(window_start__gte=to_datetime(hour), window_end=to_datetime(end))
    taken = {to_us(start) for start in listed.values_list("window_start", flat=True)}
    seconds = (hour + (moment // 1_000_000 + n) % 3600 * 1_000_000 for n in range(3600))
    return next(start for start in seconds if start not in taken), end


def _trader(slug: str, issuer: object, document: dict[str, object], moment: int) -> Trader:
    participant = open_participant(slug=slug, name=slug, account=NewAccount(slug), mint=MINT, actor=ACTOR, now_us=moment)
    account = Account.objects.get(participant=participant)
    fund(account=account, amount="100000000", currency="USD", reason="bench", mint=MINT, actor=ACTOR, now_us=now_us())
    issue_right(issuer=issuer, holder=account, document=document, mint=MINT, actor=ACTOR, now_us=now_us(), activate=True)  # type: ignore[arg-type]
    new = keys.create(account_id=account.pk, scopes=SCOPES, label="bench", expires_us=None, now_us=now_us())
    return Trader(account.pk, new.token)
