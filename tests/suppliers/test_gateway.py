"""OpenAI's own client, as it is, against the gateway and suppliers of processes of their own: what it gets, what it pays, what it is told."""

import concurrent.futures
import importlib
import json
import os

import httpx
import openai
import pytest

from exchange.audit.run import audit
from exchange.domain.standing_policy import AGENT, Agency, Hours
from exchange.models import ApiKey
from exchange.services import keys
from exchange.services.identity import Principal
from exchange.services.policies import NewPolicy, create_policy
from rights.models import ComputeClass, Right
from settlement.models import Endpoint, Job, Receipt, Request, Settlement
from settlement.services.complete import complete_jobs
from settlement.services.endpoints import Setup, change_endpoint
from settlement.services.gather import gather
from settlement.services.lease import lease_jobs
from tests.node_desk import register, result_of
from tests.plugins.live import wait_until
from tests.registry_desk import MINT
from tests.suppliers.redeeming import Redeeming, legs_of, told_by
from tests.suppliers.serving import web
from tests.suppliers.test_executing import broken, embedding_desk, free

pytestmark = pytest.mark.django_db(transaction=True)
CLOCKS = ("exchange.api.gateway.application", "exchange.api.gateway.nodes")
SAY = [{"role": "user", "content": "say what a right is"}]
PARTIAL = {"limits": {"partial_fill_allowed": True}}


class Holder:
    """The holder of a desk with an OpenAI client; `raw` for what that client does not show."""

    def __init__(self, desk, base_url, *scopes):
        now = desk.clock()
        made = keys.create(account_id=desk.accounts["holder"].pk, scopes=scopes or ("redeem",), label="", expires_us=None, now_us=now)
        self.desk = desk
        self.client = openai.OpenAI(base_url=f"{base_url}/v1", api_key=made.token, max_retries=0, timeout=60)
        self.raw = httpx.Client(base_url=base_url, headers={"Authorization": f"Bearer {made.token}"}, timeout=60)

    def chat(self, **more):
        return self.client.chat.completions.create(**{"model": "any", "messages": SAY, "max_tokens": 32, **more})


@pytest.fixture
def site():
    with web() as address:
        yield address


@pytest.fixture
def desk(pair, monkeypatch):
    return Redeeming(pair[0], monkeypatch, *CLOCKS)


@pytest.fixture
def clients(site):
    """Holders with clients of their own, which are closed before the site is."""
    made = []

    def make(desk, *scopes):
        made.append(Holder(desk, site, *scopes))
        return made[-1]

    yield make
    for one in made:
        one.client.close()
        one.raw.close()


@pytest.fixture
def holder(desk, clients):
    return clients(desk)


def bind(desk, holder, **rules):
    """Bind the holder's key by an agent's policy."""
    key = ApiKey.objects.get(uuid=str(holder.client.api_key).partition(".")[0].removeprefix("key_"))
    account = desk.accounts["holder"]
    who = Principal(account.pk, str(account.uuid), account.participant_id, "holder", "app", frozenset({"trade"}), "user:1", None, 1)
    new = NewPolicy(AGENT, Agency(**rules), key_uuid=str(key.uuid))
    create_policy(new=new, who=who, policy_id=MINT.uuid(desk.clock()), now_us=desk.clock())


def only_request():
    return Request.objects.get()


def test_without_a_right_the_client_hears_a_clear_no(desk, clients):
    Right.objects.filter(holder=desk.accounts["holder"]).update(holder=desk.accounts["other"])
    with pytest.raises(openai.PermissionDeniedError) as refused:
        clients(desk).chat()
    assert (refused.value.code, refused.value.type, refused.value.status_code) == ("right_missing", "permission_error", 403)
    assert "no active right to text_inference" in refused.value.message
    assert Request.objects.count() == 0


