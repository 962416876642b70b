"""Requests that go in together leave what they leave one after the other: rows, events to the byte, balances, and what parties are told."""

import hashlib
import os
from collections import defaultdict

import msgspec
import pytest
from django.db import transaction

from exchange.feed.record import decode_private
from exchange.models import AccountMessage
from rights.kernel import rows
from rights.kernel.ids import Mint
from rights.services.venue import venue_account
from settlement.domain.work import Work
from settlement.selectors.payers import ESCROW
from settlement.services.enter import enter_requests
from settlement.services.request_refusal import EnvelopeRefused, RequestRefused
from settlement.services.submit import Ask, Submitted, submit_alone, submit_requests
from tests.redeem_desk import BODY, RedeemDesk

# In which order they are read, and what the database numbers by itself.
TABLES = {
    "settlement_request": ("id", ""),
    "settlement_requestpayload": ("request_id", ""),
    "settlement_route": ("id", ""),
    "settlement_posting": ("entry_id, leg", "id"),
    "settlement_balance": ("account_id, asset_id", ""),
    "rights_unitlock": ("ref", "id"),
    "rights_right": ("id", ""),
    "rights_stream": ("id", ""),
    "rights_event": ("stream_id, seq", ""),
}


def same_each_time(desk, monkeypatch):
    """Ids and salts are what they were the last time, and what is made on first use is there."""
    monkeypatch.setattr(os, "urandom", bytes)
    venue_account(code=ESCROW, now_us=desk.now_us)
    return desk


@pytest.fixture
def desk(db, monkeypatch):
    return same_each_time(RedeemDesk(), monkeypatch)


def limited(desk, **terms):
    """A right with these terms, which boreal's capacity stands behind."""
    patch = {"assurance": {"reference": "limited"}, **terms}
    desk.suppliers["boreal"].assure(10**7, patch=patch, reference="limited")
    return desk.issue(10**6, **patch)


def asks_of(desk, *wanted):
    """(right, units, what else) of each, by the holder unless it says `by`."""
    mint, asks = Mint(), []
    for right, units, said in wanted:
        account = desk.accounts[said.pop("by", "holder")]
        plain = {"payload": BODY, "actor": f"key:{len(asks) % 2}", "choose": said.pop("choose", True)}
        asks.append(
            Ask(
                desk.envelope(right, **{"expected_units": units, **said}),
                account.pk,
                str(account.uuid),
                request_id=mint.uuid(desk.now_us),
                **plain,
            )
        )
    return asks


def outcome_of(made):
    if isinstance(made, Submitted):
        return made.request.state, [route.state for _, route in made.made]
    if made is None or isinstance(made, Work):
        return "executing" if made else "waits", made
    if isinstance(made, RequestRefused):
        return "refused", made.is_retryable, [(one.right_id, one.supplier, one.reason) for one in made.refusals]
    return "malformed", list(made.faults)


def dump():
    found = {
        table: [row[0] for row in rows.fetch_all(f"SELECT to_jsonb(t) - '{{{drawn}}}'::text[] FROM {table} t ORDER BY {order}")]
        for table, (order, drawn) in TABLES.items()
    }
    told, cash = defaultdict(list), {}
    for message in AccountMessage.objects.order_by("account_id", "seq"):
        record = decode_private(bytes(message.body))
        told[message.account_id] += msgspec.to_builtins(record.requests)
        cash[message.account_id] = msgspec.to_builtins(record.balances) or cash.get(message.account_id)
    return found | {"told": dict(told), "cash": cash}


def tried(act):
    """What `act` answers and leaves, which is taken back."""
    with transaction.atomic():
        found = [outcome_of(made) for made in act()], dump()
        transaction.set_rollback(True)
    return found


def alone(ask, mint, now_us):
    try:
        return submit_alone(ask=ask, mint=mint, now_us=now_us)
    except (EnvelopeRefused, RequestRefused) as refused:
        return refused


