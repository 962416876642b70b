"""The channels `requests` and `settlements`: every step of a request reaches each of its parties once, in order, after its commit (TRUST M1)."""

import asyncio
import functools
import random
from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.db import transaction

from exchange.domain.amounts import decimal_text
from exchange.feed.pool import _parameters
from exchange.services import keys
from rights.kernel.clock import now_us
from rights.services.delegations import Bounds, delegate
from settlement.models import Request, Settlement
from settlement.services.cancel import cancel_request
from settlement.services.disputes import Decision, Opening, assign_reviewer, decide_dispute, open_dispute
from settlement.services.fall_back import fall_back
from settlement.services.finalize import finalize_due
from tests.feed.client import Client, PrivateLog, until
from tests.feed.contract import Contract
from tests.integration.settling import use_history
from tests.redeem_desk import END_US
from tests.registry_desk import MINT, START_US
from tests.using_desk import TARIFF_MINOR, WHO, Using

ROUTED = ["request.submitted", "request.accepted", "route.quoted", "route.locked"]
CHANNELS = ("requests", "settlements", "balances")
ENDED = ["execution.completed", "receipt.recorded"]
TERMS = use_history.TERMS[1]  # the same that chance may draw: a window of ten minutes, and other suppliers
_FACTS = """
SELECT 'evt_' || id, type, coalesce(body::jsonb -> 'refs' ->> 'request', body::jsonb -> 'payload' ->> 'request', object_id) FROM rights_event
WHERE split_part(type, '.', 1) = ANY(%s) ORDER BY stream_id, seq
"""
_WORKED = """
SELECT DISTINCT 'req_' || t.request_id FROM settlement_route t JOIN rights_supplier y ON y.id = t.supplier_id
JOIN rights_participant p ON p.id = y.participant_id WHERE t.state IN ('executing', 'completed') AND p.slug = %s
"""


@functools.cache
def history() -> use_history.UseHistory:
    """The one desk of this module: what it does is committed. Assurances are made when they are used, and are fresh."""
    made = use_history.UseHistory(Using(), seed=31)
    made.desk.desk.now_us = made.desk.now_us
    return made


class Party:
    """A socket of one account, and what each of these channels said from the first number on."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.logs = {channel: PrivateLog(channel) for channel in CHANNELS}

    async def listen(self) -> None:
        for channel, log in self.logs.items():
            self.client.handlers[channel] = log.hear
            await self.client.do("subscribe", channel=channel, from_seq=1)

    def heard(self, channel: str, request: Request) -> list[dict[str, Any]]:
        return [event for event in self.logs[channel].events if event["request_id"] == f"req_{request.pk}"]

    def said(self, channel: str, request: Request) -> list[tuple[str, str | None]]:
        return [(event["event"], event["state"]) for event in self.heard(channel, request)]


def key_of(slug: str) -> str:
    account = history().desk.accounts[slug]
    return keys.create(account_id=account.pk, scopes=("read",), label="", expires_us=None, now_us=now_us()).token


@pytest.fixture
async def desk(in_thread) -> Using:
    return (await in_thread(history)()).desk


@pytest.fixture
async def party(url, desk, in_thread):
    """Opens the socket of an account, by its name; each frame is held against the server's own AsyncAPI document."""
    base = url.replace("ws://", "http://").removesuffix("/ws/v1")
    async with httpx.AsyncClient() as http:
        contract = Contract((await http.get(f"{base}/api/v1/asyncapi.json")).json())
    opened: list[Party] = []

    async def enter(slug: str) -> Party:
        client = await Client.open(url, checker=contract.check)
        await client.do("auth", key=await in_thread(key_of)(slug))
        opened.append(Party(client))
        await opened[-1].listen()
        return opened[-1]

    yield enter
    for one in opened:
        await one.client.close()


