"""The OpenAI-compatible adapter against a supplier of its own process: facts are what the supplier's meter says, faults have names."""

import asyncio
import time

import httpx
import msgspec
import pytest

from settlement.adapters import lines, openai
from settlement.adapters.base import Report
from tests.suppliers.conftest import TOKEN
from tests.suppliers.legs import a_leg, soon

CHAT = {"model": "any", "messages": [{"role": "user", "content": "say what a right is"}], "max_tokens": 32}
TEXTS = {"model": "any", "input": ["the cat sits outside", "a dog runs in the park", "prices fell again today"]}


def leg(supplier, operation="chat.completions", **more):
    return a_leg(supplier.base_url, operation, secret=TOKEN, **more)


def grown(supplier, before, operation):
    after = supplier.meter().get(operation, {})
    return {name: number - before.get(operation, {}).get(name, 0) for name, number in after.items()}


async def streamed(supplier, body=CHAT, **more):
    events, report = [], None
    async for part in openai.stream(leg(supplier, **more), body, soon()):
        if isinstance(part, Report):
            report = part
        else:
            events.append(msgspec.json.decode(part))
    return events, report


async def test_an_answer_takes_what_the_meter_says(supplier):
    before = supplier.meter()
    report = await openai.call(leg(supplier), CHAT, soon())
    assert (report.fault, report.attempts, report.usage.items) == ("", 1, 1)
    counted = grown(supplier, before, "chat.completions")
    assert (report.usage.prompt_tokens, report.usage.completion_tokens) == (counted["prompt_tokens"], counted["completion_tokens"])
    assert 0 < report.first_us <= report.took_us
    again = await openai.call(leg(supplier), CHAT, soon())
    said = [msgspec.json.decode(one.output)["choices"][0]["message"]["content"] for one in (report, again)]
    assert said[0] == said[1] != ""


async def test_embeddings_are_those_of_the_model(supplier):
    report = await openai.call(
        leg(supplier, "embeddings"), TEXTS | {"input": ["This is an example sentence", "Each one is converted"]}, soon()
    )
    assert report.fault == ""
    first, second = (one["embedding"] for one in msgspec.json.decode(report.output)["data"])
    assert [round(number, 3) for number in first[:4]] == [0.068, 0.063, 0.049, 0.079]  # the model card's own example
    assert len(second) == 384
    assert abs(sum(number * number for number in second) - 1) < 1e-3
    assert (report.usage.prompt_tokens, report.usage.completion_tokens, report.usage.items) == (13, 0, 2)


async def test_the_supplier_is_called_by_its_own_name_of_the_model_and_told_the_limit(supplier):
    report = await openai.call(leg(supplier, model="plain-words"), {"messages": CHAT["messages"]}, soon())
    assert msgspec.json.decode(report.output)["model"] == "plain-words"


async def test_a_stream_comes_piece_by_piece_and_is_metered_whole(supplier):
    before = supplier.meter()
    events, report = await streamed(supplier)
    counted = grown(supplier, before, "chat.completions")
    words = [event["choices"][0]["delta"]["content"] for event in events if event["choices"] and event["choices"][0]["delta"]]
    assert (report.fault, report.pieces, report.usage.items) == ("", len(words), 1)
    assert (report.usage.completion_tokens, report.usage.prompt_tokens) == (counted["completion_tokens"], counted["prompt_tokens"])
    whole = await openai.call(leg(supplier), CHAT, soon())
    assert "".join(words) == msgspec.json.decode(whole.output)["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    ("mode", "fault", "attempts"),
    [
        ("fail", "supplier_error", 1),
        ("busy", "supplier_busy", 2),
        ("garbage", "answer_malformed", 1),
        ("redirect", "supplier_moved", 1),
        ("refuse", "request_refused", 1),
        ("lie", "usage_implausible", 1),
        ("half", "supplier_lost", 2),
        ("deep", "answer_malformed", 1),
        ("later", "supplier_busy", 2),
    ],
)
async def test_what_goes_wrong_has_a_name_and_delivers_nothing(supplier, mode, fault, attempts):
    supplier.misbehave(mode)
    report = await openai.call(leg(supplier), CHAT, soon())
    assert (report.fault, report.attempts, report.output) == (fault, attempts, b"")
    assert report.is_callers is (mode == "refuse")


async def test_a_busy_supplier_is_asked_again(supplier):
    supplier.misbehave("busy", times=1)
    report = await openai.call(leg(supplier), CHAT, soon())
    assert (report.fault, report.attempts) == ("", 2)


