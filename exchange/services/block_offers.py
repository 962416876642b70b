"""Block offers (SPEC §6): a whole package at a fixed price, all or nothing, delivered against payment in one transaction.

Locks: the offer's row, the package's, then as a transfer does; the parties' feeds and the registry's stream last.
"""

import contextlib
import hashlib

import msgspec
import orjson
import redis
from django.db import transaction
from django.db.models import F, Q

from exchange.feed.record import BalanceRecord
from exchange.models import BlockOffer
from exchange.services import bell
from exchange.services.messages import tell_balance
from exchange.services.operator_refusal import OperatorRefusal
from rights.kernel.clock import rfc3339, to_datetime, to_us
from rights.kernel.ids import Mint, public
from rights.models import Account, Package, Right
from rights.services.journal import NewEvent, append, stream_for
from rights.services.venue import venue_account
from settlement.domain.fees import fee_minor
from settlement.models import Asset, Balance
from settlement.services.ledger import LedgerRefusal, Move
from settlement.services.packages import locked_package, parts_of, transfer_package
from settlement.services.transfer import Moved

REGISTRY = "registry"
FEES = "venue:fees:blocks"
MADE, WITHDRAWN, ACCEPTED, EXPIRED = "offer.made", "offer.withdrawn", "offer.accepted", "offer.expired"
LONGEST_S = 30 * 86_400


class Terms(msgspec.Struct, frozen=True):
    """`price_minor` for the whole package; `buyer` None: whoever comes first."""

    price_minor: int
    currency: Asset
    expires_us: int
    buyer: Account | None = None


@transaction.atomic
def make_offer(*, seller: Account, package_id: str, terms: Terms, fee_bps: int, offer_id: str, actor: str, now_us: int) -> BlockOffer:
    """The open offer, with what is in the package disclosed. Raises OperatorRefusal `offer_terms`, `offer_open`, `not_found`."""
    package = locked_package(package_id)
    if package.holder_id != seller.pk:
        raise OperatorRefusal("right_not_held", "the package is in other hands")
    if not 0 < terms.price_minor <= 10**16:
        raise OperatorRefusal("offer_terms", "the price is above zero and at most ten thousand million")
    if not now_us < terms.expires_us <= now_us + LONGEST_S * 1_000_000:
        raise OperatorRefusal("offer_terms", "an offer ends within 30 days from now")
    if terms.buyer is not None and terms.buyer.participant_id == seller.participant_id:
        raise OperatorRefusal("offer_self", "seller and buyer are one participant")
    former = BlockOffer.objects.select_for_update(of=("self",), no_key=True).filter(package=package, state="open").first()
    if former is not None and not _is_dead(former, package):
        raise OperatorRefusal("offer_open", "the package is on offer already")
    if former is not None:
        _withdraw(former, actor, now_us)
    row = BlockOffer.objects.create(
        uuid=offer_id,
        package=package,
        seller=seller,
        buyer=terms.buyer,
        price_minor=terms.price_minor,
        currency=terms.currency,
        fee_bps=fee_bps,
        disclosure=disclosure_of(package),
        package_revision=package.revision,
        created_at=to_datetime(now_us),
        expires_at=to_datetime(terms.expires_us),
    )
    payload: dict[str, object] = {
        "buyer": None if terms.buyer is None else public("acc", str(terms.buyer.uuid)),
        "currency": terms.currency.code,
        "disclosure_hash": hashlib.sha256(row.disclosure.encode()).hexdigest(),
        "expires_at": rfc3339(terms.expires_us),
        "fee_bps": fee_bps,
        "package": public("pkg", str(package.uuid)),
        "package_revision": package.revision,
        "price_minor": str(terms.price_minor),
        "seller": public("acc", str(seller.uuid)),
    }
    _remember(row, MADE, payload, actor, now_us)
    return row


@transaction.atomic
def withdraw_offer(*, offer_id: str, actor: str, now_us: int) -> BlockOffer:
    """No longer on offer. Raises OperatorRefusal `offer_ended`."""
    row = _locked(offer_id)
    _withdraw(row, actor, now_us)
    return row


def _withdraw(row: BlockOffer, actor: str, now_us: int) -> None:
    _end(row, "withdrawn", now_us)
    _remember(row, WITHDRAWN, {"package": public("pkg", str(row.package.uuid))}, actor, now_us)


def _is_dead(row: BlockOffer, package: Package) -> bool:
    """Whether nobody can take it any more: the package is no longer what was offered, or in other hands."""
    return package.revision != row.package_revision or package.holder_id != row.seller_id


