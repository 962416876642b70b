"""Every code of the transfer gate is refused at each of its four doors (SPEC §4), in words that end with what would lift it.

The table is held against the gate's own: a code without its four cases fails. Where a code can't come up at a door, the case says
why, and its proof tries what would bring it about.
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from django.db import IntegrityError, connection, transaction

from exchange.api.error_table import TABLE
from exchange.api.order_entry import preview
from exchange.domain.command import Phase, Reason
from exchange.models import Command, Order
from exchange.services import expiry, freeze
from exchange.services.funding import fund
from exchange.services.lane import LaneMemory
from exchange.services.participants import NewAccount, open_participant, suspend
from rights.domain import gates
from rights.domain.amendment import Amendment
from rights.domain.gate_rules import RIGHT_RULES, TAKER_RULES
from rights.domain.gates import CODES, LIFTED_BY, HolderFacts, RightFacts, Verdict
from rights.domain.lifecycle import RightStatus, may_become
from rights.kernel.clock import to_us
from rights.kernel.ids import public
from rights.models import Consent, Participant, Right
from rights.services import attestations, consents
from rights.services import freeze as registry_freeze
from rights.services.amend import Change, amend_right
from rights.services.locks import Lock
from rights.services.refusals import LifecycleRefusedError
from rights.services.split import merge_rights, split_right
from settlement.services import issuance
from settlement.services.consume import consume_right
from settlement.services.transfer import Part, transfer_units
from settlement.services.unit_locks import lock_units
from tests.gate_doors import DOORS, LOT, TAKER, Scene
from tests.honest_market import HonestMarket
from tests.registry_desk import DAY_US, MINT, START_US
from tests.shared_market import hold_for_ever, market
from tests.unit.rights.domain.manifests import chat_day

__all__ = ["market"]  # the fixture: each test's changes end with it
pytestmark = pytest.mark.django_db
END_US = START_US + DAY_US
HOUR_US = 3_600_000_000


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


def at(scene: Scene, now_us: int) -> None:
    scene.market.now_us = now_us


def frozen(scene: Scene) -> None:
    registry_freeze.freeze_right(right_id=scene.right_id, freeze_reason="compliance", note="a look", **scene.told)


def used_up(scene: Scene) -> None:
    at(scene, START_US)
    consume_right(right_id=scene.right_id, units=2 * LOT, ref="work", mint=MINT, **scene.told)


def finalized(scene: Scene) -> None:
    issuance.finalize_right(right_id=scene.right_id, ref="", reason="over", mint=MINT, **scene.told)


def burned(scene: Scene) -> None:
    issuance.burn_right(right_id=scene.right_id, reason="over", mint=MINT, **scene.told)


def expired(scene: Scene) -> None:
    at(scene, END_US)
    issuance.expire_right(right_id=scene.right_id, mint=MINT, **scene.told)


def locked(scene: Scene) -> None:
    lock_units(locks=[Lock(scene.right_id, "dispute", "dsp_1", 2 * LOT)], holder_id=scene.accounts["holder"].pk, now_us=scene.market.now_us)


def suspended(slug: str) -> Callable[[Scene], None]:
    def act(scene: Scene) -> None:
        participant = Participant.objects.get(pk=scene.accounts[slug].participant_id)  # a fresh one: the test's changes end with it
        suspend(participant=participant, reason="a look", **scene.told)

    return act


def attested(scene: Scene, kind: str, value: str = "") -> str:
    fact = attestations.Fact(kind, "file 7", value)
    row = attestations.attest(account=scene.accounts[TAKER], fact=fact, attestation_id=MINT.uuid(scene.market.now_us), **scene.told)
    return str(row.uuid)


def permitted(scene: Scene, kind: str = "consent") -> Consent:
    return consents.grant_standing(
        issuer=scene.market.desk.issuer,
        kind=kind,
        coverage=consents.Coverage(root_id=scene.right_id),
        taker=scene.accounts[TAKER],
        expires_us=None,
        note="",
        consent_id=MINT.uuid(scene.market.now_us),
        **scene.told,
    )


class Shut(msgspec.Struct):
    """A right under `policy`; then `act`, and the door refuses. `policy` may need to know who is there."""

    policy: dict[str, Any] | Callable[[HonestMarket], dict[str, Any]] = {}
    act: Callable[[Scene], None] = lambda _: None
    activate: bool = True
    giver: str = "holder"

    def scene(self, market: HonestMarket) -> Scene:
        policy = self.policy if isinstance(self.policy, dict) else self.policy(market)
        return Scene(market, activate=self.activate, giver=self.giver, **policy)


class Never(msgspec.Struct):
    """It can't come up at this door: why, and what shows it."""

    why: str
    proof: Callable[[HonestMarket], None]


