"""Nodes over REST (SPEC §8): registered by their supplier, they lease jobs, keep them, and answer once; what is not so is a strike."""

import json

import pytest

from exchange.replay.run import replay
from exchange.services.retention import forget_old
from rights.kernel.clock import now_us
from rights.models import Event
from settlement.models import Job, JobAttempt, NodeNonce, RequestPayload
from settlement.services.job_ends import expire_leases_due
from tests import asgi_client
from tests.node_desk import Hand, Network
from tests.supply_desk import SupplyDesk

SECOND_US = 1_000_000


@pytest.fixture
def network(desk):
    return Network(SupplyDesk(desk))


@pytest.fixture
def owner(network, caller):
    return caller("boreal", "supply", "read")


def place(network):
    return f"suppliers/sup_{network.supply.supplier.uuid}/nodes"


def job_of(lease):
    return Job.objects.get(pk=lease["job_id"].removeprefix("job_"))


def test_a_supplier_registers_and_names_its_nodes(network, owner, caller):
    hand = Hand()
    made = owner.post(place(network), {"name": "rack 1", "public_key": hand.public_key})
    assert made.status_code == 201, made.json()
    node = made.json()
    assert (node["status"], node["strikes"], node["leases"], node["last_seen_at"]) == ("active", 0, 0, None)
    again = owner.post(place(network), {"name": "rack 2", "public_key": hand.public_key})
    assert (again.status_code, again.json()["field_errors"][0]["code"]) == (422, "node_exists")
    wrong = owner.post(place(network), {"name": "rack 2", "public_key": "A" * 44})
    assert (wrong.status_code, wrong.json()["field_errors"][0]["field"]) == (422, "public_key")
    assert owner.patch(f"nodes/{node['id']}", {"name": "rack 3"}).json()["name"] == "rack 3"
    other = Hand()
    owner.post(place(network), {"name": "rack 4", "public_key": other.public_key})
    first = owner.get(f"{place(network)}?limit=1").json()
    second = owner.get(f"{place(network)}?limit=1&cursor={first['next_cursor']}").json()
    assert [row["name"] for page in (first, second) for row in page["data"]] == ["rack 4", "rack 3"]
    assert second["next_cursor"] is None
    stranger = caller("other", "supply", "read")
    assert stranger.post(place(network), {"name": "x", "public_key": Hand().public_key}).status_code == 403
    assert stranger.get(place(network)).status_code == 403
    assert stranger.get(f"nodes/{node['id']}").status_code == 404
    assert stranger.patch(f"nodes/{node['id']}", {"name": "mine"}).status_code == 404
    assert len(caller("other", "read", "audit").get(place(network)).json()["data"]) == 2
    assert [e["type"] for e in owner.get(f"events?object={node['id']}").json()["data"]] == ["node.registered", "node.renamed"]
    assert stranger.get(f"events?object={node['id']}").json()["data"] == []


def test_who_suspends_reinstates(network, owner, caller):
    hand = network.node()
    path = f"nodes/nod_{hand.node_id}"
    network.offer(2)
    (lease,) = hand.lease()
    assert owner.patch(path, {"status": "suspended"}).json()["field_errors"][0]["field"] == "reason"
    gone = owner.patch(path, {"status": "suspended", "reason": "maintenance"}).json()
    assert (gone["status"], gone["suspended_by"], gone["leases"]) == ("suspended", "supplier", 0)
    refused = hand.post("nodes/lease", {"max_jobs": 1})
    assert (refused.status_code, refused.json()["gates"][0]["code"]) == (422, "node_suspended")
    # Its work goes to others, and it was no attempt of theirs.
    assert hand.complete(hand.result(lease)) == ["lease_over"]
    assert (job_of(lease).state, job_of(lease).attempts, job_of(lease).leases) == ("open", 0, 1)
    assert JobAttempt.objects.get().end == "returned"
    operator = caller("other", "operate", "read")
    assert operator.patch(path, {"status": "suspended", "reason": "a complaint"}).json()["suspended_by"] == "venue"
    kept = owner.patch(path, {"status": "active", "reason": "done"})
    assert kept.json()["gates"][0]["code"] == "node_suspended_by_venue"
    assert operator.patch(path, {"name": "mine"}).status_code == 403
    assert operator.patch(path, {"status": "active", "reason": "settled"}).json()["status"] == "active"
    assert operator.patch(path, {"status": "active", "reason": "settled"}).json()["gates"][0]["code"] == "status_unchanged"
    assert len(hand.lease(5)) == 2