def disputed(desk: Using) -> tuple[Request, Settlement]:
    """Done, challenged by its holder, judged, and reversed."""
    right = desk.basic(**TERMS)
    request = desk.running((right, 100))
    settlement = desk.record(request, desk.told(request, 100))
    opening = Opening(MINT.uuid(desk.now_us), desk.accounts["holder"], "the answer was empty", "see for yourself")
    dispute = open_dispute(settlement_id=str(settlement.pk), opening=opening, now_us=desk.now_us, **WHO)
    judge = desk.accounts["judge"].participant
    assign_reviewer(dispute_id=str(dispute.pk), reviewer=judge, now_us=desk.now_us, **WHO)
    upheld = Decision("uphold", "the log says so")
    decide_dispute(dispute_id=str(dispute.pk), reviewer=judge, decision=upheld, mint=MINT, now_us=desk.now_us, **WHO)
    return request, settlement


async def test_each_party_hears_what_concerns_it_and_nobody_else_anything(party, desk, in_thread):
    holder, supplier, issuer, judge, other = [await party(slug) for slug in ("holder", "boreal", "issuer", "judge", "other")]
    before = await in_thread(desk.cash)("issuer")
    request, settlement = await in_thread(disputed)(desk)
    steps = [
        ("settlement.classified", "classified_full"),
        ("settlement.pending_dispute_window", "pending_dispute_window"),
        ("settlement.dispute_opened", "in_dispute"),
        ("settlement.dispute_evidence", None),
        ("settlement.dispute_assigned", None),
        ("settlement.dispute_closed", None),
        ("settlement.reversed", "reversed"),
        ("settlement.finalized", "finalized"),
    ]
    for one in (holder, supplier, issuer):
        await until(lambda one=one: len(one.heard("settlements", request)) == len(steps))
        assert one.said("settlements", request) == steps
    await until(lambda: len(judge.heard("settlements", request)) == 4)
    assert judge.said("settlements", request) == steps[4:]  # from its assignment on
    states = ["received", "validated", None, "matched", "executing", "completed", None, "settled"]
    assert holder.said("requests", request) == list(
        zip([*ROUTED, "execution.started", *ENDED, "settlement.finalized"], states, strict=True)
    )
    assert not any(one.logs["requests"].events for one in (supplier, issuer, judge))
    assert not any(other.heard(channel, request) for channel in ("requests", "settlements"))
    # Set aside when the route was locked, and back when it was reversed.
    totals = [decimal_text(minor, 6) for minor in (before - 100 * TARIFF_MINOR, before)]
    await until(lambda: [balance["total"] for balance in issuer.logs["balances"].events[-2:]] == totals)
    told = holder.heard("settlements", request)
    assert {event["settlement_id"] for event in told} == {f"stl_{settlement.pk}"}
    assert [event["dispute_state"] for event in told] == [None, None, "open", "open", "open", "upheld", None, None]
    assert (told[0]["outcome"], told[0]["units"], told[4]["reviewer"], told[-1]["outcome"]) == ("full", "100", "judge", "failed")
    locked = holder.heard("requests", request)[3]
    assert (locked["units"], locked["right_id"]) == ("100", f"rgt_{(await in_thread(request.routes.get)()).right_id}")


async def test_a_delegate_hears_of_what_it_asked_for(party, desk, in_thread):
    holder, asker = await party("holder"), await party("other")

    def ask() -> Request:
        row = delegate(
            right=desk.right,
            package=None,
            parent=None,
            delegator=desk.accounts["holder"],
            to=desk.accounts["other"],
            bounds=Bounds(1500, START_US, END_US, ("text.generation",)),
            delegation_id=MINT.uuid(desk.now_us),
            now_us=desk.now_us,
            **WHO,
        )
        made = desk.submit(by="other", delegation_id=str(row.uuid), candidates=(), units=100)
        cancel_request(request_id=str(made.pk), reason="no longer needed", mint=MINT, now_us=desk.now_us, **WHO)
        return made

    request = await in_thread(ask)()
    for one in (asker, holder):
        await until(lambda one=one: len(one.heard("requests", request)) == 8)
        assert one.said("requests", request)[4:] == [
            ("execution.completed", "cancelled"),
            ("receipt.recorded", None),
            ("settlement.finalized", "settled"),
            ("request.cancelled", None),
        ]
        assert one.heard("requests", request)[-1]["reason"] == "no longer needed"
        assert one.said("settlements", request) == [
            ("settlement.classified", "classified_cancelled"),
            ("settlement.finalized", "finalized"),
        ]


