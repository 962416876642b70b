"""Cash in and out of the venue: an operator's act, against `venue:funding`, with a reason on the record."""

from collections.abc import Callable

import msgspec
from django.db import DataError, transaction

from rights.domain.reason import stated_reason
from rights.kernel.ids import public
from rights.models import Account
from rights.services import journal
from rights.services.venue import venue_account
from settlement.models import Asset
from settlement.services import ledger

FUNDING = "venue:funding"
# Ten thousand million dollars in micro-dollars: far from the column's end, and no honest single transfer.
MOST_MINOR = 10**16


class FundingRefusal(Exception):
    """The cash was not moved; nothing was written."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Funded(msgspec.Struct, frozen=True):
    """The account's cash afterwards, minor units."""

    entry_id: str
    account_id: int
    asset_id: int
    currency: str
    scale: int
    amount_minor: int
    held_minor: int


class Transfer(msgspec.Struct, frozen=True):
    """Cash on its way in or out: `amount_minor` > 0 minor units of `asset`, and why; `approved_by`: the second person, where it took two."""

    account: Account
    asset: Asset
    amount_minor: int
    reason: str
    entry_id: str
    approved_by: str | None = None


Tell = Callable[[Funded], None]


def credit(*, transfer: Transfer, actor: str, now_us: int, tell: Tell | None = None) -> Funded:
    """Credit cash to a participant's account inside the caller's transaction.

    `tell` hears the new balance before the journal is written: an account's feed locks before a stream.
    """
    return _move(transfer, _move_of(transfer, now_us, withdraw=False), actor, now_us, tell)


def withdraw(*, transfer: Transfer, actor: str, now_us: int, tell: Tell | None = None) -> Funded:
    """Pay out cash that no order holds, inside the caller's transaction; `tell` as in `credit`."""
    return _move(transfer, _move_of(transfer, now_us, withdraw=True), actor, now_us, tell)


def _move_of(transfer: Transfer, now_us: int, *, withdraw: bool) -> ledger.Move:
    account, asset = transfer.account, transfer.asset
    if asset.kind != "cash":
        raise FundingRefusal("not_cash", f"{asset.code} is not cash")
    if account.code:
        raise FundingRefusal("venue_account", f"{account.code} belongs to the venue")
    if not 0 < transfer.amount_minor <= MOST_MINOR:
        raise FundingRefusal("amount_out_of_range", "the amount must be above zero and at most ten thousand million")
    contra = venue_account(code=FUNDING, now_us=now_us)
    giver, taker = (account, contra) if withdraw else (contra, account)
    return ledger.Move(
        entry_id=transfer.entry_id,
        leg=0,
        kind="withdrawal" if withdraw else "funding",
        asset_id=asset.pk,
        debit_id=giver.pk,
        credit_id=taker.pk,
        amount=transfer.amount_minor,
    )


def _move(transfer: Transfer, move: ledger.Move, actor: str, now_us: int, tell: Tell | None) -> Funded:
    account, asset = transfer.account, transfer.asset
    reason = stated_reason(transfer.reason)
    try:
        with transaction.atomic():
            balances = ledger.post(moves=[move], now_us=now_us)
    except ledger.LedgerRefusal as refusal:
        raise FundingRefusal("insufficient_funds", "the account has less cash that no order holds") from refusal
    except DataError as error:
        raise FundingRefusal("amount_out_of_range", "the account can't hold that much") from error
    after = next(b for b in balances if b.account_id == account.pk)
    funded = Funded(transfer.entry_id, account.pk, asset.pk, asset.code, asset.scale, after.amount, after.held)
    if tell is not None:
        tell(funded)
    event = journal.NewEvent(
        type="account.withdrawn" if move.kind == "withdrawal" else "account.funded",
        object_type="account",
        object_id=public("acc", str(account.uuid)),
        payload={
            "amount_minor": str(transfer.amount_minor),
            "approved_by": transfer.approved_by,
            "asset": asset.code,
            "contra": FUNDING,
            "entry_id": transfer.entry_id,
            "participant": account.participant.slug,
            "reason": reason,
        },
    )
    journal.append(stream_id=journal.stream_for("registry"), events=[event], actor=actor, now_us=now_us)
    return funded