def test_a_chat_is_answered_and_its_receipt_named(desk, holder, pair):
    before = pair[0].meter().get("chat.completions", {"prompt_tokens": 0, "completion_tokens": 0})
    got = holder.client.chat.completions.with_raw_response.create(model="any", messages=SAY, max_tokens=32)
    answer, after = got.parse(), pair[0].meter()["chat.completions"]
    metered = sum(after[name] - before[name] for name in ("prompt_tokens", "completion_tokens"))
    assert answer.choices[0].message.content
    assert answer.usage.total_tokens == metered
    receipt, settlement = Receipt.objects.get(), Settlement.objects.get()
    assert got.headers["x-receipt"] == f"rcp_{receipt.pk}"
    assert got.headers["x-settlement"] == f"stl_{settlement.pk}"
    assert (got.headers["x-outcome"], got.headers["x-units"]) == ("full", str(metered))
    assert told_by(only_request()) == ("settled", "full", metered)
    assert free(desk.right) == (1_000_000 - metered, 0)
    assert broken(desk) == []


def test_a_stream_comes_word_by_word_and_ends_with_its_receipt(desk, holder, pair):
    whole = holder.chat().choices[0].message.content
    stream = holder.chat(stream=True)
    words = [chunk.choices[0].delta.content or "" for chunk in stream]
    assert len([word for word in words if word]) > 4
    assert "".join(words) == whole
    body = {"model": "any", "messages": SAY, "max_tokens": 32, "stream": True}
    with holder.raw.stream("POST", "/v1/chat/completions", json=body) as answer:
        lines = list(answer.iter_lines())
        named = answer.headers["x-receipt"]
    settlement = Settlement.objects.latest("pk")
    assert named == f"rcp_{settlement.receipt_id}"
    assert lines[-4:-1] == [f": receipt {named} outcome full units {settlement.units}", "", "data: [DONE]"]
    assert "usage" not in json.loads(lines[-6].removeprefix("data: "))
    with_usage = list(holder.chat(stream=True, stream_options={"include_usage": True}))
    assert with_usage[-1].usage.total_tokens == settlement.units
    assert [s.outcome for s in Settlement.objects.all()] == ["full"] * 4
    assert broken(desk) == []


def test_a_stream_of_a_list_of_one_prompt_is_whole_when_it_is_done(desk, holder):
    stream = holder.client.completions.create(model="any", prompt=["say what a right is"], max_tokens=24, stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream if chunk.choices)
    settlement = Settlement.objects.get()
    assert settlement.outcome == "full"
    assert settlement.units > 0


def test_who_does_not_wait_leaves_nothing_behind(desk, holder):
    """Where a right lets work wait within its window, a caller on the line does not."""
    fallback = {"allow_fallback": True, "defer_within_window": True}
    waiting = desk.right_of("waits", limits={"max_concurrent": 1}, fallback_policy=fallback)
    desk.ask("chat.completions", {"messages": SAY, "max_tokens": 8}, waiting)
    with pytest.raises(openai.RateLimitError) as refused:
        holder.chat(extra_headers={"X-Right": f"rgt_{waiting.pk}"})
    assert refused.value.code == "right_busy"
    assert sorted(Request.objects.values_list("state", flat=True)) in (["matched", "settled"], ["matched"])


def test_embeddings_of_many_texts_agree_with_the_meter(pair, monkeypatch, clients):
    desk, right = embedding_desk(pair[0], monkeypatch)
    desk_clock(desk, monkeypatch)
    texts = [f"what text {number} says" for number in range(150)]
    before = pair[0].meter().get("embeddings", {"prompt_tokens": 0, "items": 0})
    got = clients(desk).client.embeddings.create(model="any", input=texts)
    after = pair[0].meter()["embeddings"]
    assert [one.index for one in got.data] == list(range(150))
    assert {len(one.embedding) for one in got.data} == {384}
    assert abs(sum(number * number for number in got.data[7].embedding) - 1) < 1e-3
    assert after["items"] - before["items"] == 150
    assert got.usage.total_tokens == after["prompt_tokens"] - before["prompt_tokens"] == told_by(only_request())[2]
    assert free(right) == (1_000_000 - got.usage.total_tokens, 0)
    assert broken(desk) == []


