"""A request through the node network: locked, leased, done, received and settled; and everything that can go wrong on the way."""

import json

import pytest

from exchange.audit.run import audit
from exchange.replay.run import replay
from exchange.services.timetable import run_due
from rights.models import Account, Right
from settlement.domain.receipt_body import LegTold
from settlement.models import Balance, Endpoint, Job, Node, Proof, Receipt, RequestPayload, Settlement
from settlement.services.begin import begin_execution
from settlement.services.complete import GivenBack, Handed, complete_jobs, complete_together, fail_jobs
from settlement.services.gather import gather, gather_due
from settlement.services.job_ends import expire_leases_due
from settlement.services.lease import Wish, lease_jobs, lease_together
from settlement.services.ledger import cash_asset
from settlement.services.node_calls import NonceUsed
from settlement.services.node_jobs import open_jobs, open_jobs_due, tell_legs
from settlement.services.node_network import network_due
from settlement.services.nodes import suspend_node
from settlement.services.proof_rows import MOST_PROOFS
from settlement.services.pulse import SILENT_US, abandoned_due
from settlement.services.request_refusal import RequestRefused
from tests.node_desk import Hand, register, result_of
from tests.redeem_desk import BODY, MINT, RedeemDesk

pytestmark = pytest.mark.django_db

SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US


class NodeDesk(RedeemDesk):
    """`boreal` executes by nodes: `honest`, and as many others as a test names."""

    def __init__(self, **patch) -> None:
        super().__init__(**patch)
        self.hands: dict[str, Hand] = {}
        self.hand("honest")

    def serve(self, capability, **said):
        return super().serve(capability, **{"adapter": "node-network", "base_url": "", "inside": False, "max_attempts": 3, **said})

    def hand(self, name: str) -> Hand:
        hand = self.hands[name] = register(self.suppliers["boreal"].supplier, name, self.desk.now_us)
        return hand

    def begun(self, *rights, **said):
        """A request whose execution has begun, and been offered to nodes."""
        request = self.submit(*rights, **said)
        work = begin_execution(request_id=str(request.pk), actor="test", now_us=self.now_us)
        assert work is not None
        by_nodes = [leg for leg in work.legs if leg.endpoint.adapter == "node-network"]
        assert open_jobs(request_id=str(request.pk), now_us=self.now_us) == len(by_nodes)
        return request

    def begun_in_two(self):
        """A request with its work, of two legs that began at another adapter's endpoint, which became one of nodes meanwhile."""
        Endpoint.objects.update(adapter="openai")
        request = self.submit(*[self.issue(600) for _ in range(2)], units=1_000)
        work = begin_execution(request_id=str(request.pk), actor="test", now_us=self.now_us)
        Endpoint.objects.update(adapter="node-network")
        return request, work

    def lease(self, name: str = "honest", most: int = 1):
        return lease_jobs(node_id=self.hands[name].node_id, most=most, workloads=None, now_us=self.now_us)

    def answer(self, name, *results):
        """The verdicts; what is over is gathered, as the view does it."""
        told = complete_jobs(node_id=self.hands[name].node_id, results=results, actor=f"node:{name}", now_us=self.now_us)
        gather(request_ids=[one.request_id for one in told if one.request_id], mint=MINT, now_us=self.now_us)
        return [one.verdict for one in told]

    def done(self, lease, units=10, output="ten tokens", name="honest", **said):
        return result_of(self.hands[name], lease.job_id, output, units, **said)

    def cash(self, slug: str) -> int:
        account = Account.objects.get(code=slug) if ":" in slug else self.accounts[slug]
        found = Balance.objects.filter(account=account, asset=cash_asset()).values_list("amount", flat=True).first()
        return found or 0


@pytest.fixture
def desk():
    desk = NodeDesk()
    yield desk
    broken = [check.check for check in audit(now_us=desk.now_us).broken]
    assert broken == []
    assert replay().differences == {}


def of(request) -> Settlement:
    return Settlement.objects.get(request=request)


def test_done_and_paid_once(desk):
    request = desk.begun()
    (lease,) = desk.lease()
    assert (lease.units, lease.unit, lease.operation, lease.model) == (1000, "tokens", "chat.completions", "any")
    told = desk.done(lease)
    assert desk.answer("honest", told, told) == ["accepted", "accepted"]
    assert desk.answer("honest", told) == ["accepted"]
    settlement = of(request)
    assert (settlement.outcome, settlement.units, settlement.reserved_units) == ("full", 10, 1000)
    assert RequestPayload.objects.get(request=request).output == "ten tokens"
    proof = Proof.objects.get(type="supplier-signature")
    assert (proof.producer, proof.units, proof.is_valid) == (f"nod_{desk.hands['honest'].node_id}", 10, True)
    assert network_due(mint=MINT, now_us=desk.now_us + 5 * SECOND_US) == 0
    assert Receipt.objects.count() == 1
    assert Right.objects.get(pk=desk.right.pk).remaining_units == 1_000_000 - 10


