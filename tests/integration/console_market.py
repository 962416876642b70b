"""A small venue for tests of the operators' acts: a participant, a key, one listed instrument, one series still unlisted."""

from datetime import UTC, datetime, timedelta

import msgspec

from exchange.models import Instrument
from exchange.services import keys, participants
from exchange.services.funding import fund
from exchange.services.listing import TradingRules, list_instrument
from rights.kernel.clock import now_us, to_us
from rights.kernel.ids import Mint
from rights.models import Account, ComputeClass, Participant, Series, Stream
from settlement.services.ledger import cash_asset

MINT = Mint()
RULES = TradingRules(tick_minor=1000, collar_low_ticks=1, collar_high_ticks=100_000, opens_us=0, taker_bps=10)


class Market(msgspec.Struct):
    participant: Participant
    account: Account
    instrument: Instrument
    unlisted: Series


def a_series(start: datetime, hours: int = 1, key: str = "TXT.CHAT.STD.INT.PRV") -> Series:
    compute_class, _ = ComputeClass.objects.get_or_create(
        key=key, defaults={"fingerprint": key.ljust(64, "0"), "dimensions": {}, "unit": "tokens", "lot_size": 1_000_000}
    )
    stream, _ = Stream.objects.get_or_create(code=f"series:test:{start:%Y%m%d%H}:{hours}:{key}")
    return Series.objects.create(compute_class=compute_class, window_start=start, window_end=start + timedelta(hours=hours), stream=stream)


def next_hour() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def a_market() -> Market:
    moment = now_us()
    cash_asset()
    participant = participants.open_participant(
        slug="acme", name="Acme", account=participants.NewAccount("main"), mint=MINT, actor="test", now_us=moment
    )
    account = participant.accounts.get()
    fund(account=account, amount="1000.00", currency="USD", reason="a test", mint=MINT, actor="test", now_us=moment)
    keys.create(account_id=account.pk, scopes=["read"], label="test", expires_us=None, now_us=moment)
    rules = msgspec.structs.replace(RULES, opens_us=moment)
    instrument = list_instrument(series=a_series(next_hour()), rules=rules, actor="test", now_us=moment)
    return Market(participant, account, instrument, a_series(next_hour() + timedelta(hours=1)))


__all__ = ["MINT", "RULES", "a_market", "a_series", "next_hour", "to_us"]