class Pulled(msgspec.Struct):
    """An ask that was taken rests; then `act`, and matching takes the order out of the book for `reason`, without a trade."""

    reason: Reason
    act: Callable[[Scene], None]
    policy: dict[str, Any] = {}
    by_command: bool = True


class Passed(msgspec.Struct):
    """An ask that was taken rests, `other` might have it; then `act`, and his order goes without. The ask stays for others."""

    policy: dict[str, Any] | Callable[[HonestMarket], dict[str, Any]]
    before: Callable[[Scene], Any] = lambda _: None
    act: Callable[[Scene, Any], Any] = lambda _, __: None
    giver: str = "holder"


def refused_with(code: str, act: Callable[[], Any]) -> None:
    with pytest.raises(LifecycleRefusedError) as refused, transaction.atomic():
        act()
    assert code in [one.code for one in refused.value.refusals]


# What keeps a right behind an ask, or in a package, as it was when it came there.


def nothing_ends_it_while_it_is_reserved(scene: Scene) -> None:
    refused_with("units_reserved", lambda: finalized(scene))
    refused_with("units_reserved", lambda: expired(scene))
    at(scene, START_US)
    refused_with("units_unavailable", lambda: used_up(scene))
    with pytest.raises(LifecycleRefusedError) as refused, transaction.atomic():
        burned(scene)
    assert [one.code for one in refused.value.refusals] == ["units_reserved"]
    assert Right.objects.get(pk=scene.right_id).status == "active"


def behind_an_ask_it_does_not_end(market: HonestMarket) -> None:
    scene = Scene(market)
    scene.resting_ask(2)
    nothing_ends_it_while_it_is_reserved(scene)


def in_a_package_it_does_not_end(market: HonestMarket) -> None:
    scene = Scene(market)
    scene.compose(2 * LOT)
    nothing_ends_it_while_it_is_reserved(scene)


def terms_do_not_change_behind_an_ask(market: HonestMarket) -> None:
    scene = Scene(market)
    scene.resting_ask()
    document = chat_day(resource={"amount": str(2 * LOT)}, transfer_policy={"transferable": False})
    change = Change(Amendment.CORRECTION, document, "x")
    refused_with("right_not_held", lambda: amend_right(right_id=scene.right_id, change=change, **scene.told))
    own = Scene(market, giver="issuer")
    own.resting_ask()
    refused_with("units_reserved", lambda: amend_right(right_id=own.right_id, change=change, **own.told))
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE rights_terms SET transfer_policy = '{}' WHERE terms_hash = %s", [scene.right.terms_id])


