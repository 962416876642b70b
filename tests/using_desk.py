"""A right in use, for tests of settlement: a desk with a supplier, and requests whose routes are under lock and running.

Requests and routes are laid as routing leaves them: units reserved by the registry and the ledger, escrow out of the issuer's cash.
"""

from typing import Any

import msgspec
import orjson
from django.db import transaction

from exchange.audit.run import audit
from exchange.replay.snapshot import snapshot
from rights.domain.effective_policy import Policy, intersect, of_right
from rights.domain.moment import parse_us
from rights.kernel.clock import to_datetime
from rights.models import Right
from rights.selectors import manifest_of
from rights.services.locks import Lock
from rights.services.venue import venue_account
from settlement.domain.receipt_body import LegTold, NewProof, Told
from settlement.domain.venue_proofs import venue_proofs
from settlement.models import Balance, Request, Route, Settlement
from settlement.services import ledger
from settlement.services.receipt import record_receipt
from settlement.services.unit_locks import lock_units
from tests.registry_desk import DAY_US, MINT, START_US, Desk
from tests.supply_desk import SupplyDesk

HOUR_US = 3_600_000_000
TARIFF_MINOR = 3  # per unit
WHO = {"actor": "test"}


class Using(Desk):
    """`issuer` has cash; `holder` has rights of it; `boreal` executes. It is an hour into the window."""

    def __init__(self, *, cash_minor: int = 10**12) -> None:
        super().__init__()
        self.supply = SupplyDesk(self)
        self.now_us = START_US + HOUR_US
        self._backed: set[str] = set()
        self.usd = ledger.cash_asset()
        if cash_minor:
            self._move("funding", "venue:funding", self.accounts["issuer"].pk, cash_minor)

    def right(self, units: int = 10_000, *, settlement: dict[str, Any] | None = None, **patch: Any) -> Right:
        """A right under the `basic` profile unless `settlement` (its policy) says otherwise."""
        terms = {"settlement_policy": {"proof_profile": "basic", **(settlement or {})}, **patch}
        if repr(terms) not in self._backed:  # another class rests on an assurance of its own
            self._backed.add(repr(terms))
            self.assure(patch=terms, gross_units=10**9)
        return self.issue(units, **terms)

    def running(self, *parts: tuple[Right, int], latest_us: int | None = None, state: str = "executing", **request: Any) -> Request:
        """A request whose routes lock these units and, unless told otherwise, run."""
        at, latest = to_datetime(self.now_us), latest_us or START_US + DAY_US
        first = parts[0][0]
        row = Request.objects.create(
            **{
                "id": MINT.uuid(self.now_us),
                "account": first.holder,
                "holder": first.holder,
                "stream_id": first.series.stream_id,
                "state": state,
                "workload": "text.generation",
                "operation": "chat",
                "expected_units": sum(units for _, units in parts),
                "envelope": "{}",
                "envelope_hash": "e" * 64,
                "effective": {f"rgt_{right.pk}": self._effective(right, latest) for right, _ in parts},
                "latest_at": to_datetime(latest),
                "created_at": at,
                "updated_at": at,
                **request,
            }
        )
        for number, (right, units) in enumerate(parts, 1):
            self._lock(row, number, right, units, "executing" if state == "executing" else "locked")
        return row

    def _effective(self, right: Right, latest_us: int) -> dict[str, Any]:
        found = intersect(
            [
                ("right", of_right(manifest_of(right).document, ends_us=parse_us(manifest_of(right).document["window"]["end"]))),
                ("request", Policy(latest_us=latest_us)),
            ]
        )
        return orjson.loads(orjson.dumps(msgspec.to_builtins(found, order="deterministic")))

    def _lock(self, request: Request, number: int, right: Right, units: int, state: str) -> None:
        route = MINT.uuid(self.now_us)
        escrow = units * TARIFF_MINOR
        with transaction.atomic():
            lock_units(locks=[Lock(str(right.pk), "route_lock", f"rte_{route}", units)], holder_id=right.holder_id, now_us=self.now_us)
            self._move("escrow", self.accounts["issuer"].pk, "venue:escrow", escrow, entry_id=route)
            Route.objects.create(
                id=route,
                request=request,
                number=number,
                right=right,
                capability=self.supply.capability,
                supplier=self.supply.supplier,
                units=units,
                currency=self.usd,
                escrow_minor=escrow,
                payer=self.accounts["issuer"],
                payee=self.supply.account,
                score=5_000,
                state=state,
                quoted_at=to_datetime(self.now_us),
                locked_at=to_datetime(self.now_us),
                expires_at=to_datetime(self.now_us + 60_000_000),
            )

    def _move(self, kind: str, giver: int | str, taker: int | str, amount: int, entry_id: str | None = None) -> None:
        ids = [venue_account(code=x, now_us=self.now_us).pk if isinstance(x, str) else x for x in (giver, taker)]
        with transaction.atomic():
            ledger.post(moves=[ledger.Move(entry_id or MINT.uuid(self.now_us), 0, kind, self.usd.pk, *ids, amount)], now_us=self.now_us)

    def told(self, request: Request, *delivered: int, status: str = "completed", **leg: Any) -> Told:
        """A receipt in which each route delivered so many units."""
        routes = request.routes.order_by("number")
        legs = tuple(
            LegTold(
                route_id=str(route.pk), delivered_units=units, billable_units=units, **{"latency_us": 1_000, "output_ref": "out", **leg}
            )
            for route, units in zip(routes, delivered, strict=False)
        )
        done = self.now_us if status.endswith("completed") else None
        return Told(status=status, started_us=self.now_us - 1_000, completed_us=done, legs=legs, cancelled_by_right=status == "cancelled")

    def record(self, request: Request, told: Told, proofs: list[NewProof] | None = None, *, without: tuple[str, ...] = ()) -> Settlement:
        """The receipt with the venue's own proofs, but those of a type in `without`."""
        made = venue_proofs(request_id=str(request.pk), told=told, envelope_hash=request.envelope_hash) if proofs is None else proofs
        kept = [proof for proof in made if proof.type not in without]
        return record_receipt(request_id=str(request.pk), told=told, proofs=kept, mint=MINT, now_us=self.now_us, **WHO)

    def cash(self, slug: str) -> int:
        """What an account, or the venue's account of that code, has."""
        account = venue_account(code=slug, now_us=self.now_us) if ":" in slug else self.accounts[slug]
        return Balance.objects.filter(account=account, asset=self.usd).values_list("amount", flat=True).first() or 0

    def units(self, right: Right) -> tuple[int, int, str]:
        """(remaining, reserved, status) now."""
        return Right.objects.values_list("remaining_units", "reserved_units", "status").get(pk=right.pk)


def broken(now_us: int, *, ignore: tuple[str, ...] = ()) -> list[str]:
    """What the audit finds broken."""
    with snapshot():
        return [b.check for b in audit(now_us=now_us).broken if b.check not in ignore]
