"""Above a threshold a key's order needs a member's word (SPEC §11): asked for by the order itself, granted or denied once, used once."""

from collections.abc import Mapping

from django.db import transaction
from django.db.models import Q

from exchange.domain.command import Side
from exchange.models import ApiKey, OrderApproval
from exchange.services.identity import Principal
from exchange.services.policies import PolicyRefusal
from exchange.services.rules import rules_of
from rights.kernel.clock import rfc3339, to_datetime, to_us
from rights.kernel.ids import public
from rights.services.journal import NewEvent
from rights.services.registry import remember_all

ASKED, GRANTED, DENIED, USED, REPLACED = (f"approval.{name}" for name in ("asked", "granted", "denied", "used", "replaced"))
KEEP_US = 24 * 3_600_000_000
ANSWERS = {"grant": ("granted", GRANTED), "deny": ("denied", DENIED)}


def use_approval(
    *, key: ApiKey, book_id: int, side: int, price_ticks: int, quantity_lots: int, order_id: str, now_us: int
) -> OrderApproval | None:
    """The granted approval that lets this order in, used up by it; None when there is none. Inside the caller's transaction, the key locked."""
    worse = Q(price_ticks__gte=price_ticks) if side == Side.BUY else Q(price_ticks__lte=price_ticks)
    found = (
        OrderApproval.objects.select_for_update(no_key=True)
        .filter(worse, key=key, book_id=book_id, side=side, state="granted", quantity_lots__gte=quantity_lots)
        .filter(expires_at__gt=to_datetime(now_us))
        .order_by("id")
        .first()
    )
    if found is not None:
        found.state, found.order_id = "used", order_id
        found.save(update_fields=["state", "order_id"])
        _remember(found, USED, {"order": public("ord", order_id)}, f"key:{key.uuid}", now_us)
    return found


def ask_approval(
    *,
    key: ApiKey,
    book_id: int,
    side: int,
    price_ticks: int,
    quantity_lots: int,
    notional_minor: int,
    approval_id: str,
    now_us: int,
) -> OrderApproval:
    """The pending approval for such an order; one for another order on this side of the book takes the place of the former."""
    pending = OrderApproval.objects.select_for_update(no_key=True).filter(key=key, book_id=book_id, side=side, state="pending").first()
    if pending is not None:
        same = (pending.price_ticks, pending.quantity_lots) == (price_ticks, quantity_lots) and to_us(pending.expires_at) > now_us
        if same:
            return pending
        pending.state = "replaced"
        pending.save(update_fields=["state"])
        _remember(pending, REPLACED, {}, f"key:{key.uuid}", now_us)
    row = OrderApproval.objects.create(
        uuid=approval_id,
        account_id=key.account_id,
        key=key,
        book_id=book_id,
        side=side,
        price_ticks=price_ticks,
        quantity_lots=quantity_lots,
        notional_minor=notional_minor,
        asked_at=to_datetime(now_us),
        expires_at=to_datetime(now_us + KEEP_US),
    )
    payload = {
        "account": f"acc_{key.account.uuid}",
        "expires_at": rfc3339(now_us + KEEP_US),
        "instrument": rules_of(book_id).symbol,
        "key": f"key_{key.uuid}",
        "notional": str(notional_minor),
        "price": str(price_ticks),
        "quantity": str(quantity_lots),
        "side": str(side),
    }
    _remember(row, ASKED, payload, f"key:{key.uuid}", now_us)
    return row


@transaction.atomic
def decide_approval(*, approval_id: str, decision: str, note: str, who: Principal, now_us: int) -> OrderApproval:
    """The approval, granted or denied by a member of the account. Raises PolicyRefusal `policy_binds`, `approval_state`, DoesNotExist."""
    if who.key_id is not None:
        raise PolicyRefusal("policy_binds", "a key approves nothing: log in as a member")
    rows = OrderApproval.objects.select_for_update(no_key=True, of=("self",)).select_related("key")
    row = rows.get(uuid=approval_id, account_id=who.account_id)
    if row.state != "pending" or to_us(row.expires_at) <= now_us:
        word = "over" if row.state == "pending" else row.state
        raise PolicyRefusal("approval_state", f"the approval is {word}: the order has to be sent again to ask anew")
    row.state, kind = ANSWERS[decision]
    row.decided_by, row.decided_at, row.note = who.actor, to_datetime(now_us), note
    row.save(update_fields=["state", "decided_by", "decided_at", "note"])
    _remember(row, kind, {"by": who.actor, "note": note}, who.actor, now_us)
    return row


def _remember(row: OrderApproval, kind: str, payload: Mapping[str, object], actor: str, now_us: int) -> None:
    remember_all([NewEvent(kind, "approval", public("apv", str(row.uuid)), {**payload})], actor=actor, now_us=now_us)
