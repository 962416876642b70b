"""The line to the database is lost behind an INSERT that was sent: the caller hears that it is not known, and whom to ask about."""

import json
import os
import select
import socket
from collections import deque
from typing import Any

import psycopg
import pytest
from django.db import connection
from psycopg import generators
from psycopg.pq.abc import PGconn

from exchange.models import Command
from rights.kernel.trip import Trip
from tests.feed.client import Client

pytestmark = pytest.mark.usefixtures("hub")
_over = Trip.over


async def _heard_by_nobody(trip: Trip, link: psycopg.AsyncConnection[Any]) -> None:
    """The server does it all; then the line is gone, before its answer."""
    lost = any(b"INSERT INTO exchange_command" in asked[0] for asked in trip._asked)
    await _over(trip, link)
    if lost:
        await link.close()
        raise psycopg.OperationalError("the connection is lost")


def is_stored(order_id: str) -> bool:
    return Command.objects.filter(order_id=order_id.removeprefix("ord_"), kind=0).exists()


async def test_the_order_is_named_and_sent_again_is_found(http, order, in_thread, monkeypatch):
    body = order | {"client_order_id": "lost"}
    with monkeypatch.context() as patch:
        patch.setattr(Trip, "over", _heard_by_nobody)
        lost = await http.post("/orders", json=body)
    told = lost.json()
    assert (lost.status_code, told["code"], told["retryable"]) == (504, "timeout", True)
    assert await in_thread(is_stored)(told["order_id"])
    again = await http.post("/orders", json=body)
    assert (again.status_code, again.json()["id"], again.json()["replayed"]) == (200, told["order_id"], True)


async def test_what_is_sent_again_waits_for_no_key_and_no_doorbell(http, order, monkeypatch):
    """The door takes one gathering at a time: whoever keeps it waiting keeps everybody waiting."""

    def asked(**_more):
        raise AssertionError("an order that is there already is looked up, and nothing else")

    body = order | {"client_order_id": "again"}
    first = (await http.post("/orders", json=body)).json()
    monkeypatch.setattr("exchange.api.order_entry.promise.enter_by_key", asked)
    again = await http.post("/orders", json=body)
    assert (again.status_code, again.json()["id"], again.json()["replayed"]) == (200, first["id"], True)


async def test_cancels_and_every_operation_of_a_batch_are_told_so_too(http, order, monkeypatch):
    placed = (await http.post("/orders", json=order)).json()["id"]
    monkeypatch.setattr(Trip, "over", _heard_by_nobody)
    one = await http.delete(f"/orders/{placed}")
    assert (one.status_code, one.json()["order_id"]) == (504, placed)
    every = await http.delete("/orders")
    assert (every.status_code, every.json()["code"]) == (504, "timeout")
    operations = [{"op": "place", **order}, {"op": "cancel", "id": placed}, {"op": "place"}]
    results = (await http.post("/orders/batch", json={"operations": operations})).json()["results"]
    assert [r["status"] for r in results] == [504, 504, 400]
    assert results[1]["error"]["order_id"] == placed != results[0]["error"]["order_id"]


async def test_a_socket_hears_the_same(url, owner, order, in_thread, monkeypatch):
    client = await Client.open(url)
    await client.do("auth", key=owner.token)
    monkeypatch.setattr(Trip, "over", _heard_by_nobody)
    answer = await client.ask("place", **order)
    assert (answer["ok"], answer["error"]["code"]) == (False, "timeout")
    assert await in_thread(is_stored)(answer["error"]["order_id"])
    await client.close()


_READY = b"Z\x00\x00\x00\x05I"
_communicate = generators.pipeline_communicate


def _read_when_all_is_there(pgconn: PGconn, sends: deque[Any]) -> Any:
    """The server's whole answer lies in the socket before the first byte of it is read."""
    while sends:
        sends.popleft()()
    while pgconn.flush():
        select.select([], [pgconn.socket], [])
    with socket.socket(fileno=os.dup(pgconn.socket)) as line:
        while select.select([line], [], [], 10)[0] and not line.recv(1 << 20, socket.MSG_PEEK).endswith(_READY):
            pass
    return (yield from _communicate(pgconn, sends))


@pytest.mark.parametrize("read", [_communicate, _read_when_all_is_there])
async def test_a_refusal_at_the_commit_is_not_taken_for_a_yes(http, order, in_thread, monkeypatch, read):
    """The INSERT is answered before the commit that fails, whether its answer comes with it or behind it."""
    monkeypatch.setattr(generators, "pipeline_communicate", read)

    def refusing(on: bool) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER IF EXISTS test_refuses ON exchange_command")
            cursor.execute("CREATE OR REPLACE FUNCTION test_refuses() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'full'; END $$")
            if on:
                cursor.execute(
                    "CREATE CONSTRAINT TRIGGER test_refuses AFTER INSERT ON exchange_command "
                    "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION test_refuses()"
                )
            else:
                cursor.execute("DROP FUNCTION test_refuses")

    await in_thread(refusing)(True)
    try:
        answer = await http.post("/orders", json=order)
    finally:
        await in_thread(refusing)(False)
    assert answer.status_code == 504, json.dumps(answer.json())
    assert not await in_thread(is_stored)(answer.json()["order_id"])
