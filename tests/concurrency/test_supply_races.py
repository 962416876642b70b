"""Races about capacity (SPEC §7), each many times on connections of their own: nothing over-issued, nothing pledged twice.

A hundred rounds each; a thousand with TORTURE=1.
"""

import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Sum

from exchange.audit.run import audit
from rights.models import Assurance, Right
from rights.services.capabilities import retire_capability
from rights.services.refusals import RegistryRefusalError
from tests.registry_desk import Desk
from tests.supply_desk import SupplyDesk

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 1000 if os.environ.get("TORTURE") == "1" else 100
Job = Callable[[int], Any]


def race(*jobs: Job, prepare: Callable[[int], None] = lambda number: None) -> list[tuple[Any, ...]]:
    """`ROUNDS` times: `prepare(number)`, then every job at once on a thread that keeps its connection; each round's outcomes.

    A refusal's outcome is its codes. Anything else that is raised ends the test.
    """
    start, end = Barrier(len(jobs) + 1), Barrier(len(jobs) + 1)
    outcomes: list[list[Any]] = [[None] * len(jobs) for _ in range(ROUNDS)]

    def run(place: int, job: Job) -> None:
        try:
            for number in range(ROUNDS):
                start.wait(60)
                try:
                    outcomes[number][place] = job(number)
                except RegistryRefusalError as refusal:
                    outcomes[number][place] = tuple(why.code for why in refusal.refusals)
                end.wait(60)
        except BaseException:
            start.abort()
            end.abort()
            raise
        finally:
            connection.close()

    with ThreadPoolExecutor(len(jobs)) as pool:
        running = [pool.submit(run, place, job) for place, job in enumerate(jobs)]
        try:
            for number in range(ROUNDS):
                prepare(number)
                start.wait(60)
                end.wait(60)
        except BaseException:
            start.abort()
            end.abort()
            raise
        finally:
            for one in running:
                one.result()
    return [tuple(found) for found in outcomes]


def clean(desk: Desk) -> None:
    """Nothing is over-issued or pledged twice, and the events alone rebuild what is there."""
    assert audit(now_us=desk.now_us).broken == []


def test_two_issuers_at_the_last_unit_of_headroom():
    desk = Desk(units=1)
    assurance = Assurance.objects.filter(pk=desk.assurance.pk)

    def one_more(number: int) -> None:
        SupplyDesk.refresh_attested(desk, number + 1)

    outcomes = race(lambda _: desk.issue(1).status, lambda _: desk.issue(1, holder="other").status, prepare=one_more)
    counts = Counter(outcome for found in outcomes for outcome in found)
    assert counts == {"active": ROUNDS, ("capacity_exhausted",): ROUNDS}
    assert all("active" in found for found in outcomes)  # so it was one of the two, each time
    assert assurance.get().issued_units == Right.objects.aggregate(units=Sum("max_units"))["units"] == ROUNDS
    clean(desk)


def test_the_database_alone_stops_two_at_the_last_unit():
    """Without the service's look: both add to the count as they found it, and the trigger lets one through."""
    desk = Desk(units=1)
    add = "UPDATE rights_assurance SET issued_units = issued_units + 1 WHERE id = %s"

    def job(_: int) -> str:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(add, [desk.assurance.pk])
        except IntegrityError:
            return "refused"
        return "added"

    def again(_: int) -> None:
        Assurance.objects.update(issued_units=0)

    assert {tuple(sorted(found)) for found in race(job, job, prepare=again)} == {("added", "refused")}


def test_two_assurances_at_the_last_unit_of_posted_capacity():
    desk = SupplyDesk(Desk())

    def one_more(number: int) -> None:
        desk.post(number + 1)

    def pledge(tag: str) -> Job:
        return lambda number: desk.assure(1, reference=f"{tag}{number}").status

    outcomes = race(pledge("a"), pledge("b"), prepare=one_more)
    assert {tuple(sorted(map(str, found))) for found in outcomes} == {("('capacity_pledged',)", "sound")}
    assert desk.posted().pledged_units == desk.posted().units == ROUNDS
    clean(desk.desk)


def test_capacity_falls_while_a_right_is_issued():
    """Either the right comes first and the assurance is degraded, or the fall comes first and the right is refused."""
    desk = SupplyDesk(Desk())
    pledged = {"assurance": {"reference": "pledged"}}
    desk.post(10)
    assurance = desk.assure(10)

    def whole_again(number: int) -> None:
        issued = number * 10
        desk.post(issued + 10)
        desk.refresh(assurance, gross_units=issued + 10, sources=(desk.source(issued + 10),))
        missing = issued - Assurance.objects.get(pk=assurance.pk).issued_units
        if missing:
            desk.desk.issue(missing, **pledged)

    def fall(number: int) -> int:
        return desk.post(number * 10 + 5).units

    outcomes = race(lambda _: desk.desk.issue(10, **pledged).status, fall, prepare=whole_again)
    assert {issued for issued, _ in outcomes} <= {"active", ("capacity_exhausted",)}
    clean(desk.desk)


def test_a_refresh_and_a_fall_of_what_stands_behind_it():
    """Both lock the capacity first, so neither waits for the other in a circle; what is left is covered, whoever came first."""
    desk = SupplyDesk(Desk())
    other = desk.offer()
    desk.post(100)
    desk.post(100, capability=other)
    assurance = desk.assure(100)

    def refresh(number: int) -> str:
        sources = (desk.source(50), desk.source(50, other)) if number % 2 else (desk.source(100, other),)
        return desk.refresh(assurance, gross_units=100, sources=sources).status

    def whole_again(_: int) -> None:
        desk.post(100)
        desk.refresh(assurance, gross_units=100, sources=(desk.source(100),))

    outcomes = race(refresh, lambda _: desk.post(40).units, prepare=whole_again)
    refusals = {outcome for outcome, _ in outcomes if isinstance(outcome, tuple)}
    assert refusals <= {("capacity_pledged",), ("assurance_changed",)}
    clean(desk.desk)


def test_a_capability_retires_while_it_is_pledged():
    desk = SupplyDesk(Desk())
    capabilities = [desk.offer() for _ in range(ROUNDS)]
    for capability in capabilities:
        desk.post(10, capability=capability)

    def pledge(number: int) -> str:
        return desk.assure(10, reference=f"late-{number}", sources=(desk.source(10, capabilities[number]),)).status

    def retire(number: int) -> str:
        retire_capability(capability_id=str(capabilities[number].uuid), actor="test", now_us=desk.desk.now_us)
        return "retired"

    outcomes = race(pledge, retire)
    first = {outcome for outcome, _ in outcomes}
    assert first <= {"sound", ("source_retired", "capacity_pledged"), ("capacity_pledged",)}
    assert not Assurance.objects.filter(reference__startswith="late-", gross_units__gt=0).exists()
    clean(desk.desk)