def test_an_embedding_of_more_than_the_right_gives_is_refused_before_anybody_is_asked(pair, monkeypatch, clients):
    desk, right = embedding_desk(pair[0], monkeypatch, limits={"max_per_request": "100"})
    desk_clock(desk, monkeypatch)
    before = pair[0].meter().get("embeddings", {}).get("items", 0)
    with pytest.raises(openai.PermissionDeniedError) as refused:
        clients(desk).client.embeddings.create(model="any", input="a word and another " * 20)
    assert refused.value.code == "right_refused"
    assert "may give 100 to one request now" in refused.value.message
    assert pair[0].meter().get("embeddings", {}).get("items", 0) == before
    assert free(right) == (1_000_000, 0)


def test_the_right_is_named_by_header_by_model_or_picked_by_its_end(desk, holder):
    other = desk.right_of("second")
    holder.chat(extra_headers={"X-Right": f"rgt_{other.pk}"})
    holder.chat(model=f"rgt_{other.pk}")
    holder.chat()
    used = [str(route.right_id) for request in Request.objects.order_by("pk") for route in request.routes.filter(locked_at__isnull=False)]
    assert used[:2] == [str(other.pk)] * 2
    listed = holder.client.models.list().data
    assert {model.id for model in listed} >= {f"rgt_{other.pk}", f"rgt_{desk.right.pk}", desk.right.series.compute_class.key}
    assert holder.client.models.retrieve(f"rgt_{other.pk}").owned_by == "issuer"
    with pytest.raises(openai.NotFoundError):
        holder.client.models.retrieve("gpt")


def test_a_class_that_is_named_is_spent_and_no_other(desk, holder):
    right = desk.right_of("second")
    own = right.series.compute_class.key
    holder.chat(model=own)
    ComputeClass.objects.create(key="TXT.CHAT.HI.INT.PRV", fingerprint="f" * 64, dimensions={}, unit="tokens", lot_size=1000)
    before = Request.objects.count()
    with pytest.raises(openai.PermissionDeniedError, match=r"TXT\.CHAT\.HI") as refused:
        holder.chat(model="TXT.CHAT.HI.INT.PRV")
    assert (refused.value.code, Request.objects.count()) == ("right_missing", before)
    holder.chat(model="GPT-4")  # no class of that name is known, so it means nothing


def test_somebody_elses_right_is_no_right(desk, holder):
    foreign = desk.desk.issue(1_000_000, holder="other", assurance={"reference": "pledged"})
    with pytest.raises(openai.PermissionDeniedError) as refused:
        holder.chat(extra_headers={"X-Right": f"rgt_{foreign.pk}"})
    assert refused.value.code == "right_refused"
    assert free(foreign) == (1_000_000, 0)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "zzz", "content": "no such role"}]}, "messages"),
        ({"messages": [{"role": "user", "content": {"a": 1}}]}, "messages"),
        ({"messages": SAY, "max_tokens": 0}, "max_tokens"),
        ({"messages": SAY, "n": 1000}, "n"),
        ({"messages": SAY, "model": ""}, "model"),
        ({"messages": SAY, "stream": "yes"}, "stream"),
    ],
)
def test_what_can_not_be_read_is_named(desk, holder, body, param):
    answer = holder.raw.post("/v1/chat/completions", json={"model": "any", **body})
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["code"], error["param"]) == (400, "invalid_request_error", "validation_failed", param)
    assert Request.objects.count() == 0


