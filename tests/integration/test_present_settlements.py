"""What a private channel's present is made of is found by an index, on a venue where millions of others' settlements wait."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from exchange.sockets.private import KINDS
from rights.kernel import rows
from settlement.models import Settlement
from settlement.services.disputes import Opening, assign_reviewer, open_dispute
from tests.registry_desk import MINT
from tests.using_desk import WHO, Using

pytestmark = pytest.mark.django_db
# As many rows as this whatever its size, which other tests' rows may have left it.
_TELL = """
SELECT pg_restore_relation_stats('schemaname', 'public', 'relname', %(table)s::text, 'relpages',
    greatest(1, pg_relation_size(%(table)s::regclass) / 8192)::integer, 'reltuples', 1000000::real)
"""
_FORGET = "SELECT pg_clear_attribute_stats(schemaname, tablename, attname, inherited) FROM pg_stats WHERE schemaname = 'public' AND tablename = ANY(%s)"
# By which column of each table its rows are found: the account's own, or what has been found by it.
OWN = {
    "settlement_request": "account_id|holder_id",
    "settlement_route": "supplier_id|right_id",
    "rights_right": "issuer_id",
    "settlement_dispute": "reviewer",
    "settlement_settlement": "request_id|id",
}


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def judged() -> tuple[Using, Settlement]:
    """Work that was challenged, and is with its reviewer."""
    desk = Using()
    desk.accounts["judge"] = desk.desk.open("judge")
    right = desk.basic(settlement={"dispute_window_seconds": 600})
    request = desk.running((right, 100))
    settlement = desk.record(request, desk.told(request, 100))
    opening = Opening(MINT.uuid(desk.now_us), desk.accounts["holder"], "the answer was empty", "see for yourself")
    dispute = open_dispute(settlement_id=str(settlement.pk), opening=opening, now_us=desk.now_us, **WHO)
    reviewer = desk.accounts["judge"].participant
    assign_reviewer(dispute_id=str(dispute.pk), reviewer=reviewer, now_us=desk.now_us, **WHO)
    return desk, settlement


def test_each_party_is_shown_it_once_and_nobody_else() -> None:
    desk, settlement = judged()
    for slug, sees in (("holder", 1), ("boreal", 1), ("issuer", 1), ("judge", 1), ("other", 0)):
        found = rows.fetch_all(KINDS["settlements"].snapshot, [desk.accounts[slug].pk])
        assert [row[2] for row in found] == ([str(settlement.pk)] if sees else [None]), slug


def test_settlements_are_found_by_what_is_the_accounts_own() -> None:
    judged()
    rows.fetch_all(_FORGET, [[*OWN]])  # what the server has learnt of other tests' rows
    for table in OWN:
        assert rows.fetch_one(_TELL, {"table": table})[0]
    with connection.cursor() as cursor:
        for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin"):  # what would be had of a table that is small after all
            cursor.execute(f"SET LOCAL enable_{way} = off")
        cursor.execute(f"EXPLAIN (FORMAT JSON) {KINDS['settlements'].snapshot}", [1])
        plan = cursor.fetchone()[0][0]["Plan"]
    read = [(node["Relation Name"], node.get("Index Cond", "")) for node in nodes(plan) if node.get("Relation Name") in OWN]
    assert {table for table, _ in read} == set(OWN)
    for table, cond in read:
        assert re.search(rf"\b({OWN[table]})\b\S* = ", cond), (table, cond)
