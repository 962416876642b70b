"""From a request to its settlement through real suppliers: what is charged is what the supplier's meter says, and only that."""

import asyncio
import json

import pytest

from exchange.audit.run import audit
from exchange.selectors.settlements import receipt_document
from rights.models import Right
from settlement.adapters.lines import close_lines
from settlement.domain.metering import ceiling_of
from settlement.models import EndpointHealth, Receipt, RequestPayload, Settlement
from settlement.services.begin import begin_execution
from settlement.services.execute import run_request
from settlement.services.pulse import SILENT_US, abandoned_due, beat
from tests.suppliers.redeeming import MINT, Redeeming, legs_of, told_by

pytestmark = pytest.mark.django_db(transaction=True)
CHAT = {"messages": [{"role": "user", "content": "say what a right is"}], "max_tokens": 32}
TEXTS = {"input": [f"text {number}" for number in range(150)]}
EMBEDDING = {
    "resource": {"type": "embeddings", "model_class": ["embedding"], "capability_tags": []},
}


def run(request):
    """As the worker does it: a loop of its own."""

    async def once():
        try:
            return await run_request(str(request.pk))
        finally:
            await close_lines()

    return asyncio.run(once())


def broken(desk):
    """What the audit finds, but for what the plain issuer never had assurances for."""
    return [found.check for found in audit(now_us=desk.clock()).broken]


def retryable(request):
    """Of each leg of its receipt, whether the same may succeed later."""
    return [leg["retryable"] for leg in receipt_document(Receipt.objects.get(request=request))["legs"]]


def free(right):
    right = Right.objects.get(pk=right.pk)
    return right.remaining_units, right.reserved_units


def test_a_chat_is_done_charged_by_the_meter_and_paid(pair, monkeypatch):
    desk = Redeeming(pair[0], monkeypatch)
    before = pair[0].meter().get("chat.completions", {"prompt_tokens": 0, "completion_tokens": 0})
    request = desk.ask("chat.completions", CHAT)
    settlement = run(request)
    after = pair[0].meter()["chat.completions"]
    metered = sum(after[name] - before[name] for name in ("prompt_tokens", "completion_tokens"))
    state, outcome, units = told_by(request)
    assert (state, outcome, units) == ("settled", "full", metered)
    assert free(desk.right) == (1_000_000 - metered, 0)
    assert settlement.reserved_units == ceiling_of("chat.completions", CHAT).units("tokens")
    output = json.loads(RequestPayload.objects.get(request=request).output)
    assert output["usage"]["total_tokens"] == metered
    assert output["choices"][0]["message"]["content"]
    assert run(request) is None  # once is enough
    assert broken(desk) == []


def test_who_dies_gives_way_to_the_next_and_nothing_of_it_is_charged(pair, monkeypatch):
    first, second = pair
    desk = Redeeming(first, monkeypatch)
    desk.another("aurora", second)
    right = desk.issue(assurance={"reference": "aurora"})
    first.misbehave("fail")
    second.misbehave("fail")
    request = desk.ask("chat.completions", CHAT, right)
    chosen = legs_of(request)[0][0]
    {"boreal": second, "aurora": first}[chosen].misbehave("fine")
    run(request)
    other = {"boreal": "aurora", "aurora": "boreal"}[chosen]
    assert legs_of(request) == [(chosen, "released"), (other, "completed")]
    assert told_by(request)[:2] == ("settled", "full")
    health = dict(EndpointHealth.objects.values_list("endpoint__capability__supplier__slug", "failures_in_a_row"))
    assert health == {chosen: 1, other: 0}
    assert broken(desk) == []


def test_what_no_adapter_can_read_is_a_suppliers_failure(pair, monkeypatch):
    desk = Redeeming(pair[0], monkeypatch)
    pair[0].misbehave("packed")
    request = desk.ask("chat.completions", CHAT)
    run(request)
    assert told_by(request) == ("settled", "failed", 0)
    assert "answer_malformed" in Receipt.objects.get(request=request).body
    assert EndpointHealth.objects.get().failures_in_a_row == 1