def test_other_refusals_have_the_same_shape(desk, holder, clients, site):
    def refused(answer):
        assert set(answer.json()["error"]) == {"message", "type", "code", "param"}
        assert answer.headers["x-request-id"]
        return answer.status_code, answer.json()["error"]["code"]

    assert refused(httpx.post(f"{site}/v1/chat/completions", json={})) == (401, "unauthenticated")
    assert refused(holder.raw.post("/v1/chat/completions", content=b"{", headers={"Content-Type": "application/json"})) == (
        400,
        "malformed_json",
    )
    assert refused(holder.raw.post("/v1/chat/completions", content=b"a=b")) == (415, "unsupported_media_type")
    assert refused(holder.raw.get("/v1/chat/completions")) == (405, "method_not_allowed")
    assert refused(holder.raw.post("/v1/images/generations", json={})) == (404, "not_found")
    assert refused(clients(desk, "read").raw.post("/v1/embeddings", json={})) == (403, "scope_missing")
    named = {"X-Right": "rgt_nonsense"}
    assert refused(holder.raw.post("/v1/embeddings", json={"model": "a", "input": "b"}, headers=named)) == (400, "validation_failed")


@pytest.mark.parametrize(
    ("mode", "kind", "code"),
    [("fail", openai.InternalServerError, "supplier_failed"), ("refuse", openai.BadRequestError, "supplier_refused")],
)
@pytest.mark.parametrize("stream", [False, True])
def test_work_that_came_to_nothing_costs_nothing(desk, holder, pair, mode, kind, code, stream):
    pair[0].misbehave(mode)
    with pytest.raises(kind) as refused:
        holder.chat(stream=stream)
    assert refused.value.code == code
    assert refused.value.response.headers["x-outcome"] == "failed"
    assert told_by(only_request()) == ("settled", "failed", 0)
    assert free(desk.right) == (1_000_000, 0)
    assert broken(desk) == []


@pytest.mark.parametrize("stream", [False, True])
def test_another_supplier_takes_over_before_the_caller_notices(desk, holder, pair, stream):
    first, second = pair
    desk.another("aurora", second, behind=True)
    right = desk.issue(assurance={"reference": "aurora"})
    first.misbehave("fail")
    second.misbehave("fail", times=0)
    got = holder.chat(stream=stream, extra_headers={"X-Right": f"rgt_{right.pk}"})
    said = "".join(chunk.choices[0].delta.content or "" for chunk in got) if stream else got.choices[0].message.content
    assert said
    assert told_by(only_request())[:2] == ("settled", "full")
    assert legs_of(only_request())[-1] == ("aurora", "completed")
    assert broken(desk) == []


def test_a_stream_cut_half_way_charges_the_words_that_came_where_a_part_is_allowed(desk, holder, pair):
    right = desk.right_of("partial", **PARTIAL)
    pair[0].misbehave("die", after=5)
    heard = []
    with pytest.raises(openai.APIError) as broke:
        for chunk in holder.chat(stream=True, extra_headers={"X-Right": f"rgt_{right.pk}"}):
            heard.append(chunk.choices[0].delta.content)
    assert broke.value.code == "supplier_failed"
    assert "5 units of what came are charged" in broke.value.message
    assert len(heard) == 5
    assert told_by(only_request()) == ("settled", "partial", 5)
    assert free(right) == (1_000_000 - 5, 0)
    assert broken(desk) == []


def test_where_no_part_is_allowed_a_cut_stream_is_free(desk, holder, pair):
    right = desk.right_of("whole", limits={"partial_fill_allowed": False})
    pair[0].misbehave("die", after=5)
    with pytest.raises(openai.APIError) as broke:
        list(holder.chat(stream=True, extra_headers={"X-Right": f"rgt_{right.pk}"}))
    assert "nothing is charged" in broke.value.message
    assert told_by(only_request()) == ("settled", "failed", 0)
    assert free(right) == (1_000_000, 0)


def test_who_hangs_up_still_gets_the_bill_of_what_was_done(desk, holder, pair):
    body = {"model": "any", "messages": SAY, "max_tokens": 40, "stream": True}
    with holder.raw.stream("POST", "/v1/chat/completions", json=body) as answer:
        next(answer.iter_lines())
    request = only_request()
    wait_for_settlement(request)
    assert told_by(request)[:2] == ("settled", "full")


STREAMS = 200 if os.environ.get("TORTURE") else 40