async def test_who_does_not_answer_is_given_up(supplier):
    supplier.misbehave("hang")
    report = await openai.call(leg(supplier, timeout_ms=200), CHAT, soon())
    assert (report.fault, report.attempts) == ("supplier_timeout", 1)
    late = await openai.call(leg(supplier), CHAT, time.time_ns() // 1000 - 1)
    assert (late.fault, late.attempts) == ("deadline_passed", 0)


async def test_who_says_nothing_of_usage_is_not_guessed_at(supplier):
    supplier.misbehave("silent")
    report = await openai.call(leg(supplier, "embeddings"), TEXTS, soon())
    assert (report.fault, report.usage.tokens, report.usage.items) == ("", None, 3)


async def test_an_answer_to_fewer_inputs_is_none(supplier):
    supplier.misbehave("short")
    report = await openai.call(leg(supplier, "embeddings"), TEXTS, soon())
    assert (report.fault, report.detail) == ("answer_malformed", "3 embeddings were asked for")


async def test_a_wrong_key_is_the_suppliers_matter(supplier):
    report = await openai.call(a_leg(supplier.base_url, secret="sk-wrong"), CHAT, soon())
    assert (report.fault, report.detail, report.is_callers) == ("supplier_error", "the key is missing or wrong", False)


@pytest.mark.parametrize("mode", ["half", "die"])
async def test_a_stream_that_breaks_tells_how_far_it_came(supplier, mode):
    supplier.misbehave(mode, after=4)
    events, report = await streamed(supplier)
    assert (report.fault, report.pieces, len(events)) == ("supplier_lost", 4, 4)
    assert (report.usage.tokens, report.usage.items) == (None, 0)
    if mode == "die":
        supplier.wait_until_dead()


@pytest.mark.parametrize(("mode", "fault"), [("fail", "supplier_error"), ("lie", "usage_implausible"), ("garbage", "supplier_lost")])
async def test_a_stream_may_go_wrong_as_an_answer_does(supplier, mode, fault):
    supplier.misbehave(mode)
    _, report = await streamed(supplier)
    assert report.fault == fault


@pytest.mark.parametrize(("mode", "pieces"), [("endless", 0), ("strangers", 1), ("numbers", 0)])
async def test_a_stream_holds_what_was_asked_for_and_no_more(supplier, mode, pieces):
    supplier.misbehave(mode)
    _, report = await streamed(supplier)
    assert (report.fault, report.pieces) == ("answer_malformed", pieces)


async def test_a_dead_supplier_is_unreachable(supplier):
    supplier.process.kill()
    supplier.wait_until_dead()
    report = await openai.call(leg(supplier), CHAT, soon())
    assert (report.fault, report.attempts) == ("supplier_unreachable", 2)
    _, streamed_report = await streamed(supplier)
    assert streamed_report.fault == "supplier_unreachable"


async def test_an_address_inside_is_not_called_on_a_suppliers_word(supplier):
    before = supplier.meter()
    report = await openai.call(leg(supplier, inside=False), CHAT, soon())
    assert (report.fault, report.attempts) == ("address_refused", 1)
    assert supplier.meter() == before


async def test_a_name_is_judged_by_what_it_resolves_to(supplier, monkeypatch):
    """A name that looks global and points inside is refused; one that an operator let be inside is called at the address looked at."""
    asked = []

    async def resolved(host):
        asked.append(host)
        return ["127.0.0.1"]

    monkeypatch.setattr(lines, "_resolved", resolved)
    named = supplier.base_url.replace("127.0.0.1", "supplier.example")
    refused = await openai.call(a_leg(named, secret=TOKEN, inside=False), CHAT, soon())
    assert refused.fault == "address_refused"
    called = await openai.call(a_leg(named, secret=TOKEN), CHAT, soon())
    assert (called.fault, set(asked)) == ("", {"supplier.example"})


async def test_twenty_at_once_are_all_answered(supplier):
    reports = await asyncio.gather(*(openai.call(leg(supplier), CHAT, soon()) for _ in range(20)))
    assert {report.fault for report in reports} == {""}


async def test_a_client_that_is_cancelled_leaves_no_line_behind(supplier):
    supplier.misbehave("hang")
    task = asyncio.create_task(openai.call(leg(supplier), CHAT, soon()))
    async with httpx.AsyncClient() as other:
        await other.get(f"{supplier.root}/meter")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    supplier.misbehave("fine")
    assert (await openai.call(leg(supplier), CHAT, soon())).fault == ""