async def test_another_route_leaves_a_request_executing(party, desk, in_thread):
    holder = await party("holder")

    def run() -> Request:
        desk.supply("cloudy", constraints=("json-mode", "tool-use"))
        right = desk.basic(**TERMS)
        request = desk.running((right, 100))
        route = request.routes.get(state="executing")
        tried = set(route.capability.endpoints.values_list("pk", flat=True))
        known = {"released": [str(route.pk)], "without_endpoints": tried, "units": 100, "reason": "it fell silent"}
        assert fall_back(request_id=str(request.pk), mint=MINT, now_us=desk.now_us, **known, **WHO)
        return request

    request = await in_thread(run)()
    await until(lambda: len(holder.heard("requests", request)) == 9)
    assert holder.said("requests", request)[5:] == [
        ("route.released", "executing"),
        ("route.quoted", None),
        ("route.locked", "executing"),
        ("execution.progressed", "executing"),
    ]


async def test_whose_route_gave_way_hears_nothing_of_the_settlement(url, party, desk, in_thread):
    """It may not read it either: only who worked is a party."""

    def run() -> tuple[Request, str, str]:
        desk.supply("foggy", constraints=("json-mode", "tool-use"))
        request = desk.running((desk.basic(**TERMS), 100))
        gone = request.routes.get(state="executing")
        tried = set(gone.capability.endpoints.values_list("pk", flat=True))
        known = {"released": [str(gone.pk)], "without_endpoints": tried, "units": 100, "reason": "it fell silent"}
        assert fall_back(request_id=str(request.pk), mint=MINT, now_us=desk.now_us, **known, **WHO)
        return request, gone.supplier.participant.slug, request.routes.get(state="executing").supplier.participant.slug

    request, gone, worked = await in_thread(run)()
    released, working = await party(gone), await party(worked)
    settlement = await in_thread(desk.record)(request, await in_thread(desk.told)(request, 100))
    await until(lambda: len(working.heard("settlements", request)) == 2)
    for slug, sees in ((gone, False), (worked, True)):
        client = await Client.open(url)
        await client.do("auth", key=await in_thread(key_of)(slug))
        await client.do("subscribe", channel="settlements")
        assert (f"stl_{settlement.pk}" in {one["settlement_id"] for one in (await client.next("snapshot"))["data"]}) is sees
        await client.close()
    desk.now_us += 700 * 1_000_000
    assert await in_thread(finalize_due)(mint=MINT, now_us=desk.now_us, **WHO)
    await until(lambda: len(working.heard("settlements", request)) == 3)
    assert released.heard("settlements", request) == []


async def test_the_present_is_what_has_not_ended(url, desk, in_thread):
    def live() -> tuple[Request, Settlement]:
        right = desk.basic(**TERMS)
        waiting, done = desk.matched((right, 10)), desk.running((right, 20))
        return waiting, desk.record(done, desk.told(done, 20))

    waiting, settlement = await in_thread(live)()
    for slug, sees in (("holder", True), ("boreal", True), ("issuer", True), ("judge", False), ("other", False)):
        client = await Client.open(url)
        await client.do("auth", key=await in_thread(key_of)(slug))
        found = {}
        for channel in ("requests", "settlements"):
            await client.do("subscribe", channel=channel)
            found[channel] = {one[f"{channel[:-1]}_id"]: one["state"] for one in (await client.next("snapshot"))["data"]}
        assert found["settlements"].get(f"stl_{settlement.pk}") == ("pending_dispute_window" if sees else None)
        assert found["requests"].get(f"req_{waiting.pk}") == ("matched" if slug == "holder" else None)
        assert f"req_{settlement.request_id}" not in found["requests"]
        await client.close()
    await in_thread(desk.record)(waiting, await in_thread(desk.told)(waiting, status="cancelled"))
    desk.now_us += 700 * 1_000_000
    assert await in_thread(finalize_due)(mint=MINT, now_us=desk.now_us, **WHO) == 1


