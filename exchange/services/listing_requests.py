"""An issuer asks for a book; one operator reviews the disclosure sheet, another one approves or rejects (SPEC §7, TRUST.md: two persons).

The request's row is locked by every step, so that each is taken once. The book itself is made by services/listing.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from django.db import IntegrityError, transaction

from exchange.models import Instrument, ListingRequest
from exchange.selectors.people import people_behind
from exchange.services.disclosure import counted_sheet
from exchange.services.listing import TradingRules, gate_of, list_instrument, rule_faults
from exchange.services.operator_refusal import OperatorRefusal
from rights.domain.canonical_json import canonical_json
from rights.domain.fungibility import DOMINANCE, EXACT
from rights.domain.issuance import Refusal
from rights.domain.reason import stated_reason
from rights.kernel.clock import rfc3339, to_datetime, to_us
from rights.kernel.ids import public
from rights.models import Issuer, Right, Series
from rights.services.journal import NewEvent
from rights.services.refusals import SupplyRefusedError, supply_refused
from rights.services.registry import remember_all
from settlement.models import Asset

OPEN = ("submitted", "reviewed")


class Wish(msgspec.Struct, frozen=True):
    """How the issuer would have it traded. `opens_us` 0: as soon as it is approved."""

    rules: TradingRules
    currency: str = "USD"
    delivery_rule: str = EXACT
    note: str = ""


def stored_rules(row: ListingRequest) -> tuple[TradingRules, str]:
    """The rules of a request and the currency."""
    document: Mapping[str, Any] = row.rules
    return msgspec.convert(document["trading"], TradingRules), document["currency"]


@transaction.atomic
def request_listing(*, issuer: Issuer, series: Series, wish: Wish, request_id: str, actor: str, now_us: int) -> ListingRequest:
    """The new request with the sheet as it is now. Raises SupplyRefusedError `listing_unissued`, `listing_rules`, `listing_exists`."""
    refusals = _wish_refusals(series, wish, now_us)
    if not Right.objects.filter(series=series, issuer=issuer).exists():
        refusals.append(Refusal("listing_unissued", "the issuer has issued no right of this class and window", "class"))
    if Instrument.objects.filter(series=series).exists():
        refusals.append(Refusal("listing_exists", "this class and window has a book already", "class"))
    if refusals:
        raise SupplyRefusedError(refusals)
    rules = {"currency": wish.currency, "trading": msgspec.to_builtins(wish.rules)}
    sheet = _sheet(series, wish.rules, wish.currency, wish.delivery_rule, now_us)
    try:
        with transaction.atomic():
            row = ListingRequest.objects.create(
                uuid=request_id,
                issuer=issuer,
                series=series,
                rules=rules,
                delivery_rule=wish.delivery_rule,
                sheet=canonical_json(sheet).decode(),
                note=wish.note,
                requested_by=actor,
                requested_at=to_datetime(now_us),
            )
    except IntegrityError as error:  # listing_open_once
        raise supply_refused("listing_exists", "a request for this class and window is open already", "class") from error
    payload = {
        "delivery_rule": wish.delivery_rule,
        "issuer": issuer.slug,
        "note": wish.note,
        "rules": rules,
        "series": f"series:{series.pk}",
        "sheet": sheet,
    }
    _remember(row, "listing.requested", payload, actor, now_us)
    return row


@transaction.atomic
def withdraw_listing(*, request_id: str, actor: str, now_us: int) -> ListingRequest:
    """The issuer wants it no longer. Raises SupplyRefusedError `listing_state`."""
    row = _locked(request_id, OPEN)
    _decide(row, "withdrawn", "", actor, now_us)
    _remember(row, "listing.withdrawn", {}, actor, now_us)
    return row


@transaction.atomic
def review_listing(*, request_id: str, reason: str, actor: str, now_us: int) -> ListingRequest:
    """An operator has read the sheet, which is computed anew for him and kept. Raises SupplyRefusedError `listing_state`, ReasonMissing."""
    stated = stated_reason(reason)
    row = _locked(request_id, ("submitted",))
    rules, currency = stored_rules(row)
    sheet = _sheet(row.series, rules, currency, row.delivery_rule, now_us)
    row.state, row.reviewed_by, row.reviewed_at = "reviewed", actor, to_datetime(now_us)
    row.sheet = canonical_json(sheet).decode()
    row.save(update_fields=["state", "reviewed_by", "reviewed_at", "sheet"])
    _remember(row, "listing.reviewed", {"reason": stated, "sheet": sheet}, actor, now_us)
    return row


@transaction.atomic
def approve_listing(*, request_id: str, reason: str, actor: str, now_us: int) -> ListingRequest:
    """Another operator than the reviewer gives the issuer its book. Who approves is logged in: a key is nobody's hand.

    Raises SupplyRefusedError `listing_state`, `second_person_needed`, `listing_rules` when the rules can't be listed any more, ReasonMissing.
    """
    stated = stated_reason(reason)
    row = _locked(request_id, ("reviewed",))
    if not actor.startswith("user:"):
        raise supply_refused("second_person_needed", "only an operator who is logged in approves a listing")
    if people_behind(actor) & people_behind(row.reviewed_by):
        raise supply_refused("second_person_needed", "somebody else than the reviewer has to approve")
    rules, currency = stored_rules(row)
    try:
        row.instrument = list_instrument(
            series=row.series,
            rules=_opening(rules, now_us),
            currency=currency,
            delivery_rule=row.delivery_rule,
            actor=row.reviewed_by,
            approved_by=actor,
            now_us=now_us,
        )
    except OperatorRefusal as refusal:
        raise supply_refused("listing_rules", refusal.detail) from refusal
    _decide(row, "approved", stated, actor, now_us)
    payload = {"instrument": row.instrument.symbol, "reason": stated, "reviewed_by": row.reviewed_by}
    _remember(row, "listing.approved", payload, actor, now_us)
    return row


@transaction.atomic
def reject_listing(*, request_id: str, reason: str, actor: str, now_us: int) -> ListingRequest:
    """An operator says no, and why. Raises SupplyRefusedError `listing_state`, ReasonMissing."""
    stated = stated_reason(reason)
    row = _locked(request_id, OPEN)
    _decide(row, "rejected", stated, actor, now_us)
    _remember(row, "listing.rejected", {"reason": stated}, actor, now_us)
    return row


STEPS: dict[str, Callable[..., ListingRequest]] = {"review": review_listing, "approve": approve_listing, "reject": reject_listing}


def _opening(rules: TradingRules, now_us: int) -> TradingRules:
    """An opening that has passed by the time of the approval is now."""
    return msgspec.structs.replace(rules, opens_us=max(rules.opens_us, now_us))


def _wish_refusals(series: Series, wish: Wish, now_us: int) -> list[Refusal]:
    faults = rule_faults(
        rules=_opening(wish.rules, now_us),
        lot_size=series.compute_class.lot_size,
        window_end_us=to_us(series.window_end),
        now_us=now_us,
    )
    found = [Refusal("listing_rules", fault.words, fault.field) for fault in faults]
    if not Asset.objects.filter(code=wish.currency, kind="cash").exists():
        found.append(Refusal("listing_rules", f"the venue has no currency {wish.currency}", "currency"))
    if wish.delivery_rule not in {EXACT, DOMINANCE}:
        found.append(Refusal("listing_rules", f"the delivery rule is {EXACT} or {DOMINANCE}", "delivery_rule"))
    return found


def _sheet(series: Series, rules: TradingRules, currency: str, delivery_rule: str, now_us: int) -> dict[str, Any]:
    """The disclosure sheet of the instrument that would be listed now."""
    opening, limit = _opening(rules, now_us), rules.position_limit_lots
    trading = {
        "currency": currency,
        "tick_minor": str(rules.tick_minor),
        "collar_ticks": {"low": str(rules.collar_low_ticks), "high": str(rules.collar_high_ticks)},
        "quantity_lots": {"min": str(rules.min_quantity_lots), "max": str(rules.max_quantity_lots)},
        "position_limit_lots": None if limit is None else str(limit),
        "fees": {"maker_bps": rules.maker_bps, "taker_bps": rules.taker_bps},
        "proceeds_escrow": rules.proceeds_escrow,
        "opens_at": rfc3339(opening.opens_us),
        "gate_closes_at": rfc3339(gate_of(rules, to_us(series.window_end))),
    }
    return counted_sheet(series=series, delivery_rule=delivery_rule, trading=trading)


def _locked(request_id: str, states: tuple[str, ...]) -> ListingRequest:
    """The request (by UUID), locked, in one of these states. Raises ListingRequest.DoesNotExist."""
    rows = ListingRequest.objects.select_for_update(no_key=True, of=("self",)).select_related("series__compute_class", "issuer")
    row = rows.get(uuid=request_id)
    if row.state not in states:
        raise supply_refused("listing_state", f"the request is {row.state}; this step takes one that is {' or '.join(states)}")
    return row


def _decide(row: ListingRequest, state: str, note: str, actor: str, now_us: int) -> None:
    row.state, row.decided_by, row.decided_at, row.decision_note = state, actor, to_datetime(now_us), note
    row.save(update_fields=["state", "decided_by", "decided_at", "decision_note", "instrument"])


def _remember(row: ListingRequest, kind: str, payload: Mapping[str, object], actor: str, now_us: int) -> None:
    remember_all([NewEvent(kind, "listing", public("lst", str(row.uuid)), {**payload, "by": actor})], actor=actor, now_us=now_us)
