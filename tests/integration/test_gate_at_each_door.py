"""Every code of the transfer gate is refused at each of its four doors (SPEC §4), in words that end with what would lift it.

The table is held against the gate's own: a code without its four cases fails. Where a code can't come up at a door, the case says
why, and its proof tries what would bring it about.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction

from exchange.api.error_table import TABLE
from exchange.api.order_entry import preview
from exchange.domain.command import Phase, Reason
from exchange.models import Command, Order
from exchange.services import freeze
from exchange.services.funding import fund
from exchange.services.lane import LaneMemory
from exchange.services.participants import NewAccount, open_participant
from rights.domain.gates import CODES, LIFTED_BY, Verdict
from rights.kernel.clock import to_us
from rights.models import Right
from rights.services import attestations
from settlement.services.transfer import Part, transfer_units
from tests.gate_acts import frozen, permitted, revoked
from tests.gate_doors import DOORS, LOT, TAKER, Scene
from tests.gate_table import AT_THE_ASK, AT_THE_FILL, IN_A_PACKAGE, WAYS, Never, Passed, Pulled, case_of
from tests.honest_market import HonestMarket
from tests.registry_desk import MINT, START_US
from tests.shared_market import hold_for_ever, market

__all__ = ["market"]  # the fixture: each test's changes end with it
pytestmark = pytest.mark.django_db


def newcomer(made: HonestMarket) -> None:
    """Whom rights would go to: unlike those who hold them, an agent from elsewhere of whom nothing is attested."""
    account = NewAccount(TAKER, "agent", "DE")
    who = {"actor": "command:test", "now_us": made.now_us}
    made.accounts[TAKER] = open_participant(slug=TAKER, name=TAKER, account=account, mint=MINT, **who).accounts.get()
    made.keys[TAKER] = made._key(made.accounts[TAKER])
    fund(account=made.accounts[TAKER], amount="10000", currency="USD", reason="to trade", mint=MINT, **who)
    fact = attestations.Fact("kyc", "file 1")
    for slug in ("holder", "issuer"):
        attestations.attest(account=made.accounts[slug], fact=fact, attestation_id=MINT.uuid(made.now_us), **who)


@pytest.fixture(scope="module")
def made_market(django_db_setup: None, django_db_blocker: Any) -> Iterator[HonestMarket]:
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch:
        hold_for_ever(patch)
        outer = transaction.atomic()
        outer._from_testcase = True
        with outer:
            made = HonestMarket()
            newcomer(made)
            made.phase(Phase.CONTINUOUS)
            made.match()
            yield made
            transaction.set_rollback(True)
        connection.close()


@pytest.fixture(autouse=True)
def now(market: HonestMarket, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Doors look at the market's clock, which each test sets back."""
    before, market.lane = market.now_us, LaneMemory()
    monkeypatch.setattr(preview, "now_us", lambda: market.now_us)
    yield
    market.now_us = market.desk.now_us = before


def in_words(code: str, verdicts: list[Verdict]) -> None:
    """The code is among them, and each says what is in the way and what would lift it."""
    assert code in [verdict.code for verdict in verdicts]
    for verdict in verdicts:
        assert verdict.detail.endswith(f"; {LIFTED_BY[verdict.code]}")
        assert len(verdict.detail) > len(LIFTED_BY[verdict.code]) + 8
    assert TABLE[code].title
    assert TABLE[code].lifted_by == LIFTED_BY[code]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("code", CODES)
def test_it_is_refused(code: str, door: str, market: HonestMarket) -> None:
    case = case_of(code, door)
    if isinstance(case, Never):
        case.proof(market)
    elif isinstance(case, Pulled):
        pulled(case, market)
    elif isinstance(case, Passed):
        passed_over(code, case, market)
    else:
        scene = case.scene(market)
        if door == "package":
            package = scene.compose()
            case.act(scene)
            in_words(code, scene.deliver(package))
        else:
            case.act(scene)
            in_words(code, scene.ask() if door == "ask" else scene.transfer())


