"""Fund or pay out an account of the venue, and tell its owner on the private feed."""

import msgspec
from django.db import transaction

from exchange.feed.record import BalanceRecord
from exchange.services import bell
from exchange.services.messages import tell_balance
from rights.kernel.ids import Mint
from rights.models import Account
from settlement.domain.money import NotAnAmount, minor_of
from settlement.models import Asset
from settlement.services import funding as cash
from settlement.services.funding import Funded, FundingRefusal


class Wish(msgspec.Struct, frozen=True):
    """`amount`: a plain decimal text of `currency`. `approved_by`: the second person; None only from the command line."""

    account: Account
    amount: str
    currency: str
    reason: str
    approved_by: str | None = None


def fund(
    *, account: Account, amount: str, currency: str, reason: str, mint: Mint, actor: str, now_us: int, approved_by: str | None = None
) -> Funded:
    """Credit `amount` (a plain decimal text) from `venue:funding`. Raises FundingRefusal, ReasonMissing."""
    return _transfer(Wish(account, amount, currency, reason, approved_by), mint=mint, actor=actor, now_us=now_us, out=False)


def withdraw(
    *, account: Account, amount: str, currency: str, reason: str, mint: Mint, actor: str, now_us: int, approved_by: str | None = None
) -> Funded:
    """Pay `amount` out to `venue:funding`; only what no order holds. Raises FundingRefusal, ReasonMissing."""
    return _transfer(Wish(account, amount, currency, reason, approved_by), mint=mint, actor=actor, now_us=now_us, out=True)


@transaction.atomic
def _transfer(wish: Wish, *, mint: Mint, actor: str, now_us: int, out: bool) -> Funded:
    account, currency = wish.account, wish.currency
    asset = Asset.objects.filter(code=currency, kind="cash").first()
    if asset is None:
        raise FundingRefusal("currency_unknown", f"the venue has no currency {currency}")
    try:
        amount_minor = minor_of(wish.amount, asset.scale)
    except NotAnAmount as error:
        raise FundingRefusal("amount_malformed", str(error)) from error
    transfer = cash.Transfer(account, asset, amount_minor, wish.reason, mint.uuid(now_us), wish.approved_by)

    def tell(after: Funded) -> None:
        balance = BalanceRecord(after.currency, after.scale, after.amount_minor, after.held_minor)
        seq = tell_balance(account_id=account.pk, balance=balance, now_us=now_us)
        transaction.on_commit(lambda: bell.notify_accounts([(account.pk, seq)]))

    move = cash.withdraw if out else cash.credit
    return move(transfer=transfer, actor=actor, now_us=now_us, tell=tell)
