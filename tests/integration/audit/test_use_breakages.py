"""Every check about requests and settlements can fail: break their world by force, see exactly that reported."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from exchange.audit.registry import CHECKS
from exchange.audit.run import audit
from exchange.replay.run import replay
from rights.models import Right
from rights.services.delegations import Bounds
from settlement.models import Request
from settlement.services.begin import begin_execution
from settlement.services.delegate import delegate
from settlement.services.disputes import Opening, open_dispute
from tests.honest_market import tamper
from tests.integration.audit.breakages import Breakage
from tests.integration.audit.use_breakages import USE_BREAKAGES
from tests.redeem_desk import END_US
from tests.registry_desk import MINT, START_US
from tests.shared_market import kept, undone
from tests.using_desk import WHO, Using

# A request names a package that its locked route took nothing of.
PACKAGED = """
WITH made AS (
    INSERT INTO rights_package (uuid, type, holder_id, controller_id, label, policy, rules, state, revision, created_at, updated_at)
    SELECT gen_random_uuid(), 'bundle', id, id, 'x', '{}', '{}', 'active', 1, now(), now() FROM rights_account LIMIT 1 RETURNING uuid)
UPDATE settlement_request SET envelope = jsonb_set(envelope::jsonb, '{package}', to_jsonb('pkg_' || made.uuid))::text FROM made WHERE state = 'matched'
"""

OF_MARKETS = {"proceeds_posted", "proceeds_final"}  # broken in breakages.py: sellers' proceeds come of trades


@pytest.mark.django_db  # has the test database made; `desk` works in it by itself
def test_every_question_is_broken() -> None:
    assert {b.check for b in USE_BREAKAGES} == {
        check.name for check in CHECKS if check.name in ("route_locks", "route_escrow", "route_parts", "delegated_use")
    } | {check.name for check in CHECKS if check.code in ("S1", "S2", "S3") and check.name not in OF_MARKETS}


def used() -> Using:
    """Requests in every state that settlements rest in."""
    desk = Using()
    final, windowed = desk.basic(), desk.basic(settlement={"dispute_window_seconds": 600})
    request = desk.running((final, 100))
    desk.record(request, desk.told(request, 80))
    waiting, unproven = (desk.running((windowed, 100)) for _ in range(2))
    disputed = lent(desk, windowed)
    desk.record(waiting, desk.told(waiting, 70))
    settlement = desk.record(disputed, desk.told(disputed, 60))
    opening = Opening(MINT.uuid(desk.now_us), desk.accounts["boreal"], "it was more")
    open_dispute(settlement_id=str(settlement.pk), opening=opening, now_us=desk.now_us, **WHO)
    desk.record(unproven, desk.told(unproven, 50), without=("usage-meter",))
    desk.matched((final, 100))
    return desk


def lent(desk: Using, right: Right) -> Request:
    """A delegate's work, under way."""
    row = delegate(
        right=right,
        package=None,
        parent=None,
        delegator=desk.accounts["holder"],
        to=desk.accounts["other"],
        bounds=Bounds(1_000, START_US, END_US),
        delegation_id=MINT.uuid(desk.now_us),
        now_us=desk.now_us,
        **WHO,
    )
    request = desk.submit(by="other", delegation_id=str(row.uuid), candidates=(), units=100)
    assert begin_execution(request_id=str(request.pk), now_us=desk.now_us, **WHO) is not None
    return request


@pytest.fixture(scope="module")
def made(django_db_setup: None, django_db_blocker: Any) -> Iterator[Using]:
    with kept(used, django_db_blocker) as desk:
        yield desk


@pytest.fixture
def desk(made: Using) -> Iterator[Using]:
    with undone(made) as same:
        yield same


def test_rights_in_use_are_clean(desk: Using) -> None:
    assert audit(now_us=desk.now_us).broken == []
    assert replay().differences == {}


@pytest.mark.parametrize("broken", USE_BREAKAGES, ids=lambda b: b.check)
def test_breakage(desk: Using, broken: Breakage) -> None:
    assert tamper(*broken.statements) != 0
    report = audit(now_us=desk.now_us, quick=True)
    shown = [(found.code, found.check, found.rows[:2]) for found in report.broken]
    assert broken.check in [found.check for found in report.broken], shown
    assert " ".join(report.codes) == broken.codes, shown


def test_what_was_final_before_tallies_is_counted_by_their_migration(desk: Using) -> None:
    assert tamper("DELETE FROM settlement_outcometally") != 0
    assert tamper(import_module("settlement.migrations.0011_outcome_tallies").COUNT) != 0
    assert audit(now_us=desk.now_us).broken == []


def test_a_route_from_before_routes_knew_of_parts_is_left_as_it_was(desk: Using) -> None:
    """It names no part, and neither does the event that quoted it; where the event says that there was none, the row has to agree."""

    def shown() -> bool:
        return "route_parts" in [found.check for found in audit(now_us=desk.now_us, quick=True).broken]

    assert tamper(PACKAGED) == 1
    assert shown()
    assert tamper("UPDATE rights_event SET body = replace(body, '\"part\":null,', '') WHERE type = 'route.quoted'") != 0
    assert not shown()