@transaction.atomic
def accept_offer(*, offer_id: str, buyer: Account, mint: Mint, actor: str, now_us: int) -> Moved:
    """Package against payment: every component through its gate, cash and fee in the same entry, or nothing.

    Raises OperatorRefusal `offer_ended`, `offer_for_another`, `offer_self`, `offer_changed`, `insufficient_funds`; TransferRefused.
    """
    row = _locked(offer_id)
    if to_us(row.expires_at) <= now_us:
        raise OperatorRefusal("offer_ended", "the offer has run out")
    if row.buyer_id not in (None, buyer.pk):
        raise OperatorRefusal("offer_for_another", "the offer is for somebody else")
    if buyer.participant_id == row.seller.participant_id:
        raise OperatorRefusal("offer_self", "seller and buyer are one participant")
    package = locked_package(str(row.package.uuid))
    if _is_dead(row, package):
        raise OperatorRefusal("offer_changed", "the package is no longer what was offered")
    fee = fee_minor(row.price_minor, row.fee_bps)
    payment = [Move("", 0, "block_cash", row.currency_id, buyer.pk, row.seller_id, row.price_minor)]
    if fee:
        payment.append(Move("", 0, "block_fee", row.currency_id, buyer.pk, venue_account(code=FEES, now_us=now_us).pk, fee))

    def tell() -> None:
        for account in sorted((buyer, row.seller), key=lambda party: party.pk):
            _tell(account, row.currency, now_us)

    try:
        with transaction.atomic():
            moved = transfer_package(
                package_id=str(package.uuid),
                holder_id=row.seller_id,
                taker=buyer,
                mint=mint,
                actor=actor,
                now_us=now_us,
                payment=payment,
                entry_id=mint.uuid(now_us),
                tell=tell,
            )
    except LedgerRefusal as refusal:
        raise OperatorRefusal("insufficient_funds", "the buyer has too little available cash") from refusal
    row.accepted_by = buyer
    _end(row, "accepted", now_us)
    payload: dict[str, object] = {
        "buyer": public("acc", str(buyer.uuid)),
        "currency": row.currency.code,
        "entry_id": moved.entry_id,
        "fee_account": FEES,
        "fee_minor": str(fee),
        "package": public("pkg", str(package.uuid)),
        "price_minor": str(row.price_minor),
        "seller": public("acc", str(row.seller.uuid)),
    }
    _remember(row, ACCEPTED, payload, actor, now_us)
    return moved


@transaction.atomic
def expire_offers_due(*, actor: str, now_us: int, most: int = 200) -> int:
    """End offers whose time is over, and those whose package changed hands or was changed; how many."""
    is_over = Q(expires_at__lte=to_datetime(now_us))
    is_dead = ~Q(package__revision=F("package_revision")) | ~Q(package__holder=F("seller"))
    due = BlockOffer.objects.select_related("package").filter(is_over | is_dead, state="open")
    rows = list(due.select_for_update(of=("self",), no_key=True, skip_locked=True).order_by("pk")[:most])
    for row in rows:
        if to_us(row.expires_at) > now_us:
            _withdraw(row, actor, now_us)
            continue
        _end(row, "expired", now_us)
        _remember(row, EXPIRED, {"package": public("pkg", str(row.package.uuid))}, actor, now_us)
    return len(rows)


def disclosure_of(package: Package) -> str:
    """What a buyer may know before he accepts: every right, its units, issuer, class, window, terms. Canonical JSON."""
    parts = {part.right_id: part for part in parts_of(package)}
    rights = Right.objects.select_related("issuer", "series__compute_class").filter(pk__in=parts)
    by_id = {str(right.pk): right for right in rights}
    told = [
        {
            "branch": part.branch,
            "class": by_id[right_id].series.compute_class.key,
            "issuer": by_id[right_id].issuer.slug,
            "right": public("rgt", right_id),
            "terms_hash": by_id[right_id].terms_id,
            "tier": part.tier,
            "units": str(part.units),
            "window_end": rfc3339(to_us(by_id[right_id].series.window_end)),
            "window_start": rfc3339(to_us(by_id[right_id].series.window_start)),
        }
        for right_id, part in parts.items()
    ]
    return orjson.dumps({"parts": told, "policy": package.policy, "type": package.type}, option=orjson.OPT_SORT_KEYS).decode()


def _locked(offer_id: str) -> BlockOffer:
    offers = BlockOffer.objects.select_for_update(of=("self",), no_key=True).select_related("package", "seller", "buyer", "currency")
    row = offers.get(uuid=offer_id)
    if row.state != "open":
        raise OperatorRefusal("offer_ended", f"the offer is {row.state}")
    return row


def _end(row: BlockOffer, state: str, now_us: int) -> None:
    row.state, row.ended_at = state, to_datetime(now_us)
    row.save(update_fields=["state", "ended_at", "accepted_by"])


def _tell(account: Account, currency: Asset, now_us: int) -> None:
    """The party's new balance on its private feed."""
    balance = Balance.objects.get(account=account, asset=currency)
    record = BalanceRecord(currency.code, currency.scale, balance.amount, balance.held)
    seq = tell_balance(account_id=account.pk, balance=record, now_us=now_us)
    transaction.on_commit(lambda: _notify(account.pk, seq))


def _notify(account_id: int, seq: int) -> None:
    with contextlib.suppress(redis.RedisError, OSError):
        bell.client().publish("notices", f"account:{account_id}:{seq}")


def _remember(row: BlockOffer, kind: str, payload: dict[str, object], actor: str, now_us: int) -> None:
    event = NewEvent(kind, "offer", public("ofr", str(row.uuid)), payload)
    append(stream_id=stream_for(REGISTRY), events=[event], actor=actor, now_us=now_us)
