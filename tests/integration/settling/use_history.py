"""Rights in use as chance has it: requests that end in every way, late and lying proofs, disputes, freezes, sales in between."""

import random
from typing import Any

import orjson
from django.db import transaction
from msgspec import structs

from exchange.services.redemption import redeem_due
from rights.domain.package import PartFacts
from rights.models import Package, Right
from rights.services.freeze import freeze_right
from rights.services.refusals import RegistryRefusalError
from settlement.domain.receipt_body import LegTold, NewProof, Told, told_in
from settlement.domain.request_states import BUDGETS
from settlement.domain.settlement_states import Outcome
from settlement.domain.venue_proofs import venue_proofs
from settlement.models import Dispute, Request, Settlement
from settlement.services.begin import begin_execution
from settlement.services.cancel import cancel_request
from settlement.services.disputes import Decision, DisputeRefused, Opening, assign_reviewer, decide_dispute, open_dispute
from settlement.services.endings import unfreeze_right
from settlement.services.packages import Composition, amend_package, create_package, finalize_package, parts_of, split_package
from settlement.services.proof_rows import ReceiptRefused
from settlement.services.receipt import add_proofs, record_receipt
from settlement.services.request_refusal import RequestRefused, RequestStateRefused
from settlement.services.transfer import Part, TransferRefused, transfer_units
from tests.registry_desk import MINT
from tests.using_desk import WHO, Using

REFUSALS = (RegistryRefusalError, DisputeRefused, ReceiptRefused, RequestRefused, RequestStateRefused, TransferRefused)
WINDOW_S = 600
FALLBACK = {"allow_fallback": True, "substitute_providers": True, "max_quality_loss_bps": 2_000, "max_latency_expansion_bps": 0}
# Every refund policy, with and without a window, with and without leave to do a part.
TERMS: tuple[dict[str, Any], ...] = tuple(
    {
        "settlement": {"refund_policy": refund, "dispute_window_seconds": window, "proof_profile": profile},
        "limits": {"partial_fill_allowed": refund != "none"},
        "fallback_policy": FALLBACK,
    }
    for refund, window, profile in (
        ("none", 0, "basic"),
        ("none", WINDOW_S, "basic"),
        ("pro-rata", WINDOW_S, "standard"),
        ("credit-reissue", WINDOW_S, "basic"),
        ("credit-reissue", 0, "basic"),
        ("custom", WINDOW_S, "basic"),
    )
)
ENDS = ("completed", "completed", "completed", "fallback_completed", "partially_completed", "failed", "expired", "cancelled")