def test_only_what_the_node_signed_just_now_and_once(network):
    hand, body = network.node(), b'{"max_jobs": 1}'
    target = "/api/v1/nodes/lease"
    good = hand.headers("POST", target, body)
    taken, again = (hand.post("nodes/lease", body, good) for _ in range(2))
    assert taken.status_code == 200
    assert ("ratelimit" in taken.headers, "ratelimit" in again.headers) == (True, False)  # whoever repeats it draws from nobody's rate
    late, ahead = str(now_us() // 1000 - 5_500), str(now_us() // 1000 + 60_000)
    wrong = {
        "again": good,
        "another body": hand.headers("POST", target, b"{}"),
        "another path": hand.headers("POST", "/api/v1/nodes/complete", body),
        "a query": hand.headers("POST", target + "?x=1", body),
        "another method": hand.headers("GET", target, body),
        "another node": {**hand.headers("POST", target, body), "X-Key": f"nod_{network.node('two').node_id}"},
        "no node": {**hand.headers("POST", target, body), "X-Key": "nod_none"},
        "too late": hand.headers("POST", target, body, **{"X-Timestamp": late}),
        "from the future": hand.headers("POST", target, body, **{"X-Timestamp": ahead}),
        "a long window": hand.headers("POST", target, body, **{"X-Recv-Window": "60001"}),
        "a short nonce": hand.headers("POST", target, body, **{"X-Nonce": "abc"}),
        "no signature": {**hand.headers("POST", target, body), "X-Signature": ""},
        "only a name": {"X-Key": f"nod_{hand.node_id}"},
    }
    for why, headers in wrong.items():
        answer = hand.post("nodes/lease", body, headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), why
    assert hand.post("nodes/lease", body, **{"X-Timestamp": late, "X-Recv-Window": "60000"}).status_code == 200
    assert NodeNonce.objects.count() == 2
    forget_old(now_us=now_us() + 121 * SECOND_US)
    assert NodeNonce.objects.count() == 0


def test_keys_of_people_lease_nothing(network, caller):
    network.offer()
    for who, told in ((caller("boreal"), (403, "scope_missing")), (caller(), (401, "unauthenticated"))):
        answer = asgi_client.post("/api/v1/nodes/lease", b'{"max_jobs": 1}', who.headers)
        assert (answer.status_code, answer.json()["code"]) == told
    assert Job.objects.get().state == "open"


def test_the_oldest_first_and_each_once(network):
    one, two = network.node("one"), network.node("two")
    jobs = network.offer(5, body='{"prompt": "hello"}')
    first, second = one.lease(3), two.lease(3)
    assert [lease["job_id"] for lease in first + second] == [f"job_{job.pk}" for job in jobs]
    assert (first[0]["payload"], first[0]["attempt"], first[0]["unit"]) == ('{"prompt": "hello"}', 1, "jobs")
    assert one.lease(3) == []
    assert one.post("nodes/lease", {"max_jobs": 1, "workloads": ["text.embedding"]}).json()["data"] == []
    verdicts = one.post("nodes/complete", {"results": [one.result(lease) for lease in first]}).json()["data"]
    assert [(row["verdict"], row["reason"]) for row in verdicts] == [("accepted", None)] * 3
    job = job_of(first[0])
    assert (job.state, job.told["delivered_units"], job.proofs[0]["is_valid"]) == ("done", 1, True)
    assert RequestPayload.objects.get(pk=job.request_id).output == "done"


def test_jobs_of_another_supplier_are_not_there(network, desk):
    stranger = Network(SupplyDesk(desk, "other"))
    network.offer(2)
    assert stranger.node("theirs").lease(5) == []
    mine = stranger.offer()
    assert network.node().complete(stranger.node("x").result({"job_id": f"job_{mine[0].pk}", "units": "1"})) == ["unknown"]


def test_the_same_answer_twice_and_another_one_later(network):
    hand, other = network.node(), network.node("other")
    network.offer()
    (lease,) = hand.lease()
    told = hand.result(lease)
    assert hand.complete(told, told) == ["accepted", "accepted"]
    assert hand.complete(told) == ["accepted"]
    assert hand.complete(hand.result(lease, "another")) == ["lease_over"]
    assert other.complete(other.result(lease)) == ["lease_over"]
    assert (network.row(hand).strikes, job_of(lease).told["output_hash"]) == (0, told["output_hash"])
    assert JobAttempt.objects.filter(end="done").count() == 1
    single = hand.post(f"nodes/leases/{lease['job_id']}/complete", {k: v for k, v in told.items() if k != "job_id"})
    assert single.json() == {"job_id": lease["job_id"], "verdict": "accepted", "reason": None}


def test_a_lease_expires_and_is_offered_again(network, desk):
    hand, other = network.node(), network.node("other")
    network.offer()
    (lease,) = hand.lease()
    desk.now_us += 20 * SECOND_US
    kept = hand.post(f"nodes/leases/{lease['job_id']}/heartbeat", {}).json()
    assert kept["lease_expires_at"] > lease["lease_expires_at"]
    desk.now_us += 29 * SECOND_US
    assert expire_leases_due(now_us=desk.now_us) == 0
    desk.now_us += SECOND_US
    assert expire_leases_due(now_us=desk.now_us) == 1
    lost = hand.post(f"nodes/leases/{lease['job_id']}/heartbeat", {})
    assert (lost.status_code, lost.json()["code"]) == (409, "lease_over")
    assert hand.complete(hand.result(lease)) == ["lease_over"]  # late: nobody has it, and it isn't his
    (again,) = other.lease()
    assert (again["job_id"], again["attempt"]) == (lease["job_id"], 2)
    assert hand.complete(hand.result(lease)) == ["lease_over"]  # late: another has it
    assert other.complete(other.result(again)) == ["accepted"]
    assert [(row.number, row.end) for row in JobAttempt.objects.order_by("number")] == [(1, "expired"), (2, "done")]
    keep = hand.post("nodes/heartbeat", {"job_ids": [lease["job_id"]]})
    assert keep.json()["data"] == []


def test_an_overdue_lease_that_nobody_took_back_still_counts(network, desk):
    hand = network.node()
    network.offer()
    (lease,) = hand.lease()
    desk.now_us += 31 * SECOND_US
    assert hand.complete(hand.result(lease)) == ["accepted"]
    assert expire_leases_due(now_us=desk.now_us) == 0


def test_poison_is_put_aside(network, desk):
    hand = network.node()
    network.offer(max_attempts=3)
    for attempt in (1, 2):
        (lease,) = hand.lease()
        assert lease["attempt"] == attempt
        failed = hand.post(f"nodes/leases/{lease['job_id']}/fail", {"reason": "out of memory"})
        assert failed.json()["verdict"] == "accepted"
    hand.lease()
    desk.now_us += 30 * SECOND_US
    expire_leases_due(now_us=desk.now_us)
    job = job_of(lease)
    assert (job.state, job.told["delivered_units"], job.told["error"]) == ("parked", 0, "no node answered in time")
    assert hand.lease() == []
    again = hand.post(f"nodes/leases/{lease['job_id']}/fail", {"reason": "x"})
    assert again.json()["verdict"] == "lease_over"


def test_what_nobody_does_in_time_is_put_aside(network, desk):
    network.offer()
    hand = network.node()
    desk.now_us += 3_600 * SECOND_US
    assert hand.lease() == []
    assert expire_leases_due(now_us=desk.now_us) == 1
    assert Job.objects.get().told["error"] == "no node did it before the deadline"


LIES = {
    "recount": lambda hand, lease: hand.result(lease, '["a", "b"]', units=3),
    "above_reserved": lambda hand, lease: hand.result(lease, json.dumps(["x"] * 6), units=6),
    "output_hash": lambda hand, lease: hand.result(lease, '["a"]', units=1) | {"output": '["b"]'},
    "signature": lambda hand, lease: hand.result(lease, '["a", "b"]', units=2) | {"units": "1"},
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_a_strike_and_the_job_goes_to_another(network, lie):
    liar, honest = network.node("liar"), network.node("honest")
    network.offer(units=5)
    (lease,) = liar.lease()
    (answer,) = liar.post("nodes/complete", {"results": [LIES[lie](liar, lease)]}).json()["data"]
    assert (answer["verdict"], answer["reason"], network.row(liar).strikes) == ("refused", lie, 1)
    assert liar.lease() == []  # not this one again
    (again,) = honest.lease()
    assert honest.complete(honest.result(again, '["a", "b", null]', units=2, partial=True)) == ["accepted"]
    job = job_of(lease)
    assert (job.told["delivered_units"], job.told["is_partial"]) == (2, True)
    assert [(proof["producer"], proof["is_valid"]) for proof in job.proofs] == [
        (f"nod_{liar.node_id}", False),
        (f"nod_{honest.node_id}", True),
    ]
    struck = Event.objects.get(type="node.struck")
    assert json.loads(struck.body)["payload"]["lie"] == lie


def test_nobody_works_longer_than_he_has_had_the_job(network):
    network.offer(units=100, unit="minutes")
    hand = network.node()
    (lease,) = hand.lease()
    (answer,) = hand.post("nodes/complete", {"results": [hand.result(lease, units=100)]}).json()["data"]
    assert (answer["verdict"], answer["reason"]) == ("refused", "recount")


def test_three_lies_and_a_node_is_out(network):
    liar = network.node()
    network.offer(5)
    leases = liar.lease(5)
    told = [liar.result(lease, "[]", units=1) for lease in leases[:3]] + [liar.result(leases[3])]
    assert liar.complete(*told) == ["refused"] * 3 + ["accepted"]
    row = network.row(liar)
    assert (row.status, row.suspended_by, row.strikes) == ("suspended", "venue", 3)
    assert (job_of(leases[4]).state, job_of(leases[4]).attempts) == ("open", 0)
    types = list(Event.objects.filter(type__startswith="node.").order_by("seq").values_list("type", flat=True))
    assert types == ["node.registered", *["node.struck"] * 3, "node.suspended"]
    assert [found for found in replay().first if found.row.get("kind") == "node"] == []


def test_bad_answers_name_the_field(network):
    hand = network.node()
    network.offer()
    (lease,) = hand.lease()
    good = hand.result(lease)
    for field, value in (
        ("units", "1.5"),
        ("units", 1),
        ("output", None),
        ("output_hash", "xyz"),
        ("signature", 7),
        ("partial", "no"),
        ("job_id", "job_x"),
    ):
        answer = hand.post("nodes/complete", {"results": [{**good, field: value}]})
        assert (answer.status_code, answer.json()["field_errors"][0]["field"]) == (400, f"results.0.{field}"), field
    assert hand.post("nodes/complete", {"results": []}).status_code == 400
    assert hand.post("nodes/lease", {"max_jobs": 101}).json()["field_errors"][0]["field"] == "max_jobs"
    assert hand.post("nodes/lease", {"max_jobs": 1, "workloads": ["poetry"]}).json()["field_errors"][0]["field"] == "workloads.0"
    assert hand.post("nodes/leases/job_x/fail", {"reason": "x"}).status_code == 404
    assert hand.post(f"nodes/leases/{lease['job_id']}/fail", {}).json()["field_errors"][0]["field"] == "reason"
    assert hand.post("nodes/lease", b"{", hand.headers("POST", "/api/v1/nodes/lease", b"{")).status_code == 400
    assert job_of(lease).state == "leased"
    unknown = hand.result({"job_id": f"job_{lease['job_id'][4:-3]}000", "units": "1"})
    assert hand.complete(unknown, good) == ["unknown", "accepted"]