def test_a_lie_is_not_paid_and_the_honest_one_is(desk):
    desk.hand("liar")
    request = desk.begun()
    (lease,) = desk.lease("liar")
    assert desk.answer("liar", desk.done(lease, 1000, "ten tokens", "liar")) == ["refused"]  # more tokens than bytes
    assert Node.objects.get(name="liar").strikes == 1
    assert not Receipt.objects.exists()
    (again,) = desk.lease()
    assert desk.answer("honest", desk.done(again)) == ["accepted"]
    assert (of(request).outcome, of(request).units) == ("full", 10)
    proofs = Proof.objects.filter(type="supplier-signature").order_by("number").values_list("units", "is_valid")
    assert list(proofs) == [(1000, False), (10, True)]


def test_where_all_lie_nobody_is_paid(desk):
    for name in ("a", "b", "c"):
        desk.hand(name)
    request = desk.begun()
    before = (desk.cash("issuer"), desk.cash("boreal"), desk.cash("venue:escrow"))
    for name in ("a", "b", "c"):
        (lease,) = desk.lease(name)
        assert desk.answer(name, desk.done(lease, 999, "few", name)) == ["refused"]
    assert Job.objects.get().state == "parked"
    settlement = of(request)
    assert (settlement.outcome, settlement.units, settlement.payout_minor) == ("failed", 0, 0)
    assert (desk.cash("boreal"), desk.cash("venue:escrow")) == (before[1], 0)
    assert desk.cash("issuer") == before[0] + before[2]
    assert Right.objects.get(pk=desk.right.pk).reserved_units == 0
    assert Proof.objects.filter(type="supplier-signature", is_valid=False).count() == 3


def test_poison_fails_its_request(desk):
    request = desk.begun()
    for _ in range(3):
        (lease,) = desk.lease()
        call = GivenBack(desk.hands["honest"].node_id, "", [(lease.job_id, "it dies")])
        told = fail_jobs(call=call, now_us=desk.now_us)
    assert told[0].request_id == str(request.pk)
    run_due(now_us=desk.now_us + 3 * SECOND_US)  # nobody gathered
    assert (of(request).outcome, Receipt.objects.get().status) == ("failed", "failed")
    assert network_due(mint=MINT, now_us=desk.now_us + 9 * SECOND_US) == 0


def test_nobody_does_it_in_time(desk):
    request = desk.begun(latest_us=desk.now_us + 60 * SECOND_US)
    desk.lease()
    desk.now_us += 61 * SECOND_US
    assert expire_leases_due(now_us=desk.now_us) == 1
    network_due(mint=MINT, now_us=desk.now_us + 3 * SECOND_US)
    assert (of(request).outcome, of(request).units) == ("expired", 0)


def test_an_executor_that_died_is_no_loss(desk):
    request = desk.submit()
    assert begin_execution(request_id=str(request.pk), actor="test", now_us=desk.now_us) is not None
    assert open_jobs_due(now_us=desk.now_us + SILENT_US - 1) == 0
    assert network_due(mint=MINT, now_us=desk.now_us + SILENT_US) == 1
    assert open_jobs(request_id=str(request.pk), now_us=desk.now_us) == 0
    (lease,) = desk.lease()
    told = complete_jobs(node_id=desk.hands["honest"].node_id, results=[desk.done(lease)], actor="n", now_us=desk.now_us)  # and dies
    assert told[0].verdict == "accepted"
    assert network_due(mint=MINT, now_us=desk.now_us + 3 * SECOND_US) == 1
    assert of(request).outcome == "full"


def test_what_a_caller_has_in_hand_is_kept_before_anybody_may_look_for_it(desk):
    request = desk.submit()
    RequestPayload.objects.all().delete()  # as of one that was submitted without
    assert begin_execution(request_id=str(request.pk), actor="test", now_us=desk.now_us, payload=BODY) is not None
    assert open_jobs_due(now_us=desk.now_us + SILENT_US) == 1
    (lease,) = desk.lease()
    assert lease.body == BODY
    assert desk.answer("honest", desk.done(lease)) == ["accepted"]