def pulled(case: Pulled, market: HonestMarket) -> None:
    scene = Scene(market, **case.policy)
    ask = scene.resting_ask()
    bid = market.place("other", "buy", 1, 90)
    market.match()
    case.act(scene)
    scene.bid("third")
    order = Order.objects.get(pk=ask)
    assert (order.is_open, Reason(order.reason)) == (False, case.reason)
    assert Command.objects.filter(order_id=ask, kind=2).exists() == case.by_command
    if market.now_us < START_US:
        assert Order.objects.get(pk=bid).is_open  # its counterparty is untouched


def passed_over(code: str, case: Passed, market: HonestMarket) -> None:
    policy = case.policy if isinstance(case.policy, dict) else case.policy(market)
    scene = Scene(market, giver=case.giver, **policy)
    before = case.before(scene)
    ask = scene.resting_ask()
    case.act(scene, before)
    assert scene.bid() in (Reason.GATE_REFUSED, Reason.HOLDER_SUSPENDED)
    assert Order.objects.get(pk=ask).is_open
    in_words(code, scene.shown(TAKER, "buy", 1))


def test_the_table_is_the_gates() -> None:
    assert set(WAYS) == set(AT_THE_FILL) == set(LIFTED_BY) == set(CODES)
    assert set(AT_THE_ASK) | set(IN_A_PACKAGE) <= set(CODES)


EVERYTHING = {
    "splittable": False,
    "lockup_until": "2026-12-01T12:00:00Z",
    "min_hold_seconds": 86_400,
    "min_transfer_units": str(2 * LOT),
    "requires_issuer_consent": True,
    "requires_registry_acknowledgment": True,
    "venue_deny": ["synthference"],
}
OF_THE_RIGHT = ["not_splittable", "below_min_transfer", "locked_up", "hold_period", "venue_not_allowed"]
OF_THE_TAKER = ["holder_type_not_eligible", "jurisdiction_not_eligible", "attestation_missing", "max_holders", "max_units_per_holder"]
OF_OTHERS = {
    "eligible_holder_types": ["app"],
    "eligible_jurisdictions": ["US"],
    "required_attestations": ["kyc"],
    "max_holders": 1,
    "max_units_per_holder": str(LOT - 1),
}
PERMITS = ["consent_missing", "acknowledgment_missing"]


def test_all_reasons_at_once_at_the_ask(market: HonestMarket) -> None:
    scene = Scene(market, **EVERYTHING)
    frozen(scene)
    assert [verdict.code for verdict in scene.ask()] == ["right_frozen", *OF_THE_RIGHT, *PERMITS]


def test_all_reasons_at_once_at_the_fill(market: HonestMarket) -> None:
    scene = Scene(market, giver="issuer", **OF_OTHERS, requires_issuer_consent=True)
    permit = permitted(scene)
    ask = scene.resting_ask()
    revoked(scene, permit)
    assert scene.bid() == Reason.GATE_REFUSED
    assert Order.objects.get(pk=ask).is_open
    assert [verdict.code for verdict in scene.shown(TAKER, "buy", 1)] == [*OF_THE_TAKER, "consent_missing"]


@pytest.mark.parametrize("door", ["transfer", "package"])
def test_all_reasons_at_once_where_the_taker_is_known(door: str, market: HonestMarket) -> None:
    scene = Scene(market, giver="issuer", **EVERYTHING, **OF_OTHERS)
    package = scene.compose() if door == "package" else None
    freeze.freeze_right(right_id=scene.right_id, freeze_reason="dispute", reason="a look", **scene.told)
    verdicts = scene.transfer() if package is None else scene.deliver(package)
    assert [verdict.code for verdict in verdicts] == ["right_frozen", *OF_THE_RIGHT, *OF_THE_TAKER, *PERMITS]


def test_a_move_that_no_rule_refuses_happens(market: HonestMarket) -> None:
    """So that the doors above are shut by what was done, not by the scene."""
    scene = Scene(market)
    scene.resting_ask()
    assert scene.shown(TAKER, "buy", 1) == []
    transfer_units(
        parts=[Part(scene.right_id, LOT)], giver=scene.accounts[scene.giver], taker=scene.accounts[TAKER], mint=MINT, **scene.told
    )
    assert to_us(Right.objects.get(parent=scene.right_id).acquired_at) == market.now_us
