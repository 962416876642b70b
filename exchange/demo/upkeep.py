"""What the demo's operator does by the way: lists the next windows, and refills the bots' purses."""

from exchange.demo.parties import ACTOR, BOTS, account_of
from exchange.demo.roll import roll
from exchange.services.funding import fund
from rights.kernel.ids import Mint
from settlement.models import Balance
from settlement.services.ledger import cash_asset


def upkeep(*, mint: Mint, now_us: int) -> tuple[list[str], int]:
    """(new symbols, purses refilled)."""
    return roll(mint=mint, now_us=now_us), refill(mint=mint, now_us=now_us)


def refill(*, mint: Mint, now_us: int) -> int:
    """Bring whoever has less than a third of the opening balance back to it; how many."""
    refilled = 0
    asset = cash_asset()
    for party in BOTS:
        account = account_of(party.slug)
        balance = Balance.objects.filter(account=account, asset=asset).first()
        dollars = (balance.amount - balance.held) // 10**asset.scale if balance else 0
        if dollars * 3 < party.cash:
            reason = "the demo's bots go on trading"
            amount = f"{party.cash - dollars}.00"
            fund(account=account, amount=amount, currency=asset.code, reason=reason, mint=mint, actor=ACTOR, now_us=now_us)
            refilled += 1
    return refilled