async def test_what_is_taken_back_is_never_told(party, desk, in_thread):
    holder = await party("holder")

    def take_back() -> None:
        with transaction.atomic():
            desk.matched((desk.right, 10))
            transaction.set_rollback(True)

    await in_thread(take_back)()
    request = await in_thread(desk.matched)((desk.right, 10))
    await until(lambda: len(holder.heard("requests", request)) == 4)
    known = await in_thread(lambda: {f"req_{pk}" for pk in Request.objects.values_list("pk", flat=True)})()
    assert {event["request_id"] for event in holder.logs["requests"].events} <= known


def _live(rounds: int) -> None:
    for _ in range(rounds):
        history().run(steps=25)


@pytest.mark.parametrize("slug", ["holder", "boreal"])
async def test_random_breaks_and_resumes_yield_every_step_once(url, desk, in_thread, slug):
    """Whatever happens to requests, and to the line: what was heard is what the events say, and was committed when it was heard."""
    chance = random.Random(slug)
    channels = CHANNELS if slug == "holder" else CHANNELS[1:]
    logs = {channel: PrivateLog(channel) for channel in channels}
    token = await in_thread(key_of)(slug)
    early: list[str] = []
    with psycopg.connect(**{**_parameters(), "autocommit": True}) as looking:

        def hear(log: PrivateLog) -> Callable[[dict[str, Any]], None]:
            def check(message: dict[str, Any]) -> None:
                log.hear(message)
                if message["type"] == "event" and log.channel != "balances":
                    event = message["data"]["event_id"]
                    if looking.execute("SELECT 1 FROM rights_event WHERE id = %s", [event.removeprefix("evt_")]).fetchone() is None:
                        early.append(event)

            return check

        living = asyncio.create_task(sync_to_async(_live)(2))
        while True:
            last_round = living.done()
            client = await Client.open(url)
            await client.do("auth", key=token)
            for channel, log in logs.items():
                client.handlers[channel] = hear(log)
                await client.do("subscribe", channel=channel, from_seq=log.last + 1)
            if last_round:
                break
            await asyncio.sleep(chance.random() * 0.3)
            client.cut()
            await client.ended()
        await living
        numbers = looking.execute(
            "SELECT requests_seq, settlements_seq, balances_seq FROM exchange_accountfeed WHERE account_id = %s", [desk.accounts[slug].pk]
        ).fetchone()
        last = dict(zip(CHANNELS, numbers, strict=True))
        await until(lambda: all(log.last == last[channel] for channel, log in logs.items()))
        await client.close()
        assert not early
        facts = looking.execute(_FACTS, [["request", "route", "execution", "receipt", "settlement"]]).fetchall()
        if slug != "holder":  # a party where it worked, and nowhere else
            worked = {row[0] for row in looking.execute(_WORKED, [slug])}
            facts = [fact for fact in facts if fact[2] in worked]
    cash = decimal_text(await in_thread(desk.cash)(slug), 6)
    assert [balance["total"] for balance in logs["balances"].events[-1:]] == ([cash] if last["balances"] else [])
    for channel in channels[:-1]:
        log = logs[channel]
        mine = [fact for fact in facts if fact[1].startswith("settlement.") or channel == "requests"]
        if channel == "requests":
            mine = [fact for fact in mine if not fact[1].startswith("settlement.") or fact[1] == "settlement.finalized"]
        assert len(log.events) > 50
        assert _by_request((e["event_id"], e["event"], e["request_id"]) for e in log.events) == _by_request(mine)


def _by_request(facts: Any) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for event, kind, request in facts:
        found.setdefault(request, []).append((event, kind))
    return found