class UseHistory:
    """Histories one behind the other in one world; `steps` counts what was done, by name, so that nothing is left out unseen."""

    def __init__(self, desk: Using, seed: int) -> None:
        self.desk, self.chance = desk, random.Random(seed)
        self.desk.accounts["judge"] = desk.desk.open("judge")
        self.rights: list[Right] = []
        self.steps: dict[str, int] = {}

    def run(self, steps: int = 20) -> None:
        """One history, from its rights to the end of everything that it began."""
        many = self.chance.choices(TERMS, k=2)
        self.rights = [self.desk.basic(self.chance.choice((50, 400, 2_000)), **terms) for terms in many]
        for right in self.rights:  # rights of compensation need somebody who has looked at what stands behind them
            self.desk.desk.now_us = self.desk.now_us
            self.desk.suppliers["boreal"].refresh(right.assurance)
        acts = (self.submit, self.end, self.prove, self.challenge, self.decide, self.freeze, self.sell, self.wait, self.pack)
        for _ in range(steps):
            self.attempt(self.chance.choices(acts, (8, 8, 3, 8, 6, 1, 1, 1, 2))[0])
        self.close()

    def attempt(self, act: Any) -> None:
        """Do it, or be refused and have changed nothing."""
        try:
            with transaction.atomic():
                done = act()
        except REFUSALS as refused:
            done = f"refused {getattr(refused, 'code', type(refused).__name__)}"
        self.steps[done] = self.steps.get(done, 0) + 1
        if done.startswith("nothing"):
            self.attempt(self.submit)
        self.desk.now_us += self.chance.randrange(1, 2_000_000)

    def submit(self) -> str:
        """Out of rights, or out of a package; under any budget."""
        said: dict[str, Any] = {"budget": self.chance.choice(BUDGETS)}
        package = self.chance.choice([None, None, *Package.objects.filter(state="active").order_by("pk")])
        if package is None:
            parts = [(right, self.chance.randrange(1, 40)) for right in self.chance.sample(self.rights, self.chance.randrange(1, 3))]
            request = self.desk.matched(*parts, **said)
        else:
            request = self.desk.submit(units=self.chance.randrange(1, 30), package_id=str(package.uuid), candidates=(), **said)
        if self.chance.random() < 0.85:
            begin_execution(request_id=str(request.pk), now_us=self.desk.now_us, **WHO)
        return "submitted"

    def end(self) -> str:
        open_ones = list(Request.objects.filter(ended_at=None).order_by("pk"))
        if not open_ones:
            return "nothing to end"
        request = self.chance.choice(open_ones)
        if request.state != "executing":
            cancel_request(request_id=str(request.pk), reason="chance", mint=MINT, now_us=self.desk.now_us, **WHO)
            return "cancelled before use"
        told = self._told(request)
        proofs = venue_proofs(request_id=str(request.pk), told=told, envelope_hash=request.envelope_hash)
        kept = [proof for proof in proofs if self.chance.random() < 0.98]
        settlement = self._record(request, told, kept)
        return settlement.outcome or "unproven"

    def _told(self, request: Request) -> Told:
        """What an executor may say: mostly so, now and then more than was locked, too late, or a cancel nobody ordered."""
        chance, status = self.chance, self.chance.choice(ENDS)
        done = status.endswith("completed")
        legs = []
        for route in request.routes.filter(state="executing").order_by("number"):
            units = route.units if status == "completed" and chance.random() < 0.5 else chance.randrange(route.units + 1)
            units = route.units + 1 if chance.random() < 0.03 else units
            degraded = status == "fallback_completed"
            legs.append(
                LegTold(
                    route_id=str(route.pk),
                    delivered_units=units if done else 0,
                    billable_units=units if done else 0,
                    latency_us=chance.randrange(1, 10**6),
                    output_hash="a" * 64,
                    fallbacks=("substitute_providers",) if degraded else (),
                    quality_loss_bps=chance.randrange(2_200) if degraded else 0,
                )
            )
        late_us = 10**15 if chance.random() < 0.03 else 0
        return Told(
            status=status,
            started_us=self.desk.now_us - 1,
            completed_us=self.desk.now_us + late_us if done else None,
            legs=tuple(legs),
            cancelled_by_right=chance.random() < 0.8,
        )

    def _record(self, request: Request, told: Told, proofs: list[NewProof]) -> Settlement:
        self.chance.shuffle(proofs)
        return record_receipt(request_id=str(request.pk), told=told, proofs=proofs, mint=MINT, now_us=self.desk.now_us, **WHO)

    def prove(self) -> str:
        """Give what is missing, the same again, or a lie."""
        found = list(Settlement.objects.exclude(state="finalized").select_related("request", "receipt").order_by("pk"))
        if not found:
            return "nothing to prove"
        settlement = self.chance.choice(found)
        told = told_in(orjson.loads(settlement.receipt.body))
        if self.chance.random() < 0.2:
            lie = NewProof(type="usage-meter", reference="lie", content_hash="b" * 64, producer="boreal", units=10**6)
            add_proofs(receipt_id=str(settlement.receipt_id), proofs=[lie], mint=MINT, now_us=self.desk.now_us, **WHO)
            return "lied"
        request = settlement.request
        self._record(request, told, venue_proofs(request_id=str(request.pk), told=told, envelope_hash=request.envelope_hash))
        return "proved"

    def challenge(self) -> str:
        found = list(Settlement.objects.filter(state="pending_dispute_window").order_by("pk"))
        if not found:
            return "nothing to challenge"
        by = self.desk.accounts[self.chance.choice(("holder", "boreal", "issuer"))]
        opening = Opening(MINT.uuid(self.desk.now_us), by, "chance")
        open_dispute(settlement_id=str(self.chance.choice(found).pk), opening=opening, now_us=self.desk.now_us, **WHO)
        return "challenged"

    def decide(self) -> str:
        found = list(Dispute.objects.filter(state="open").order_by("pk"))
        if not found:
            return "nothing to decide"
        decision = self.chance.choice(("reject", "uphold", "reclassify"))
        self._decide(self.chance.choice(found), decision)
        return decision

    def _decide(self, dispute: Dispute, decision: str) -> None:
        judge = self.desk.accounts["judge"].participant
        known = {"dispute_id": str(dispute.pk), "reviewer": judge, "now_us": self.desk.now_us, **WHO}
        assign_reviewer(**known)
        outcome = self.chance.choice([str(outcome) for outcome in Outcome]) if decision == "reclassify" else None
        decide_dispute(decision=Decision(decision, "chance", outcome), mint=MINT, **known)

    def pack(self) -> str:
        """A package is composed; or, where there is one, composed anew, divided or taken apart, whatever is at work of it."""
        package, holder = Package.objects.filter(state="active").order_by("pk").last(), self.desk.accounts["holder"]
        kind, branch = self.chance.choice((("bundle", ""), ("tranche", ""), ("strategy", "any")))
        tier = "baseline" if kind == "tranche" else ""
        chosen = self.chance.sample(self.rights, self.chance.randrange(1, 3))
        parts = [PartFacts(str(right.pk), self.chance.randrange(1, 40), tier, branch) for right in chosen]
        known = {"now_us": self.desk.now_us, **WHO}
        if package is None:
            create_package(holder=holder, composition=Composition(kind, "x", parts), package_id=MINT.uuid(self.desk.now_us), **known)
            return "packed"
        known |= {"package_id": str(package.uuid), "holder_id": holder.pk}
        act = self.chance.choice(("amended", "split", "taken apart"))
        if act == "amended":
            parts = parts_of(package)[: self.chance.randrange(1, 3)]
            amend_package(
                composition=Composition(package.type, "y", [structs.replace(part, units=part.units or 1) for part in parts]), **known
            )
        elif act == "split":
            parts = [structs.replace(part, units=1) for part in parts_of(package)[:1]]
            split_package(parts=parts, label="z", child_id=MINT.uuid(self.desk.now_us), **known)
        else:
            finalize_package(reason="chance", **known)
        return act

    def freeze(self) -> str:
        right = Right.objects.get(pk=self.chance.choice(self.rights).pk)
        known = {"right_id": str(right.pk), "now_us": self.desk.now_us, **WHO}
        if right.status == "frozen":
            unfreeze_right(note="chance", mint=MINT, **known)
            return "unfrozen"
        freeze_right(freeze_reason="governance", note="chance", **known)
        return "frozen"

    def sell(self) -> str:
        """All that is free of a right, or a part, goes to somebody else."""
        right = Right.objects.get(pk=self.chance.choice(self.rights).pk)
        free = right.remaining_units - right.reserved_units
        units = free if self.chance.random() < 0.3 else self.chance.randrange(1, max(2, free // 4))
        parts, holder = [Part(str(right.pk), units)], self.desk.accounts["holder"]
        transfer_units(parts=parts, giver=holder, taker=self.desk.accounts["other"], mint=MINT, now_us=self.desk.now_us, **WHO)
        return "sold"

    def wait(self) -> str:
        self.desk.now_us += self.chance.choice((30, 90, 310)) * 1_000_000
        redeem_due(mint=MINT, actor="timetable", now_us=self.desk.now_us)
        return "waited"

    def close(self) -> None:
        """Everything that was begun ends: what executes fails, disputes are rejected, deadlines and windows pass."""
        for request in Request.objects.filter(state="executing").order_by("pk"):
            told = Told(status="failed", legs=())
            self._record(request, told, venue_proofs(request_id=str(request.pk), told=told, envelope_hash=request.envelope_hash))
        for request in Request.objects.filter(ended_at=None).order_by("pk"):
            cancel_request(request_id=str(request.pk), reason="it ends", mint=MINT, now_us=self.desk.now_us, **WHO)
        for package in Package.objects.filter(state="active").order_by("pk"):
            known = {"package_id": str(package.uuid), "holder_id": package.holder_id, "now_us": self.desk.now_us}
            finalize_package(reason="it ends", **known, **WHO)
        for _ in range(3):
            for dispute in Dispute.objects.filter(state="open").order_by("pk"):
                self._decide(dispute, "reject")
            self.desk.now_us += WINDOW_S * 1_000_000
            redeem_due(mint=MINT, actor="timetable", now_us=self.desk.now_us)