def both(desk, *wanted):
    """The outcomes, which are the same together and one after the other, and so is what is left behind."""
    asks, mints = asks_of(desk, *wanted), [Mint(), Mint()]
    singly = tried(lambda: [alone(ask, mints[0], desk.now_us) for ask in asks])
    together = tried(lambda: submit_requests(asks=asks, mint=mints[1], now_us=desk.now_us))
    assert together[0] == singly[0]
    assert together[1] == singly[1]
    return [outcome[0] if outcome[0] != "refused" else {reason.code for *_, reason in outcome[2]} for outcome in together[0]]


def test_good_ones_of_several_accounts_with_bad_ones_between(desk):
    theirs = desk.desk.issue(10**6, holder="other", assurance={"reference": "pledged"})
    wrong = {"payload_hash": hashlib.sha256(b"another").hexdigest()}
    assert both(
        desk,
        (desk.right, 1000, {}),
        (theirs, 500, {"by": "other"}),
        (desk.right, 1000, wrong),
        (theirs, 10, {}),
        (desk.right, 2000, {"choose": False}),
        (desk.right, 10**9, {}),
        (theirs, 700, {"by": "other"}),
        (desk.right, 3000, {}),
    ) == [
        "matched",
        "matched",
        "malformed",
        {"right_not_held"},
        "validated",
        {"units_short"},
        "matched",
        "matched",
    ]


def test_the_last_free_units(desk):
    right = desk.issue(1500)
    assert both(desk, (right, 1000, {}), (right, 1000, {}), (right, 500, {})) == ["matched", {"units_short"}, "matched"]


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"max_concurrent": 1}, "max_concurrent"),
        ({"rate_limit_per_minute": 1}, "rate_per_minute"),
        ({"max_burst": "1500"}, "units_short"),
    ],
)
def test_the_last_place(desk, limits, code):
    right = limited(desk, limits=limits)
    assert both(desk, (right, 1000, {}), (right, 1000, {}), (desk.right, 1000, {})) == ["matched", {code}, "matched"]


def test_what_may_wait(desk):
    right = limited(desk, limits={"max_concurrent": 1}, fallback_policy={"allow_fallback": True, "defer_within_window": True})
    impatient = {"fallbacks": frozenset()}
    assert both(desk, (right, 10, {}), (right, 10, {}), (right, 10, impatient)) == ["matched", "deferred", {"max_concurrent"}]


def test_the_issuers_last_cash(db, monkeypatch):
    desk = same_each_time(RedeemDesk(cash="0.00015"), monkeypatch)  # fifteen units' worth
    second = desk.issue(10**6)
    assert both(desk, (desk.right, 10, {}), (second, 10, {}), (second, 5, {})) == ["matched", {"issuer_cash"}, "matched"]


def test_the_suppliers_last_capacity(desk):
    desk.suppliers["boreal"].post(1500, end_us=desk.now_us + 1_000_000)
    outcomes = both(desk, (desk.right, 1000, {}), (desk.right, 1000, {}), (desk.right, 500, {}))
    assert outcomes == ["matched", {"no_single_supplier"}, "matched"]


def test_what_is_begun_in_the_same_transaction(desk):
    """For a caller who waits and has the payload in hand: one is put off, one is malformed, one takes the right's last place."""
    patient = {"allow_fallback": True, "defer_within_window": True}
    right = limited(desk, limits={"max_concurrent": 1}, fallback_policy=patient)
    wrong = {"expected_units": 0}
    wanted = (right, 10, {}), (desk.right, 1000, {}), (right, 10, {}), (right, 10, {"fallbacks": frozenset()}), (desk.right, 10, wrong)
    asks = [msgspec.structs.replace(ask, payload=None) for ask in asks_of(desk, *wanted)]
    payloads, mints = dict.fromkeys((ask.request_id for ask in asks), BODY), [Mint(), Mint()]

    def enter(asks, mint):
        with transaction.atomic():
            return enter_requests(asks=asks, payloads=payloads, mint=mint, now_us=desk.now_us)

    singly = tried(lambda: [enter([ask], mints[0])[0] for ask in asks])
    together = tried(lambda: enter(asks, mints[1]))
    assert together == singly
    assert [outcome[0] for outcome in together[0]] == ["executing", "executing", "waits", "refused", "malformed"]
    assert together[0][1][1].legs[0].units == 1000