def test_a_substitute_is_taken_only_where_the_right_allows_one(pair, monkeypatch):
    first, second = pair
    desk = Redeeming(first, monkeypatch)
    desk.another("aurora", second, behind=False, constraints=("json-mode", "tool-use"))
    first.misbehave("fail")
    strict = desk.ask("chat.completions", CHAT, desk.right_of("strict", fallback_policy={"allow_fallback": False}))
    run(strict)
    assert told_by(strict) == ("settled", "failed", 0)
    allowed = {"allow_fallback": True, "substitute_providers": True}
    loose = desk.ask("chat.completions", CHAT, desk.right_of("loose", fallback_policy=allowed))
    run(loose)
    assert told_by(loose)[:2] == ("settled", "fallback")
    assert legs_of(loose) == [("boreal", "released"), ("aurora", "completed")]
    assert broken(desk) == []


def test_nobody_left_to_ask_means_nothing_is_charged(pair, monkeypatch):
    desk = Redeeming(pair[0], monkeypatch)
    pair[0].misbehave("lie")
    request = desk.ask("chat.completions", CHAT)
    run(request)
    assert told_by(request) == ("settled", "failed", 0)
    assert free(desk.right) == (1_000_000, 0)
    assert "usage_implausible" in Receipt.objects.get(request=request).body
    assert RequestPayload.objects.get(request=request).output is None
    assert broken(desk) == []


def test_what_a_dead_supplier_had_done_of_many_texts_counts_where_partial_is_allowed(pair, monkeypatch):
    desk, right = embedding_desk(pair[0], monkeypatch, limits={"partial_fill_allowed": True})
    pair[0].misbehave("die", after=2)
    request = desk.ask("embeddings", TEXTS, right)
    run(request)
    pair[0].wait_until_dead()
    state, outcome, units = told_by(request)
    assert (state, outcome) == ("settled", "partial")
    output = json.loads(RequestPayload.objects.get(request=request).output)
    assert [one["index"] for one in output["data"]] == list(range(128))
    assert output["usage"]["prompt_tokens"] == units > 128
    assert free(right)[1] == 0
    assert broken(desk) == []


def test_where_partial_is_not_allowed_half_the_work_is_no_work(pair, monkeypatch):
    desk, right = embedding_desk(pair[0], monkeypatch, limits={"partial_fill_allowed": False})
    pair[0].misbehave("die", after=2)
    request = desk.ask("embeddings", TEXTS, right)
    run(request)
    assert told_by(request) == ("settled", "failed", 0)
    assert RequestPayload.objects.get(request=request).output is None
    assert free(right) == (1_000_000, 0)


def test_the_rest_of_many_texts_goes_to_the_next_supplier(pair, monkeypatch):
    first, second = pair
    desk, right = embedding_desk(first, monkeypatch, second=second)
    counts = [one.meter().get("embeddings", {}).get("items", 0) for one in pair]
    first.misbehave("fail", after=1)
    second.misbehave("fail", after=1)
    request = desk.ask("embeddings", TEXTS, right)
    chosen = legs_of(request)[0][0]
    {"boreal": second, "aurora": first}[chosen].misbehave("fine")
    run(request)
    state, outcome, units = told_by(request)
    assert (state, outcome) == ("settled", "full")
    output = json.loads(RequestPayload.objects.get(request=request).output)
    assert [one["index"] for one in output["data"]] == list(range(150))
    grown = [one.meter()["embeddings"]["items"] - count for one, count in zip(pair, counts, strict=True)]
    assert sorted(grown) == [64, 86]
    assert output["usage"]["prompt_tokens"] == units
    assert broken(desk) == []


def test_an_executor_that_falls_silent_is_ended_without_a_charge(pair, monkeypatch):
    desk = Redeeming(pair[0], monkeypatch)
    request = desk.ask("chat.completions", CHAT)
    now = desk.clock()
    assert begin_execution(request_id=str(request.pk), actor="test", now_us=now) is not None
    assert abandoned_due(mint=MINT, actor="test", now_us=now + SILENT_US - 1) == 0
    assert beat(request_ids=[str(request.pk)], now_us=now + SILENT_US) == 1
    assert abandoned_due(mint=MINT, actor="test", now_us=now + SILENT_US + 1) == 0
    assert abandoned_due(mint=MINT, actor="test", now_us=now + 2 * SILENT_US + 1) == 1
    assert told_by(request) == ("settled", "failed", 0)
    assert free(desk.right) == (1_000_000, 0)
    assert Settlement.objects.count() == 1


