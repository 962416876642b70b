"""Quotes of a request (SPEC §8): what may do it, read under the rights' locks, and the rows that keep it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from rights.domain.effective_policy import policy_document
from rights.kernel.clock import to_datetime
from rights.kernel.ids import Mint, public
from rights.services.deliveries import lock_rights
from rights.services.journal import NewEvent
from settlement.domain import route_events
from settlement.domain.claims import Claim
from settlement.domain.envelope import Envelope
from settlement.domain.routing import Pair, Quote, RoutePlan, plan_routes
from settlement.models import Request, Route
from settlement.selectors.candidates import claims_of, offers_of
from settlement.selectors.payers import payers_of
from settlement.services.ledger import cash_asset
from settlement.services.request_refusal import RequestRefused
from settlement.services.request_source import Source


class Quoting(msgspec.Struct, frozen=True):
    """The plan, and what it was made of. `currency_id` of all its cash."""

    plan: RoutePlan
    claims: tuple[Claim, ...]
    streams: Mapping[str, int]
    currency_id: int

    @property
    def latest_us(self) -> int:
        """When nothing of it counts any more: the last moment of the right that lasts longest, or the request's own."""
        return max((found.effective.policy.latest_us or found.ends_us for found in self.claims if found.is_held), default=0)

    def effective(self) -> dict[str, Any]:
        """By right: the policy in force, and who narrowed what (SPEC §8)."""
        return {
            public("rgt", claim.right_id): {
                "narrowings": [msgspec.to_builtins(found) for found in claim.effective.narrowings],
                "policy": policy_document(claim.effective.policy),
            }
            for claim in self.claims
            if claim.is_held
        }

    def refusals(self) -> list[route_events.Payload]:
        return [
            route_events.refusal(right=found.right_id, supplier=found.supplier, reason=found.reason)
            for found in self.plan.refusals[:MOST_REFUSALS]
        ]


MOST_REFUSALS = 100


def quoting(
    *,
    envelope: Envelope,
    source: Source,
    request_id: str,
    now_us: int,
    is_late: bool = False,
    only: Sequence[Pair] | None = None,
    without: Collection[int] = (),
) -> Quoting:
    """Lock the rights, look, choose; in the caller's transaction. Raises RequestRefused when none of the rights is the holder's.

    Capabilities `without` have just failed this very request: as good as if their breakers were open.
    """
    lock_rights([found.right_id for found in source.wanted])
    facts = claims_of(wanted=source.wanted, holder_id=source.holder_id, words=source.words, request_id=request_id, now_us=now_us)
    asset = cash_asset()
    offers = [
        msgspec.structs.replace(offer, opened_until_us=now_us + 1, failures=offer.failures + 1) if offer.capability_id in without else offer
        for offer in offers_of(envelope.workload, now_us=now_us)
        if offer.currency == asset.code
    ]
    participants = {offer.participant_id for offer in offers} | {claim.issuer_participant_id for claim in facts.claims}
    plan = plan_routes(
        envelope=envelope,
        claims=facts.claims,
        offers=offers,
        payers=payers_of(participants, asset_id=asset.pk),
        now_us=now_us,
        is_late=is_late,
        only=only,
    )
    if not facts.streams:
        raise RequestRefused(plan.refusals)
    return Quoting(plan, facts.claims, facts.streams, asset.pk)


def save_quotes(*, request: Request, found: Quoting, first: int, mint: Mint, now_us: int) -> tuple[list[tuple[Quote, Route]], NewEvent]:
    """A row for every quote, numbered from `first`, and the fact; those that are chosen are still to be locked."""
    made = [(quote, _route(request, quote, first + n, found.currency_id, mint, now_us)) for n, quote in enumerate(found.plan.quotes)]
    Route.objects.bulk_create([route for _, route in made])
    fact = route_events.quoted(routes=[_fact(quote, route) for quote, route in made])
    refs = {"right": public("rgt", made[0][0].right_id)} if made else {}
    return made, NewEvent(route_events.QUOTED, "request", public("req", str(request.pk)), fact, refs)


def _route(request: Request, quote: Quote, number: int, currency_id: int, mint: Mint, now_us: int) -> Route:
    return Route(
        pk=mint.uuid(now_us),
        request=request,
        number=number,
        right_id=quote.right_id,
        capability_id=quote.offer.capability_id,
        supplier_id=quote.offer.supplier_id,
        units=quote.units,
        currency_id=currency_id,
        score=quote.score,
        reasons=[route_events.reason_document(reason) for reason in quote.refusals or quote.reasons],
        fallbacks=list(quote.fallbacks),
        quality_loss_bps=quote.quality_loss_bps,
        state="refused" if quote.refusals else "quoted",
        quoted_at=to_datetime(now_us),
    )


def _fact(quote: Quote, route: Route) -> route_events.Payload:
    return route_events.quote(
        route=str(route.pk),
        number=route.number,
        right=quote.right_id,
        capability=quote.offer.capability,
        supplier=quote.offer.supplier,
        units=route.units,
        currency=quote.offer.currency,
        score=route.score,
        reasons=route.reasons,
        fallbacks=route.fallbacks,
        quality_loss_bps=route.quality_loss_bps,
        state=route.state,
    )