def test_partial_is_said_and_proven(desk):
    limits = {"limits": {"partial_fill_allowed": True}, "assurance": {"reference": "partly"}}
    desk.suppliers["boreal"].assure(10**6, "partly", patch=limits)
    request = desk.begun(desk.issue(1_000_000, **limits))
    (lease,) = desk.lease()
    assert desk.answer("honest", desk.done(lease, 4, "half", is_partial=True)) == ["accepted"]
    assert (Receipt.objects.get(request=request).status, of(request).outcome, of(request).units) == ("partially_completed", "partial", 4)


def test_nobody_shares_with_nodes(desk):
    small = [desk.issue(600) for _ in range(2)]
    with pytest.raises(RequestRefused):
        desk.begun(*small, units=1_000)
    desk.begun(small[0], desk.right, units=1_000)
    (lease,) = desk.lease(most=2)
    assert lease.units == 1_000
    Endpoint.objects.update(adapter="openai")
    changed = desk.submit(*small, units=1_000)
    Endpoint.objects.update(adapter="node-network")
    assert begin_execution(request_id=str(changed.pk), actor="test", now_us=desk.now_us) is None


def test_two_nodes_share_what_had_begun(desk):
    request, _ = desk.begun_in_two()
    assert open_jobs(request_id=str(request.pk), now_us=desk.now_us) == 2
    first, second = desk.lease(most=2)
    assert {first.units, second.units} == {600, 400}
    assert desk.answer("honest", desk.done(first)) == ["accepted"]
    assert not Receipt.objects.exists()
    assert desk.answer("honest", desk.done(second, output="the rest of")) == ["accepted"]
    settlement = of(request)
    assert (settlement.outcome, settlement.units) == ("full", 20)
    kept = json.loads(RequestPayload.objects.get(request=request).output)
    assert kept == {f"rte_{first.job_id}": "ten tokens", f"rte_{second.job_id}": "the rest of"}
    # Two signatures are of two things; none of them is of the whole.
    assert not Proof.objects.filter(type="supplier-signature").exists()


def test_a_paused_endpoint_ends_no_work_that_a_node_has(desk):
    request = desk.begun()
    (lease,) = desk.lease()
    Endpoint.objects.update(status="paused")
    assert abandoned_due(mint=MINT, actor="test", now_us=desk.now_us + SILENT_US + 1) == 0
    assert desk.answer("honest", desk.done(lease)) == ["accepted"]
    assert of(request).outcome == "full"
    Endpoint.objects.update(status="active")


def test_who_waits_for_a_sibling_keeps_nobody_waiting(desk):
    waiting, _ = desk.begun_in_two()
    open_jobs(request_id=str(waiting.pk), now_us=desk.now_us)
    first, second = desk.lease(most=2)
    assert desk.answer("honest", desk.done(first)) == ["accepted"]
    other = desk.begun()
    (lease,) = desk.lease()
    complete_jobs(node_id=desk.hands["honest"].node_id, results=[desk.done(lease)], actor="n", now_us=desk.now_us)  # and dies
    assert gather_due(mint=MINT, now_us=desk.now_us + 3 * SECOND_US, most=1) == 1
    assert of(other).outcome == "full"
    assert desk.answer("honest", desk.done(second)) == ["accepted"]


def test_a_receipt_that_is_refused_keeps_no_other_waiting(desk, caplog):
    stuck, other = desk.begun(), desk.begun()
    told = [desk.done(lease) for lease in desk.lease(most=2)]
    complete_jobs(node_id=desk.hands["honest"].node_id, results=told, actor="n", now_us=desk.now_us)  # and dies
    job = Job.objects.get(request=stuck)
    too_many = [{**job.proofs[0], "is_valid": False}] * (MOST_PROOFS + 1)
    Job.objects.filter(pk=job.pk).update(proofs=too_many)
    assert gather_due(mint=MINT, now_us=desk.now_us + 3 * SECOND_US, most=1) == 1
    assert of(other).outcome == "full"
    assert not Receipt.objects.filter(request=stuck).exists()
    assert f"no receipt of req_{stuck.pk}" in caplog.text
    Job.objects.filter(pk=job.pk).update(proofs=job.proofs)  # it executes still, and is tried again
    assert gather_due(mint=MINT, now_us=desk.now_us + 4 * SECOND_US) == 1
    assert of(stuck).outcome == "full"