def test_no_stream_of_many_at_once_is_lost(desk, holder, pair):
    def streamed(number):
        body = {"model": "any", "messages": SAY, "max_tokens": 20, "stream": True}
        with httpx.Client(base_url=holder.raw.base_url, headers=holder.raw.headers, timeout=120) as client:
            return client.post("/v1/chat/completions", json=body).text

    with concurrent.futures.ThreadPoolExecutor(STREAMS) as pool:
        answers = list(pool.map(streamed, range(STREAMS)))
    assert {answer.endswith("data: [DONE]\n\n") for answer in answers} == {True}
    assert Settlement.objects.filter(outcome="full").count() == STREAMS
    charged = sum(Settlement.objects.values_list("units", flat=True))
    assert free(desk.right) == (1_000_000 - charged, 0)


def test_many_at_once_are_all_answered_and_counted(desk, holder, pair):
    before = pair[0].meter().get("chat.completions", {"calls": 0})["calls"]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: holder.chat(stream=False, user=str(number)), range(24)))
    assert pair[0].meter()["chat.completions"]["calls"] - before == 24
    assert sum(answer.usage.total_tokens for answer in answers) == 1_000_000 - free(desk.right)[0]
    assert Settlement.objects.filter(outcome="full").count() == 24
    assert audit(now_us=desk.clock()).broken == []


def desk_clock(desk, monkeypatch):
    """The gateway lives at the desk's time too."""
    for module in CLOCKS:
        monkeypatch.setattr(importlib.import_module(module), "now_us", desk.clock)


def wait_for_settlement(request):
    wait_until(lambda: Settlement.objects.filter(request=request).exists(), 30, "the settlement")


def test_an_agent_s_policy_holds_at_the_gateway_too(desk, holder):
    bind(desk, holder, hours=(Hours("premium"),), max_units_per_request=10**6)
    with pytest.raises(openai.UnprocessableEntityError) as refused:
        holder.chat()
    assert refused.value.code == "priority_not_allowed"
    assert Request.objects.count() == 0


def test_a_right_is_picked_among_those_the_agent_may_use(desk, holder):
    bind(desk, holder, hours=(Hours("standard"),), max_units_per_request=1)
    with pytest.raises(openai.UnprocessableEntityError) as refused:
        holder.chat()
    assert refused.value.code == "request_units_exceeded"


SAID = {
    "id": "by-node",
    "object": "chat.completion",
    "created": 1,
    "model": "node",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "said by a node"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 6, "completion_tokens": 4, "total_tokens": 10},
}


@pytest.mark.parametrize("stream", [False, True])
def test_nodes_answer_too_while_the_caller_waits(desk, holder, stream):
    endpoint = Endpoint.objects.get()
    change_endpoint(
        endpoint_id=str(endpoint.uuid),
        said=Setup("node-network", secret=""),
        status="active",
        is_operator=False,
        actor="test",
        now_us=desk.now_us,
    )
    node = register(desk.suppliers["boreal"].supplier, "one", desk.now_us)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        called = pool.submit(holder.chat, stream=stream)
        wait_until(lambda: Job.objects.filter(state="open").exists() or called.done(), 30, "a job")
        (lease,) = lease_jobs(node_id=node.node_id, most=1, workloads=None, now_us=desk.clock())
        assert json.loads(lease.body)["messages"] == SAY
        result = result_of(node, lease.job_id, json.dumps(SAID), 10)
        (verdict,) = complete_jobs(node_id=node.node_id, results=[result], actor="test", now_us=desk.clock())
        assert verdict.verdict == "accepted", verdict
        gather(request_ids=[verdict.request_id], mint=MINT, now_us=desk.clock())
        got = called.result(60)
    said = "".join(chunk.choices[0].delta.content or "" for chunk in got) if stream else got.choices[0].message.content
    assert said == "said by a node"
    assert told_by(only_request()) == ("settled", "full", 10)
    assert free(desk.right) == (1_000_000 - 10, 0)
