"""Receipts that are recorded together come out as if each had been recorded by itself, one after the other."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import orjson
import pytest
from django.db import connection, transaction
from msgspec import structs

from exchange.feed.record import decode_private
from exchange.models import AccountFeed, AccountMessage
from rights.kernel.ids import Mint, numbered
from rights.models import Event
from settlement.domain.receipt_body import LegTold, Told, told_in
from settlement.domain.request_states import BUDGETS
from settlement.domain.venue_proofs import venue_proofs
from settlement.models import Balance, Request, RequestPayload, Settlement
from settlement.services import receipt
from settlement.services.ledger import LedgerRefusal
from settlement.services.proof_rows import ReceiptConflict, ReceiptRefused
from settlement.services.receipt import NewReceipt, record_receipt, record_receipts
from tests.integration.settling.use_history import TERMS, WINDOW_S, UseHistory
from tests.registry_desk import MINT
from tests.using_desk import WHO, Using

pytestmark = pytest.mark.django_db
# By table, what chance or a counter says: the rest comes out alike.
TABLES = {
    "settlement_request": (),
    "settlement_route": (),
    "settlement_requestpayload": (),
    "settlement_receipt": (),
    "settlement_proof": ("id",),
    "settlement_settlement": (),
    "settlement_posting": (),
    "settlement_balance": (),
    "settlement_outcometally": ("id",),
    "rights_right": (),
    "rights_unitlock": ("id",),
    "rights_event": ("hash",),
    "rights_stream": ("last_hash",),
    "exchange_accountfeed": ("seq", "balances_seq"),
}
PLAIN = tuple(terms for terms in TERMS if terms["settlement"]["refund_policy"] != "credit-reissue")


class Counting(Mint):
    """The same ids each time."""

    def uuid(self, now_us: int) -> str:
        self._count += 1
        return numbered(now_us, 99, self._count)


def rows_of(table: str, without: Sequence[str]) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT (to_jsonb(t) - %s::text[])::text FROM {table} t ORDER BY 1", [list(without)])
        return [text for (text,) in cursor.fetchall()]


def events_told(first: int) -> dict[int, tuple[list[Any], list[Any], list[Any]]]:
    """By account, what its feed has said since: about requests, about settlements, and the last about cash."""
    told: dict[int, tuple[list[Any], list[Any], list[Any]]] = {}
    for account, body in AccountMessage.objects.filter(pk__gt=first).order_by("account_id", "seq").values_list("account_id", "body"):
        record, mine = decode_private(bytes(body)), told.setdefault(account, ([], [], []))
        mine[0].extend(record.requests)
        mine[1].extend(record.settlements)
        if record.balances:
            mine[2][:] = record.balances
    return told


def outcome_of(act: Callable[[Mint], list[Settlement | Exception]]) -> dict[str, Any]:
    """All that the act leaves behind, and takes back again."""
    first = AccountMessage.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    with transaction.atomic():
        answers = act(Counting())
        found: dict[str, Any] = {table: rows_of(table, without) for table, without in TABLES.items() if table != "rights_event"}
        for event in Event.objects.order_by("stream_id", "seq"):
            body = event.body if isinstance(event.body, str) else bytes(event.body).decode()
            found.setdefault("rights_event", []).append((event.pk, event.type, event.object_id, *_said(body)))
        found["told"] = events_told(first)
        found["answers"] = [
            repr(answer) if isinstance(answer, Exception) else (answer.pk, answer.state, answer.units) for answer in answers
        ]
        transaction.set_rollback(True)
    return found


def _said(body: str) -> list[Any]:
    return sorted((key, value) for key, value in orjson.loads(body).items() if key not in {"salt", "prev_hash"})


def singly(receipts: Sequence[NewReceipt], desk: Using) -> Callable[[Mint], list[Settlement | Exception]]:
    def act(mint: Mint) -> list[Settlement | Exception]:
        found: list[Settlement | Exception] = []
        for new in receipts:
            try:
                found.append(record_receipt(**structs.asdict(new), mint=mint, now_us=desk.now_us, **WHO))
            except ReceiptRefused as refused:
                found.append(refused)
        return found

    return act


def together(receipts: Sequence[NewReceipt], desk: Using) -> Callable[[Mint], list[Settlement | Exception]]:
    return lambda mint: record_receipts(receipts=receipts, mint=mint, now_us=desk.now_us, **WHO)


def told_of(desk: Using, request: Request, *units: int, **said: Any) -> NewReceipt:
    told = desk.told(request, *units, **said)
    return NewReceipt(str(request.pk), told, venue_proofs(request_id=str(request.pk), told=told, envelope_hash=request.envelope_hash))


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The requests whose receipts were recorded by themselves."""
    found: list[str] = []
    really = receipt.record_alone

    def by_itself(*, new: NewReceipt, **more: Any) -> Settlement:
        found.append(new.request_id)
        return really(new=new, **more)

    monkeypatch.setattr(receipt, "record_alone", by_itself)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_together_is_as_one_after_the_other(seed: int, alone: list[str]) -> None:
    """Requests of few rights, under any budget, that end in every way, with proofs that are missing and receipts that are refused."""
    desk = Using()
    history = UseHistory(desk, seed)
    chance: random.Random = history.chance
    desk.record(desk.running((desk.basic(100, **PLAIN[0]), 10)), desk.told(Request.objects.get(), 10))  # the venue's accounts are there
    history.rights = [desk.basic(chance.choice((40, 2_000)), **terms) for terms in PLAIN]
    receipts = []
    for _ in range(9):
        rights = [right for right in history.rights if desk.units(right)[0] - desk.units(right)[1] >= 10]
        parts = [(right, 10) for right in chance.sample(rights, chance.randrange(1, 3))]
        request = desk.running(*parts, budget=chance.choice(BUDGETS))
        told = history._told(request)
        proofs = venue_proofs(request_id=str(request.pk), told=told, envelope_hash=request.envelope_hash)
        kept = [proof for proof in proofs if chance.random() < 0.95]
        receipts.append(NewReceipt(str(request.pk), told, kept, output=chance.choice((None, f"an answer\t{seed}\\ of {request.pk}"))))
    stranger = LegTold(route_id=MINT.uuid(desk.now_us), delivered_units=1, billable_units=1, latency_us=1)
    receipts[4] = structs.replace(receipts[4], told=structs.replace(receipts[4].told, legs=(stranger,)))
    one, other = outcome_of(singly(receipts, desk)), outcome_of(together(receipts, desk))
    assert alone == []
    assert "ReceiptRefused" in one["answers"][4]
    for name, found in one.items():
        assert other[name] == found, name
    together(receipts, desk)(MINT)
    desk.sound()


