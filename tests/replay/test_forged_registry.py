"""What the registry holds beside rights (links, packages, delegations, offers), forged in its table or in its events, is found."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from exchange.audit.run import audit
from exchange.services.block_offers import Terms, make_offer
from rights.domain.package import PartFacts
from rights.models import Delegation, RightLink
from rights.services.delegations import Bounds, Use, delegate, revoke_delegation
from settlement.services.consume import consume_right
from settlement.services.ledger import cash_asset
from settlement.services.packages import Composition, create_package
from settlement.services.replace import replace_right
from tests.honest_market import HonestMarket, forge_events, tamper
from tests.registry_desk import DAY_US, MINT, START_US
from tests.unit.rights.domain.manifests import chat_day

LOT = 1_000_000
HOUR_US = 3_600_000_000
Bodies = list[dict[str, Any]]


@pytest.fixture
def lived(market: HonestMarket) -> Iterator[HonestMarket]:
    """A right replaced, a package on offer, a right used by a delegate whose delegation has ended since."""
    desk, before_us = market.desk, market.now_us
    desk.now_us = market.now_us
    said: dict[str, Any] = {"actor": "command:test", "now_us": market.now_us}
    former = desk.issue(2 * LOT, holder="issuer")
    document = chat_day(resource={"amount": str(LOT)})
    named = {"right_id": str(former.pk), "issuer": desk.issuer, "document": document, "kind": "migrated", "reason": "test", "mint": MINT}
    replace_right(**named, **said)
    packed, used = (desk.issue(3 * LOT) for _ in range(2))
    holder, other = market.accounts["holder"], market.accounts["other"]
    made = Composition("bundle", "some", [PartFacts(str(packed.pk), LOT)])
    package = create_package(holder=holder, composition=made, package_id=MINT.uuid(market.now_us), **said)
    terms = Terms(5_000_000, cash_asset(), market.now_us + DAY_US, None)
    make_offer(seller=holder, package_id=str(package.uuid), terms=terms, fee_bps=20, offer_id=MINT.uuid(market.now_us), **said)
    said["now_us"] = market.now_us = START_US + HOUR_US
    bounds = Bounds(2 * LOT, START_US, START_US + DAY_US)
    given = {"right": used, "package": None, "parent": None, "delegator": holder, "to": other, "bounds": bounds}
    row = delegate(**given, delegation_id=MINT.uuid(market.now_us), **said)
    under = Use(str(row.uuid), other.pk, "text.generation")
    consume_right(right_id=str(used.pk), units=LOT, ref="work", mint=MINT, under=under, **said)
    revoke_delegation(delegation_id=str(row.uuid), reason="over", **said)
    yield market
    market.now_us = desk.now_us = before_us


def found(market: HonestMarket) -> list[str]:
    return [broken.check for broken in audit(now_us=market.now_us).broken]


@pytest.mark.django_db  # has the test database made; `market` works in it by itself
def test_what_was_lived_is_clean(lived: HonestMarket) -> None:
    assert found(lived) == []
    assert (RightLink.objects.count(), Delegation.objects.get().used_units) == (1, LOT)


@pytest.mark.parametrize("statement", ["UPDATE rights_rightlink SET reason = 'x'", "DELETE FROM rights_rightlink"])
def test_the_database_keeps_links(lived: HonestMarket, statement: str) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


TABLES = (
    ("objects", "UPDATE rights_rightlink SET reason = reason || 'x'"),
    ("objects", "UPDATE rights_rightlink SET created_at = created_at + interval '1 microsecond'"),
    ("objects", "DELETE FROM rights_rightlink"),
    ("objects", "UPDATE rights_package SET controller_id = (SELECT id FROM rights_account WHERE id <> holder_id ORDER BY id LIMIT 1)"),
    ("objects", "UPDATE rights_packagepart SET units = units - 1"),
    ("package_locks", "UPDATE rights_packagepart SET units = units - 1"),
    ("objects", "UPDATE exchange_blockoffer SET disclosure = replace(disclosure, 'bundle', 'bondle')"),
    ("objects", "UPDATE exchange_blockoffer SET created_at = created_at - interval '1 day'"),
    ("objects", "UPDATE rights_delegation SET ended_at = ended_at + interval '1 day'"),
    ("objects", "UPDATE rights_delegation SET state = 'active', ended_at = NULL"),
)


@pytest.mark.parametrize(("check", "statement"), TABLES, ids=[statement for _, statement in TABLES])
def test_forged_tables(lived: HonestMarket, check: str, statement: str) -> None:
    assert tamper(statement) > 0
    assert check in found(lived)


def of_type(bodies: Bodies, name: str) -> dict[str, Any]:
    return next(body for body in bodies if body["type"] == name)


def use_after_the_window(bodies: Bodies) -> None:
    of_type(bodies, "right.partially_consumed")["at"] = "2026-12-02T00:00:00.000000Z"


def use_before_the_window(bodies: Bodies) -> None:
    of_type(bodies, "right.partially_consumed")["at"] = "2026-11-30T23:59:59.999999Z"


def count_usage_where_there_are_no_epochs(bodies: Bodies) -> None:
    of_type(bodies, "right.partially_consumed")["payload"]["epoch_used_units"] = "1"


def use_the_delegation_after_its_time(bodies: Bodies) -> None:
    of_type(bodies, "delegation.used")["at"] = "2026-12-02T00:00:00.000000Z"


def use_the_delegation_before_its_time(bodies: Bodies) -> None:
    of_type(bodies, "delegation.used")["at"] = "2026-11-30T23:59:59.999999Z"


def use_the_delegation_when_it_had_ended(bodies: Bodies) -> None:
    of_type(bodies, "delegation.used")["at"] = "2026-12-01T01:01:00.000000Z"


def use_more_than_was_delegated(bodies: Bodies) -> None:
    of_type(bodies, "delegation.used")["payload"]["units"] = str(2 * LOT + 1)


def use_nothing(bodies: Bodies) -> None:
    of_type(bodies, "delegation.used")["payload"]["units"] = "0"


def give_back_what_no_settlement_took(bodies: Bodies) -> None:
    of_type(bodies, "delegation.used")["payload"]["units"] = str(-LOT)


def give_back_more_than_was_used(bodies: Bodies) -> None:
    of_type(bodies, "delegation.used")["payload"] |= {"units": str(-LOT), "ref": "stl_0192e4a0-0000-7000-8000-000000000000"}


def use_what_had_gone_back_to_nobody(bodies: Bodies) -> None:
    used = of_type(bodies, "delegation.used")
    used["payload"]["taken_from"] = used["object"]["id"]


def use_another_right_than_was_delegated(bodies: Bodies) -> None:
    of_type(bodies, "delegation.used")["payload"]["right"] = of_type(bodies, "right.issued")["payload"]["right"]


def forget_one_end_of_a_link(bodies: Bodies) -> None:
    bodies.remove(of_type(bodies, "right.migrated"))


EVENTS: tuple[tuple[str, Callable[[Bodies], None]], ...] = (
    ("events_apply", use_after_the_window),
    ("events_apply", use_before_the_window),
    ("events_apply", count_usage_where_there_are_no_epochs),
    ("events_apply", use_the_delegation_after_its_time),
    ("events_apply", use_the_delegation_before_its_time),
    ("events_apply", use_the_delegation_when_it_had_ended),
    ("events_apply", use_more_than_was_delegated),
    ("events_apply", use_nothing),
    ("events_apply", give_back_what_no_settlement_took),
    ("events_apply", give_back_more_than_was_used),
    ("events_apply", use_what_had_gone_back_to_nobody),
    ("events_apply", use_another_right_than_was_delegated),
    ("objects", forget_one_end_of_a_link),
)


@pytest.mark.parametrize(("check", "edit"), EVENTS, ids=[edit.__name__ for _, edit in EVENTS])
def test_forged_events(lived: HonestMarket, check: str, edit: Callable[[Bodies], None]) -> None:
    forge_events(lived.series.stream.code, edit)
    assert check in found(lived)