def test_what_another_adapter_did_waits_for_the_node(desk):
    request, work = desk.begun_in_two()
    told = LegTold(route_id=work.legs[0].route_id, delivered_units=7, billable_units=7, latency_us=5, output_ref="x")
    assert tell_legs(request_id=str(request.pk), legs=[told], now_us=desk.now_us) == 1
    assert tell_legs(request_id=str(request.pk), legs=[told], now_us=desk.now_us) == 0
    assert open_jobs(request_id=str(request.pk), now_us=desk.now_us) == 1
    assert gather(request_ids=[str(request.pk)], mint=MINT, now_us=desk.now_us) == 0
    (lease,) = desk.lease(most=5)
    assert lease.job_id == work.legs[1].route_id
    assert desk.answer("honest", desk.done(lease)) == ["accepted"]
    assert (of(request).outcome, of(request).units) == ("full", 17)


def wish(desk, name: str, nonce: str, most: int = 1) -> Wish:
    return Wish(desk.hands[name].node_id, nonce, most)


def handed(desk, name: str, nonce: str, *results) -> Handed:
    return Handed(desk.hands[name].node_id, nonce, results, f"node:{name}")


def test_what_several_ask_at_once_goes_together_and_each_is_refused_by_itself(desk):
    for name in ("liar", "other", "idle"):
        desk.hand(name)
    suspend_node(node_id=desk.hands["idle"].node_id, by="venue", reason="a test", actor="test", now_us=desk.now_us)
    requests = [desk.begun() for _ in range(4)]
    wishes = [
        wish(desk, "honest", "nonce-01"),
        wish(desk, "idle", "nonce-01"),
        wish(desk, "liar", "nonce-01"),
        wish(desk, "honest", "nonce-01"),
    ]
    mine, idle, lied, again = lease_together(wishes=wishes, now_us=desk.now_us)
    assert (type(again), idle.code) == (NonceUsed, "node_suspended")
    (twice,) = lease_together(wishes=wishes[:1], now_us=desk.now_us)
    assert type(twice) is NonceUsed
    ((theirs, last),) = lease_together(wishes=[wish(desk, "other", "nonce-02", 5)], now_us=desk.now_us)
    assert len({mine[0].job_id, lied[0].job_id, theirs.job_id, last.job_id}) == 4

    done = desk.done(mine[0])
    stolen = desk.done(mine[0], name="other")
    calls = [
        handed(desk, "honest", "nonce-03", done, done),
        handed(desk, "liar", "nonce-03", desk.done(lied[0], 1000, "ten tokens", "liar")),
        handed(desk, "other", "nonce-03", stolen, desk.done(theirs, name="other"), desk.done(last, name="other")),
        handed(desk, "honest", "nonce-03", done),
        handed(desk, "honest", "nonce-04", done),
    ]
    told = complete_together(calls=calls, now_us=desk.now_us)
    assert [[one.verdict for one in answers] for answers in (*told[:3], told[4])] == [
        ["accepted", "accepted"],
        ["refused"],
        ["lease_over", "accepted", "accepted"],
        ["accepted"],
    ]
    assert type(told[3]) is NonceUsed
    over = {one.request_id for answers in told if not isinstance(answers, Exception) for one in answers if one.request_id}
    assert gather(request_ids=over, mint=MINT, now_us=desk.now_us) == 3
    (left,) = desk.lease()
    assert desk.answer("honest", desk.done(left)) == ["accepted"]
    assert [of(request).outcome for request in requests] == ["full"] * 4


def test_two_who_lie_at_once_too_often_are_both_out(desk):
    for name in ("a", "b"):
        desk.hand(name)
    requests = [desk.begun() for _ in range(8)]
    leased = lease_together(wishes=[wish(desk, name, "nonce-01", 4) for name in ("a", "b")], now_us=desk.now_us)
    lies = [[desk.done(lease, 999, "few", name) for lease in leases[:3]] for name, leases in zip("ab", leased, strict=True)]
    told = complete_together(
        calls=[handed(desk, name, "nonce-02", *mine) for name, mine in zip("ab", lies, strict=True)], now_us=desk.now_us
    )
    assert [[one.verdict for one in answers] for answers in told] == [["refused"] * 3] * 2
    assert list(Node.objects.filter(name__in="ab").values_list("status", "strikes")) == [("suspended", 3)] * 2
    assert Job.objects.filter(state="open").count() == 8
    assert desk.answer("honest", *[desk.done(lease) for lease in desk.lease(most=8)]) == ["accepted"] * 8
    assert {of(request).outcome for request in requests} == {"full"}