def test_the_last_of_a_right_is_used_once_it_can_not_come_back(alone: list[str]) -> None:
    """Two that use it up; and two of which the first may yet be challenged."""
    desk = Using()
    at_once, with_window = desk.basic(20), desk.basic(20, settlement={"dispute_window_seconds": WINDOW_S})
    many = [desk.running((right, 10)) for right in (at_once, at_once, with_window, with_window)]
    receipts = [told_of(desk, request, 10) for request in many]
    found = record_receipts(receipts=receipts, mint=MINT, now_us=desk.now_us, **WHO)
    assert [one.state for one in found] == ["finalized", "finalized", "pending_dispute_window", "pending_dispute_window"]
    assert (desk.units(at_once), desk.units(with_window)) == ((0, 0, "fully_consumed"), (0, 0, "active"))
    assert alone == []
    holder = AccountFeed.objects.get(account=desk.accounts["holder"])
    last = decode_private(bytes(AccountMessage.objects.get(account=desk.accounts["holder"], seq=holder.seq).body))
    assert (len(last.requests), len(last.settlements)) == (10, 8)
    desk.sound()


def test_what_is_not_plain_or_known_already_goes_by_itself(alone: list[str]) -> None:
    desk = Using()
    plain, granting = desk.basic(1_000), desk.basic(1_000, **TERMS[4])
    one, other, known, compensated = [desk.running((right, 10)) for right in (plain, plain, plain, granting)]
    before = desk.record(known, desk.told(known, 10))
    receipts = [
        told_of(desk, one, 10),
        told_of(desk, compensated, 10, status="fallback_completed", fallbacks=("substitute_providers",), quality_loss_bps=1_000),
        told_of(desk, one, 9),
        NewReceipt(str(known.pk), told_in_receipt(before), ()),
        told_of(desk, other, 10),
        structs.replace(told_of(desk, one, 10), request_id=MINT.uuid(desk.now_us)),
    ]
    found = record_receipts(receipts=receipts, mint=MINT, now_us=desk.now_us, **WHO)
    assert alone == [receipts[place].request_id for place in (1, 2, 3, 5)]
    assert [one.outcome for one in (found[0], found[1], found[4])] == ["full", "fallback", "full"]
    assert (type(found[2]), found[3].pk, found[5].code) == (ReceiptConflict, before.pk, "request_missing")
    desk.sound()


def told_in_receipt(settlement: Settlement) -> Told:
    return told_in(orjson.loads(settlement.receipt.body))


def test_what_the_ledger_refuses_takes_nobody_with_it(alone: list[str]) -> None:
    desk = Using()
    good, bad = desk.basic(1_000), desk.basic(1_000)
    requests = [desk.running((right, 10)) for right in (good, bad, good)]
    receipts = [structs.replace(told_of(desk, request, 10), output="an answer") for request in requests]
    held = Balance.objects.filter(asset__root_right=bad.root_id, account=desk.accounts["holder"])
    held.update(held=5)
    found = record_receipts(receipts=receipts, mint=MINT, now_us=desk.now_us, **WHO)
    assert alone == [one.request_id for one in receipts]
    assert [type(one) for one in found] == [Settlement, LedgerRefusal, Settlement]
    assert RequestPayload.objects.filter(output="an answer").count() == 2
    held.update(held=10)
    (again,) = record_receipts(receipts=receipts[1:2], mint=MINT, now_us=desk.now_us, **WHO)
    assert again.outcome == "full"
    desk.sound()
