"""What may be proposed, and the service that does it once a second person has agreed. One entry per kind.

A payload is what events may hold: public ids, amounts as strings. `run` works inside the approval's transaction and answers, in a few
words, what came of it; whatever it refuses leaves the proposal open.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from exchange.domain.proceeds import AT_ONCE
from exchange.domain.symbol import symbol_of
from exchange.services import funding, right_proposals
from exchange.services.freeze import unfreeze_right
from exchange.services.listing import TradingRules, list_instrument
from exchange.services.operator_refusal import OperatorRefusal
from exchange.services.two_persons import Consent, Kind, Payload
from rights.domain.fungibility import EXACT
from rights.kernel.ids import bare, public
from rights.models import Account, Right, Series
from settlement.services.funding import Funded

DEPOSIT, WITHDRAWAL, UNFREEZE, LISTING = "deposit", "withdrawal", "unfreeze", "listing"


def cash_payload(*, account: Account, amount: str, currency: str) -> dict[str, str | None]:
    """A deposit or a withdrawal."""
    return {
        "account": public("acc", str(account.uuid)),
        "amount": amount,
        "currency": currency,
        "participant": account.participant.slug,
    }


def unfreeze_payload(*, right_id: str, freeze_reason: str) -> dict[str, str | None]:
    """The freeze that is to end; one for another reason, put on meanwhile, is another matter."""
    return {"freeze_reason": freeze_reason, "right": public("rgt", right_id)}


def listing_payload(*, series: Series, rules: TradingRules, delivery_rule: str = EXACT) -> dict[str, str | None]:
    """A series with its trading rules, every number as a string."""
    symbol = symbol_of(series.compute_class.key, series.window_start, series.window_end, series.window_mode, series.epoch_size_s)
    numbers = {name: None if value is None else str(value) for name, value in msgspec.structs.asdict(rules).items()}
    return {"delivery_rule": delivery_rule, "series": f"series:{series.pk}", "symbol": symbol, **numbers}


def _cash(service: Callable[..., Funded]) -> Callable[[Payload, Consent], str]:
    def run(payload: Payload, consent: Consent) -> str:
        uuid = bare("acc", payload["account"] or "")
        account = Account.objects.select_related("participant").filter(uuid=uuid).first() if uuid else None
        if account is None:
            raise OperatorRefusal("account_unknown", f"there is no account {payload['account']}")
        done = service(
            account=account,
            amount=payload["amount"] or "",
            currency=payload["currency"] or "",
            reason=consent.reason,
            mint=consent.mint,
            actor=consent.by,
            now_us=consent.now_us,
            approved_by=consent.approved_by,
        )
        return f"entry {done.entry_id}"

    return run


def _unfreeze(payload: Payload, consent: Consent) -> str:
    uuid = bare("rgt", payload["right"] or "")
    if uuid is None or not Right.objects.filter(pk=uuid).exists():
        raise OperatorRefusal("right_unknown", f"there is no right {payload['right']}")
    right = unfreeze_right(
        right_id=uuid,
        freeze_reason=payload.get("freeze_reason"),  # not said by proposals of before
        reason=consent.reason,
        mint=consent.mint,
        actor=consent.by,
        now_us=consent.now_us,
        approved_by=consent.approved_by,
    )
    return f"the right is {right.status}"


def _list(payload: Payload, consent: Consent) -> str:
    number = (payload["series"] or "").removeprefix("series:")
    series = Series.objects.select_related("compute_class").filter(pk=int(number)).first()
    if series is None:
        raise OperatorRefusal("series_unknown", f"there is no {payload['series']}")
    # Proposals of before do not say when sellers are paid.
    given = {name: payload[name] for name in TradingRules.__struct_fields__ if name in payload and name != "proceeds_escrow"}
    numbers: dict[str, Any] = {name: None if text is None else int(text) for name, text in given.items()}
    rules = TradingRules(**numbers, proceeds_escrow=payload.get("proceeds_escrow") or AT_ONCE)
    listed = list_instrument(
        series=series,
        rules=rules,
        delivery_rule=payload["delivery_rule"] or "",
        actor=consent.by,
        now_us=consent.now_us,
        approved_by=consent.approved_by,
    )
    return f"{listed.symbol} is listed"


KINDS: dict[str, Kind] = {
    DEPOSIT: Kind("Deposit", lambda p: f"credit {p['amount']} {p['currency']} to {p['participant']}", _cash(funding.fund)),
    WITHDRAWAL: Kind("Withdrawal", lambda p: f"pay {p['amount']} {p['currency']} out of {p['participant']}", _cash(funding.withdraw)),
    UNFREEZE: Kind("Unfreezing", lambda p: f"unfreeze {p['right']}", _unfreeze),
    LISTING: Kind("Listing", lambda p: f"list {p['symbol']}", _list),
    **right_proposals.KINDS,
}
