"""A write that loses a deadlock is begun again; one that waited for a lock as long as it may is not."""

from contextlib import suppress

import pytest
from django.db import IntegrityError, OperationalError
from psycopg import errors

from rights.kernel import rows
from rights.kernel.ids import Mint, bare
from rights.kernel.retry import ATTEMPTS, begun_again
from rights.models import Right
from settlement.domain.venue_proofs import venue_proofs
from settlement.services.receipt import NewReceipt, record_alone
from tests.registry_desk import NOW_US
from tests.seam import holding
from tests.unit.rights.domain.manifests import chat_day
from tests.using_desk import Using

pytestmark = pytest.mark.django_db(transaction=True)


def lock(right_id):
    rows.fetch_one("SELECT id FROM rights_right WHERE id = %s FOR NO KEY UPDATE", [right_id])


def close_ring(right_id):
    """Whoever has waited longer finds the ring and gives up: that is the other one, unless this comes a second late."""
    with suppress(OperationalError):
        lock(right_id)


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "one"}])
def test_a_merge_that_meets_another_in_a_ring_is_done_all_the_same(desk, caller, headers):
    holder = caller("holder")
    body = {"manifest": chat_day(resource={"amount": "1000"}), "holder": f"acc_{desk.accounts['holder'].uuid}"}
    root = caller("issuer").post("rights", body).json()["id"]
    first, second = sorted(holder.post(f"rights/{root}/split", {"units": "100"}).json()["child"]["id"] for _ in "ab")
    with holding(lambda: lock(bare("rgt", second)), then=lambda: close_ring(bare("rgt", first))):
        merged = holder.post(f"rights/{first}/merge", {"source_right_id": second}, **headers)
    assert (merged.status_code, merged.json()["remaining_amount"]) == (200, "200")
    assert Right.objects.get(pk=bare("rgt", second)).status == "finalized"


def failing(cause, error=OperationalError):
    calls = []

    def act():
        calls.append(NOW_US)
        raise error from cause

    return calls, act


@pytest.mark.parametrize(
    ("cause", "error", "times"),
    [
        (errors.DeadlockDetected(), OperationalError, ATTEMPTS),
        (errors.LockNotAvailable(), OperationalError, 1),
        (errors.UniqueViolation(), IntegrityError, 1),
    ],
)
def test_how_often_it_is_begun(cause, error, times):
    calls, act = failing(cause, error)
    with pytest.raises(error):
        begun_again(act)
    assert len(calls) == times


def test_what_was_done_outside_is_not_lost_to_a_lock_that_takes_long():
    calls, act = failing(errors.LockNotAvailable())
    with pytest.raises(OperationalError):
        begun_again(act, is_patient=True)
    assert len(calls) == ATTEMPTS


def lock_request(request):
    rows.fetch_one("SELECT 1 FROM settlement_request WHERE id = %s FOR NO KEY UPDATE", [request.pk])


def close_ring_of(request):
    with suppress(OperationalError):
        lock_request(request)


def test_a_receipt_that_meets_another_in_a_ring_is_recorded_all_the_same():
    desk = Using()
    right = desk.basic()
    request = desk.running((right, 1_000))
    told = desk.told(request, 400)
    proofs = venue_proofs(request_id=str(request.pk), told=told, envelope_hash=request.envelope_hash)
    new = NewReceipt(str(request.pk), told, tuple(proofs), None, '{"said": "so"}')
    with holding(lambda: lock(str(right.pk)), then=lambda: close_ring_of(request)):
        settlement = record_alone(new=new, mint=Mint(), actor="executor", now_us=desk.now_us)
    assert (settlement.state, settlement.outcome, settlement.units) == ("finalized", "full", 400)