def what_is_reserved_goes_nowhere_else(scene: Scene) -> None:
    told = scene.told
    holder = scene.accounts["holder"].pk
    assert "units_unavailable" in [verdict.code for verdict in scene.transfer()]
    refused_with("units_unavailable", lambda: locked(scene))
    refused_with(
        "units_unavailable", lambda: split_right(right_id=scene.right_id, units=LOT, child_id=MINT.uuid(0), holder_id=holder, **told)
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        Right.objects.filter(pk=scene.right_id).update(remaining_units=LOT)


def units_behind_an_ask_stay(market: HonestMarket) -> None:
    scene = Scene(market)
    scene.resting_ask(2)
    what_is_reserved_goes_nowhere_else(scene)


def units_in_a_package_stay(market: HonestMarket) -> None:
    scene = Scene(market)
    scene.compose(2 * LOT)
    what_is_reserved_goes_nowhere_else(scene)
    with pytest.raises(AssertionError):
        scene.resting_ask()


def nothing_becomes_issued_again(market: HonestMarket) -> None:
    """Only a thaw leads back to `issued`, of a right that was so before: its terms let it move then, and still do."""
    assert [status for status in RightStatus if may_become(status, RightStatus.ISSUED)] == [RightStatus.FROZEN]
    assert "right_not_active" in [verdict.code for verdict in Scene(market, activate=False).ask()]
    scene = Scene(market, activate=False, pre_activation_transfer=True)
    scene.resting_ask()
    terms_do_not_change_behind_an_ask(market)


def a_lock_up_only_ends(market: HonestMarket) -> None:
    until = market.now_us + HOUR_US
    policy = {"lockup_until": "2026-11-01T01:00:00Z"}
    facts = RightFacts("r", "active", "", 2, 0, END_US, 0, True)
    who = HolderFacts(1, "acc_1", "app", "US", "active")
    told = {"right": facts, "policy": policy, "units": 1, "giver": who, "taker": None}
    moments = [until - HOUR_US, until, until + HOUR_US, END_US - 1]
    shut = [bool(gates.transfer_refusals(now_us=moment, **told)) for moment in moments]
    assert shut == sorted(shut, reverse=True)  # once it is open it stays so
    terms_do_not_change_behind_an_ask(market)


def no_fresh_units_join_what_rests(market: HonestMarket) -> None:
    """Units that were got later are held since then; they don't join a right whose older units are on offer."""
    root = Scene(market, lots=10, min_hold_seconds=3600)
    at(root, market.now_us + HOUR_US)
    target, now_us = root.give(2 * LOT), market.now_us
    at(root, now_us + HOUR_US - 1_000_000)
    source = root.give(LOT)
    at(root, now_us + HOUR_US)
    order = market.place(TAKER, "sell", 1, 100, rights=[target])
    market.match()
    assert Order.objects.get(pk=order).is_open
    refused_with("units_reserved", lambda: merge_rights(source_id=source, target_id=target, **root.told))
    market.cancel(TAKER, order)
    market.match()
    merge_rights(source_id=source, target_id=target, **root.told)


def an_ask_names_no_taker(market: HonestMarket) -> None:
    """It is taken although nobody who is there might have it: each bidder is judged when he comes."""
    denied = [public("acc", str(market.accounts[slug].uuid)) for slug in (TAKER, "other", "third")]
    scene = Scene(
        market,
        eligible_holder_types=["app"],
        eligible_jurisdictions=["US"],
        denied_holders=denied,
        required_attestations=["kyc"],
        max_holders=1,
    )
    suspended(TAKER)(scene)
    scene.resting_ask()
    takers = {code for code, _, _ in TAKER_RULES} - {"consent_missing", "acknowledgment_missing"}
    assert takers.isdisjoint(code for code, _, _ in RIGHT_RULES)


NO_TAKER = Never("an ask names no taker; every bidder is judged at the match", an_ask_names_no_taker)
RESERVED = Never("what is behind an ask is reserved, and no act ends a right that is", behind_an_ask_it_does_not_end)
PACKED = Never("what is in a package is locked, and no act ends a right that is", in_a_package_it_does_not_end)
SAME_TERMS = Never("the ask was taken under the same terms; they don't change while units are reserved", terms_do_not_change_behind_an_ask)


def revoked(scene: Scene, permit: Consent) -> None:
    consents.revoke_consent(consent_id=str(permit.uuid), note="no more", **scene.told)


def unattested(scene: Scene, attestation: str) -> None:
    attestations.revoke_attestation(attestation_id=attestation, note="no more", **scene.told)


def denies_other(market: HonestMarket) -> dict[str, Any]:
    return {"denied_holders": [public("acc", str(market.accounts[TAKER].uuid))]}


# Code → what shuts it at the ask, at a transfer and at a delivery out of a package, where nothing else is said below.
WAYS: dict[str, Shut] = {
    "right_not_active": Shut(activate=False),
    "right_frozen": Shut(act=frozen),
    "right_expired": Shut(act=lambda scene: at(scene, END_US)),
    "right_fully_consumed": Shut(act=used_up),
    "right_finalized": Shut(act=finalized),
    "right_burned": Shut({"pre_activation_transfer": True}, burned, activate=False),
    "not_transferable": Shut({"transferable": False}),
    "units_unavailable": Shut(act=locked),
    "not_splittable": Shut({"splittable": False}),
    "below_min_transfer": Shut({"min_transfer_units": str(2 * LOT)}),
    "locked_up": Shut({"lockup_until": "2026-12-01T12:00:00Z"}),
    "hold_period": Shut({"min_hold_seconds": 86_400}),
    "transfer_cutoff": Shut({"transfer_cutoff_seconds": 7200}, lambda scene: at(scene, END_US - 2 * HOUR_US)),
    "venue_not_allowed": Shut({"venue_deny": ["synthference"]}),
    "giver_suspended": Shut(act=suspended("holder")),
    "taker_suspended": Shut(act=suspended(TAKER)),
    "holder_type_not_eligible": Shut({"eligible_holder_types": ["app"]}),
    "jurisdiction_not_eligible": Shut({"eligible_jurisdictions": ["US"]}),
    "holder_denied": Shut(denies_other),
    "attestation_missing": Shut({"required_attestations": ["kyc"]}),
    "max_holders": Shut({"max_holders": 1}),
    "max_units_per_holder": Shut({"max_units_per_holder": str(LOT - 1)}, giver="issuer"),
    "consent_missing": Shut({"requires_issuer_consent": True}),
    "acknowledgment_missing": Shut({"requires_registry_acknowledgment": True}),
}
AT_THE_ASK = dict.fromkeys([code for code, _, _ in TAKER_RULES if code not in ("consent_missing", "acknowledgment_missing")], NO_TAKER)
IN_A_PACKAGE = {
    "right_fully_consumed": PACKED,
    "right_finalized": PACKED,
    "right_burned": PACKED,
    "units_unavailable": Never("the package's own lock holds its units for this very move", units_in_a_package_stay),
}
AT_THE_FILL: dict[str, Pulled | Passed | Never] = {
    "right_not_active": Never("no right becomes issued that was not", nothing_becomes_issued_again),
    "right_frozen": Pulled(Reason.RIGHT_FROZEN, frozen),
    "right_expired": Pulled(
        Reason.RIGHT_EXPIRED, lambda scene: at(scene, END_US) or (expiry.expire_due(mint=MINT, now_us=scene.market.now_us) and None)
    ),
    "right_fully_consumed": RESERVED,
    "right_finalized": RESERVED,
    "right_burned": RESERVED,
    "not_transferable": SAME_TERMS,
    "units_unavailable": Never("the ask's own reservation holds its units", units_behind_an_ask_stay),
    "not_splittable": SAME_TERMS,
    "below_min_transfer": SAME_TERMS,
    "locked_up": Never("a lock-up ends, and none begins", a_lock_up_only_ends),
    "hold_period": Never("what rests has been held long enough, and nothing fresh joins it", no_fresh_units_join_what_rests),
    "transfer_cutoff": Pulled(
        Reason.TRANSFER_CUTOFF, lambda scene: at(scene, END_US - 2 * HOUR_US), {"transfer_cutoff_seconds": 7200}, by_command=False
    ),
    "venue_not_allowed": SAME_TERMS,
    "giver_suspended": Pulled(Reason.HOLDER_SUSPENDED, suspended("holder")),
    "taker_suspended": Passed({"max_holders": 9}, act=lambda scene, _: suspended(TAKER)(scene)),
    "holder_type_not_eligible": Passed({"eligible_holder_types": ["app"]}),
    "jurisdiction_not_eligible": Passed(
        {"eligible_jurisdictions": ["US"]}, lambda scene: attested(scene, "jurisdiction", "US"), act=unattested
    ),
    "holder_denied": Passed(denies_other),
    "attestation_missing": Passed({"required_attestations": ["kyc"]}, lambda scene: attested(scene, "kyc"), act=unattested),
    "max_holders": Passed({"max_holders": 2}, act=lambda scene, _: scene.give(LOT // 2, "third")),
    "max_units_per_holder": Passed(
        {"max_units_per_holder": str(5 * LOT // 4)}, act=lambda scene, _: scene.give(LOT // 2, TAKER), giver="issuer"
    ),
    "consent_missing": Passed({"requires_issuer_consent": True}, permitted, act=revoked),
    "acknowledgment_missing": Passed(
        {"requires_registry_acknowledgment": True}, lambda scene: permitted(scene, "acknowledgment"), act=revoked
    ),
}


def case_of(code: str, door: str) -> Shut | Pulled | Passed | Never:
    special = {"ask": AT_THE_ASK, "fill": AT_THE_FILL, "transfer": {}, "package": IN_A_PACKAGE}[door]
    return special[code] if code in special else WAYS[code]


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
