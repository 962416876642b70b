"""What is done with a request takes its locks in the order of ARCHITECTURE.md: each test holds one lock elsewhere, and asks for another there
once the use of a right waits for the first. Whoever has the second already, out of order, closes a ring.
"""

from base64 import b64encode
from collections.abc import Callable

import pytest
from django.db import transaction

from exchange.feed.record import BalanceRecord
from exchange.services.messages import tell_balance
from rights.domain.package import PartFacts
from rights.domain.signing import Signer
from rights.kernel import rows
from rights.services.journal import lock_streams, stream_for
from rights.services.suppliers import Description, change_supplier
from settlement.domain.receipt_body import LegTold, NewProof, Told
from settlement.models import Settlement
from settlement.services import packages
from settlement.services.packages import REGISTRY, Composition
from settlement.services.pulse import beat
from settlement.services.receipt import NewReceipt, record_receipts
from settlement.services.supplier_receipt import Signed, take_receipt
from tests.registry_desk import MINT
from tests.seam import elsewhere, holding
from tests.using_desk import WHO, Using

pytestmark = pytest.mark.django_db(transaction=True)
SIGNER = Signer("33" * 32)
ESCROW = """
SELECT 1 FROM settlement_balance b JOIN rights_account a ON a.id = b.account_id WHERE a.code = 'venue:escrow' FOR NO KEY UPDATE OF b
"""
REQUEST = "SELECT 1 FROM settlement_request WHERE id = %s FOR NO KEY UPDATE"
TALLIES = "SELECT 1 FROM settlement_outcometally FOR NO KEY UPDATE"
PROOFS = (
    NewProof(type="usage-meter", reference="meter", content_hash="1" * 64, producer="boreal", units=400),
    NewProof(type="completion-record", reference="log", content_hash="2" * 64, producer="boreal"),
)


def feed_of(desk: Using) -> Callable[[], object]:
    """Tells the holder of a balance, which locks its feed."""
    told = {"account_id": desk.accounts["holder"].pk, "balance": BalanceRecord("USD", 6, 0, 0), "now_us": desk.now_us}
    return lambda: tell_balance(**told)


def test_what_becomes_of_a_package_is_remembered_behind_the_feeds() -> None:
    desk = Using()
    right = desk.basic(1_000)
    composition = Composition("slice", "a package", (PartFacts(str(right.pk), 600),), {}, {})
    told = {"holder": desk.accounts["holder"], "composition": composition, "package_id": MINT.uuid(desk.now_us), "now_us": desk.now_us}
    package = packages.create_package(**told, **WHO)
    with holding(feed_of(desk), then=lambda: lock_streams([stream_for(REGISTRY)])):
        request = desk.submit(units=500, package_id=str(package.uuid), candidates=())
    assert request.state == "matched"
    desk.sound()


def test_a_supplier_that_tells_what_it_did_locks_the_feeds_behind_the_balances() -> None:
    desk = Using()
    supplier = desk.suppliers["boreal"].supplier
    said = Description(supplier.name, supplier.region, b64encode(bytes.fromhex(SIGNER.public_key)).decode())
    supplier = change_supplier(supplier_id=str(supplier.uuid), said=said, now_us=desk.now_us, **WHO)
    request = desk.without_payload((desk.basic(), 1_000))
    leg = LegTold(route_id=str(request.routes.get(state="locked").pk), delivered_units=400, billable_units=400)
    told = Told(status="completed", started_us=desk.now_us, completed_us=desk.now_us, legs=(leg,))
    signed = Signed(str(request.pk), told, PROOFS, b"told", SIGNER.sign(b"told"))
    with holding(lambda: rows.fetch_all(ESCROW), then=feed_of(desk)):
        settlement = take_receipt(supplier=supplier, signed=signed, mint=MINT, now_us=desk.now_us, **WHO)
    assert (settlement.state, settlement.outcome, settlement.units) == ("finalized", "full", 400)
    desk.sound()


def test_what_came_of_it_is_counted_before_streams_are_locked() -> None:
    desk = Using()
    right = desk.basic()
    first, second = desk.running((right, 1_000)), desk.running((right, 1_000))
    desk.record(first, desk.told(first, 100))
    with holding(lambda: rows.fetch_all(TALLIES), then=lambda: lock_streams([second.stream_id])):
        settlement = desk.record(second, desk.told(second, 200))
    assert (settlement.state, settlement.units) == ("finalized", 200)
    desk.sound()


def test_several_requests_are_locked_by_their_ids() -> None:
    """By whoever records receipts of them, in whatever order they stand in the table; whoever shows that they live waits for none."""
    desk = Using()
    right = desk.basic()
    many = sorted((desk.running((right, 1_000)) for _ in range(2)), key=lambda request: str(request.pk))
    first, second = [str(request.pk) for request in many]
    beat(request_ids=[first], now_us=desk.now_us)  # its row stands behind the other's now
    with transaction.atomic():
        rows.fetch_all(REQUEST, [first])
        assert elsewhere(lambda: beat(request_ids=[second, first], now_us=desk.now_us)) == 1
    told = [NewReceipt(str(request.pk), desk.told(request, 100), PROOFS) for request in reversed(many)]
    with holding(lambda: rows.fetch_all(REQUEST, [first]), then=lambda: rows.fetch_all(REQUEST, [second])):
        found = record_receipts(receipts=told, mint=MINT, now_us=desk.now_us, **WHO)
    assert [type(one) for one in found] == [Settlement, Settlement]
    desk.sound()
