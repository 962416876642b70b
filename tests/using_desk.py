"""Rights in use, for tests of settlement: requests that run, and receipts as an executor tells them. Everything through the services."""

from typing import Any

from exchange.audit.run import audit
from exchange.replay.run import replay
from rights.models import Right
from rights.services.venue import venue_account
from settlement.domain.envelope import Candidate
from settlement.domain.receipt_body import LegTold, NewProof, Told
from settlement.domain.venue_proofs import venue_proofs
from settlement.models import Balance, Request, Settlement
from settlement.services.begin import begin_execution
from settlement.services.ledger import cash_asset
from settlement.services.receipt import record_receipt
from settlement.services.submit import submit_request
from tests.redeem_desk import BODY, TARIFF, RedeemDesk
from tests.registry_desk import MINT

TARIFF_MINOR = TARIFF["tariff_minor"]
CASH_MINOR = 10**9  # the issuer's
WHO = {"actor": "test"}


class Using(RedeemDesk):
    """A holder whose rights may have any policy of settlement."""

    def __init__(self) -> None:
        super().__init__()
        self._backed: set[str] = set()

    def basic(self, units: int = 10_000, *, settlement: dict[str, Any] | None = None, **patch: Any) -> Right:
        """A right under the `basic` profile unless `settlement` (its policy) says otherwise."""
        terms = {"settlement_policy": {"proof_profile": "basic", **(settlement or {})}, **patch}
        if repr(terms) not in self._backed:  # another class rests on an assurance of its own
            self._backed.add(repr(terms))
            self.suppliers["boreal"].assure(10**7, patch={**terms, "assurance": {"reference": "pledged"}})
        return self.issue(units, **terms)

    def without_payload(self, *parts: tuple[Right, int]) -> Request:
        """A request whose work stays with whoever executes it."""
        return self.matched(*parts, payload=None)

    def matched(self, *parts: tuple[Right, int], payload: str | None = BODY, **said: Any) -> Request:
        """A request whose routes lock these units of these rights."""
        named = tuple(Candidate(str(right.pk), units) for right, units in parts)
        return submit_request(
            envelope=self.envelope(units=sum(units for _, units in parts), **{"candidates": named, **said}),
            account=self.accounts["holder"],
            payload=payload,
            request_id=MINT.uuid(self.now_us),
            mint=MINT,
            now_us=self.now_us,
            **WHO,
        )

    def running(self, *parts: tuple[Right, int], **said: Any) -> Request:
        """A request that is being executed."""
        request = self.matched(*parts, **said)
        assert begin_execution(request_id=str(request.pk), now_us=self.now_us, **WHO) is not None
        return request

    def told(self, request: Request, *delivered: int, status: str = "completed", **leg: Any) -> Told:
        """A receipt in which each route delivered so many units."""
        routes = request.routes.filter(state__in=("locked", "executing")).order_by("number")
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
        return Balance.objects.filter(account=account, asset=cash_asset()).values_list("amount", flat=True).first() or 0

    def units_of(self, code: str, right: Right) -> int:
        """What of the right's root the venue's account of that code has."""
        return Balance.objects.filter(account__code=code, asset__root_right=right.root_id).values_list("amount", flat=True).first() or 0

    def units(self, right: Right) -> tuple[int, int, str]:
        """(remaining, reserved, status) now."""
        return Right.objects.values_list("remaining_units", "reserved_units", "status").get(pk=right.pk)

    def sound(self) -> None:
        """Nothing is broken, and the events alone tell the same."""
        assert audit(now_us=self.now_us).broken == []
        assert replay().differences == {}