def embedding_desk(process, monkeypatch, second=None, **patch):
    """The same desk, and a right to embeddings that `boreal` (and `aurora`) stand behind."""
    desk = Redeeming(process, monkeypatch)
    capabilities = [desk.suppliers["boreal"].offer(workload="text.embedding")]
    desk.reach(desk.serve(capabilities[0]), process)
    if second is not None:
        desk.another("aurora", second, behind=False, workload="text.embedding")
        capabilities.append(desk.suppliers["aurora"].capability)
    return desk, desk.right_of("texts", *capabilities, **{**EMBEDDING, **patch})


def test_an_answer_is_cut_to_what_is_reserved_for_it(pair, monkeypatch):
    """The caller names the units; a body that asks for more gets no more."""
    desk = Redeeming(pair[0], monkeypatch)
    request = desk.ask("chat.completions", {**CHAT, "max_tokens": 100_000}, expected_units=150)
    run(request)
    state, outcome, units = told_by(request)
    assert (state, outcome) == ("settled", "full")
    assert 0 < units <= 150
    answer = json.loads(RequestPayload.objects.get(request=request).output)
    assert answer["usage"]["total_tokens"] == units
    assert broken(desk) == []


@pytest.mark.parametrize(("units", "asked"), [(119, 0), (120, 20)])
def test_work_beyond_what_is_reserved_is_neither_charged_nor_handed_out(pair, monkeypatch, units, asked):
    """Twenty texts of six words: what is a token to each word alone is too much for 119 is not even asked for."""
    desk, right = embedding_desk(pair[0], monkeypatch)
    before = pair[0].meter().get("embeddings", {}).get("items", 0)
    request = desk.ask("embeddings", {"input": ["many words of a long text"] * 20}, right, expected_units=units)
    run(request)
    assert pair[0].meter().get("embeddings", {}).get("items", 0) - before == asked
    (leg,) = json.loads(Receipt.objects.get(request=request).body)["legs"]
    assert (leg["error"].split(":")[0], leg["is_callers"]) == ("above_reserved", True)
    assert retryable(request) == [False]
    assert told_by(request) == ("settled", "failed", 0)
    assert RequestPayload.objects.get(request=request).output is None
    assert free(right) == (1_000_000, 0)
    assert not EndpointHealth.objects.filter(failures_in_a_row__gt=0).exists()  # nothing of it is the supplier's fault


def test_a_right_that_came_to_the_holder_meanwhile_takes_no_part(pair, monkeypatch):
    """Named, but somebody else's when the request was taken: its policy was never told, so a fall-back leaves it alone."""
    desk = Redeeming(pair[0], monkeypatch)
    later = desk.right_of("later")
    Right.objects.filter(pk=later.pk).update(holder=desk.accounts["other"])
    request = desk.ask("chat.completions", CHAT, desk.right, later)
    assert list(request.routes.filter(state="locked").values_list("right_id", flat=True)) == [desk.right.pk]
    Right.objects.filter(pk=later.pk).update(holder=desk.accounts["holder"])
    pair[0].misbehave("fail")
    run(request)
    assert told_by(request) == ("settled", "failed", 0)
    assert retryable(request) == [True]


def test_one_request_that_can_not_be_ended_keeps_no_other_waiting(pair, monkeypatch, caplog):
    desk = Redeeming(pair[0], monkeypatch)
    broken_one, other = (desk.ask("chat.completions", CHAT) for _ in range(2))
    now = desk.clock()
    for request in (broken_one, other):
        assert begin_execution(request_id=str(request.pk), actor="test", now_us=now) is not None
    type(broken_one).objects.filter(pk=broken_one.pk).update(effective={})
    assert abandoned_due(mint=MINT, actor="test", now_us=now + 2 * SILENT_US) == 1
    assert told_by(other)[:2] == ("settled", "failed")
    assert str(broken_one.pk) in caplog.text
