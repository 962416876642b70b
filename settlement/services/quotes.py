"""Quotes of a request (SPEC §8): what may do it, read under the rights' locks, and the rows that keep it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from rights.domain.effective_policy import policy_document
from rights.kernel import rows
from rights.kernel.clock import rfc3339, to_datetime, to_us
from rights.kernel.ids import Mint, public
from rights.kernel.trip import Trip
from rights.services.deliveries import Held, ask_rights, read_rights
from rights.services.journal import NewEvent
from rights.services.venue import venue_account
from settlement.domain import route_events
from settlement.domain.claims import Claim, Offer, Payer
from settlement.domain.envelope import Envelope
from settlement.domain.routing import Pair, Quote, RoutePlan, plan_routes
from settlement.domain.taken import Taken
from settlement.models import Request, Route
from settlement.selectors.candidates import Seen, ask_facts
from settlement.selectors.payers import CURRENCY, ESCROW, ask_payers
from settlement.services.ledger import cash_asset
from settlement.services.package_use import OpenPackage
from settlement.services.request_refusal import RequestRefused
from settlement.services.request_source import Source


class Quoting(msgspec.Struct, frozen=True):
    """The plan, and what it was made of: the rights as they are under lock, the currency of all its cash, the escrow account, and the
    package that the units come out of.
    """

    plan: RoutePlan
    claims: tuple[Claim, ...]
    streams: Mapping[str, int]
    currency_id: int
    scale: int
    escrow_id: int
    held: dict[str, Held]
    package: OpenPackage | None = None

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


class Look(msgspec.Struct):
    """What requests are judged by, read under their rights' locks; what those before took of it in the same transaction."""

    held: dict[str, Held]
    seen: Seen
    payers: dict[int, Payer]
    currency: tuple[int, int]
    escrow_id: int
    now_us: int
    taken: Taken

    def quoting(
        self,
        *,
        envelope: Envelope,
        source: Source,
        is_late: bool = False,
        only: Sequence[Pair] | None = None,
        without: Collection[int] = (),
    ) -> Quoting:
        """Choose for one request, as if the database had what was taken. Raises RequestRefused when none of the rights is the holder's.

        Capabilities `without` have just failed this very request: as good as if their breakers were open.
        """
        facts = self.seen.facts(wanted=source.wanted, holder_id=source.holder_id, words=source.words, taken=self.taken)
        offers = self.seen.offers(envelope.workload, self.taken)
        plan = plan_routes(
            envelope=envelope,
            claims=facts.claims,
            offers=[_tried(offer, without, self.now_us) for offer in offers if offer.currency == CURRENCY],
            payers=self._payers(),
            scale=self.currency[1],
            now_us=self.now_us,
            is_late=is_late,
            only=only,
        )
        if not facts.streams:
            raise RequestRefused(plan.refusals)
        return Quoting(plan, facts.claims, facts.streams, *self.currency, self.escrow_id, self.held, source.package)

    def _payers(self) -> dict[int, Payer]:
        spent = self.taken.cash
        if not spent:
            return self.payers
        return {
            participant: msgspec.structs.replace(payer, free_minor=payer.free_minor - spent.get(payer.account_id, 0))
            for participant, payer in self.payers.items()
        }


def look(*, wishes: Sequence[tuple[Envelope, Source]], request_id: str, now_us: int) -> Look:
    """Lock the rights of all of them and read what they are judged by, in the caller's transaction.

    `request_id`: whose own routes do not count against it; of several, which are all new, any.
    """
    trip, workloads = Trip(), {envelope.workload for envelope, _ in wishes}
    right_ids = {wanted.right_id for _, source in wishes for wanted in source.wanted}
    ids = rows.array(sorted(right_ids))
    locked = ask_rights(trip, right_ids)
    asked = ask_facts(trip, right_ids=ids, workloads=workloads, request_id=request_id, now_us=now_us)
    parties = ask_payers(trip, right_ids=ids, workloads=workloads)
    trip.go()
    currency = parties.currency() or _new_currency()
    escrow = parties.escrow_id() or venue_account(code=ESCROW, now_us=now_us).pk
    return Look(read_rights(locked), asked.read(), parties.payers(), currency, escrow, now_us, Taken())


def _new_currency() -> tuple[int, int]:
    asset = cash_asset()
    return asset.pk, asset.scale


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
    """`look` and choose for one request, whoever has asked for what before."""
    found = look(wishes=[(envelope, source)], request_id=request_id, now_us=now_us)
    return found.quoting(envelope=envelope, source=source, is_late=is_late, only=only, without=without)


def _tried(offer: Offer, without: Collection[int], now_us: int) -> Offer:
    if offer.capability_id not in without:
        return offer
    return msgspec.structs.replace(offer, opened_until_us=now_us + 1, failures=offer.failures + 1)


def quoted_routes(*, request: Request, found: Quoting, first: int, mint: Mint, now_us: int) -> tuple[list[tuple[Quote, Route]], NewEvent]:
    """A row for every quote, numbered from `first`, and the fact; those that are chosen are still to be locked, and all to be written."""
    made = [(quote, _route(request, quote, first + n, found, mint, now_us)) for n, quote in enumerate(found.plan.quotes)]
    fact = route_events.quoted(routes=[_fact(quote, route) for quote, route in made])
    refs = {"right": public("rgt", made[0][0].right_id)} if made else {}
    return made, NewEvent(route_events.QUOTED, "request", public("req", str(request.pk)), fact, refs)


_COLUMNS = (
    "id, request_id, number, right_id, capability_id, supplier_id, units, currency_id, escrow_minor, payer_id, payee_id, score, reasons, "
    "fallbacks, quality_loss_bps, state, quoted_at, locked_at, expires_at, package_id, tier, branch"
)


def write_routes(made: Sequence[tuple[Quote, Route]]) -> None:
    """Write new rows, set by set."""
    rows.copy_rows("settlement_route", _COLUMNS, [_line(route) for _, route in made])


def _line(route: Route) -> str:
    fields = (
        route.pk, route.request_id, route.number, route.right_id, route.capability_id, route.supplier_id, route.units, route.currency_id,
        route.escrow_minor, _known(route.payer_id), _known(route.payee_id), route.score,
        rows.escape(msgspec.json.encode(route.reasons).decode()), rows.array(route.fallbacks), route.quality_loss_bps, route.state,
        _at(route.quoted_at), _at(route.locked_at), _at(route.expires_at), _known(route.package_id), route.tier, rows.escape(route.branch),
    )  # fmt: skip
    return "\t".join(map(str, fields))


def _known(number: int | None) -> int | str:
    return rows.NULL if number is None else number


def _at(moment: datetime | None) -> str:
    return rows.NULL if moment is None else rfc3339(to_us(moment))


def _route(request: Request, quote: Quote, number: int, found: Quoting, mint: Mint, now_us: int) -> Route:
    claim = next(claim for claim in found.claims if claim.right_id == quote.right_id)
    return Route(
        pk=mint.uuid(now_us),
        request=request,
        number=number,
        right_id=quote.right_id,
        capability_id=quote.offer.capability_id,
        supplier_id=quote.offer.supplier_id,
        units=quote.units,
        package=None if found.package is None else found.package.row,
        tier=claim.tier,
        branch=claim.branch,
        currency_id=found.currency_id,
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
        part=part_told(route),
        state=route.state,
    )


def part_told(route: Route) -> route_events.Payload | None:
    """The part of a package that the route takes its units out of, as events tell it."""
    if route.package is None:
        return None
    return route_events.part(package=str(route.package.uuid), tier=route.tier, branch=route.branch)
