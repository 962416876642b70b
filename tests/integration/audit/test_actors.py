"""Z1 judges by the registry's memory: who was what at that time, whatever the tables say today."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, User

from exchange.audit import actors
from exchange.audit.run import Report, audit
from exchange.domain.command import Reason
from exchange.models import ApiKey, Membership
from exchange.models.book import CommandKind
from exchange.services import freeze, intake, members, participants, payload, phases, proposals
from exchange.services.funding import fund, withdraw
from exchange.services.identity import SUSPENDED_SCOPES
from exchange.services.members import Standing
from exchange.services.operator_refusal import OperatorRefusal
from exchange.services.proposal_kinds import DEPOSIT, UNFREEZE, cash_payload, unfreeze_payload
from exchange.services.reassign import reassign_right
from rights.domain.staff import AUDITORS, OPERATORS
from rights.kernel.clock import to_datetime
from rights.models import Participant
from rights.services.roles import grant_role, revoke_role
from rights.services.row import Seen
from rights.services.venue import venue_participant
from settlement.services.issuance import finalize_right
from tests.honest_market import HonestMarket, tamper
from tests.registry_desk import MINT

MINUTE_US = 60_000_000
TRADER = ("read", "trade", "cancel")


def later(market: HonestMarket) -> dict[str, Any]:
    market.now_us += MINUTE_US
    return {"now_us": market.now_us}


def add(market: HonestMarket, name: str, *, owner: str = "", scopes: tuple[str, ...] = ("read",), groups: tuple[str, ...] = ()) -> User:
    participant = market.accounts[owner].participant if owner else venue_participant()
    member = participants.NewMember(name, "a long password", scopes, staff=bool(groups), groups=groups)
    return participants.add_member(participant=participant, member=member, actor="command:test", **later(market))


def give(market: HonestMarket, user: User, standing: Standing) -> None:
    row = Membership.objects.get(user=user)
    members.change_member(membership=row, standing=standing, reason="test", actor="command:test", as_root=True, **later(market))


def halt(market: HonestMarket, actor: str) -> None:
    phases.halt(book_id=market.book_id, reason="test", actor=actor, **later(market))
    market.match()


def order(market: HonestMarket, slug: str, actor: str, kind: CommandKind = CommandKind.PLACE, target: str | None = None) -> str:
    """A command that intake would have taken from `actor`."""
    moment = later(market)["now_us"]
    place = kind is CommandKind.PLACE
    body = payload.PlacePayload(side=0, type=0, quantity_lots=1, price_ticks=10) if place else payload.CancelPayload()
    order_id = MINT.uuid(moment) if place else target
    command = intake.NewCommand(market.book_id, market.accounts[slug].pk, int(kind), payload.encode(body), actor, order_id)
    intake.submit(commands=[command], now_us=moment)
    market.match()
    return str(order_id)


def found(market: HonestMarket) -> tuple[list[str], Report]:
    report = audit(now_us=market.now_us)
    return sorted(broken.check for broken in report.broken), report


def accused(market: HonestMarket) -> list[str]:
    names, report = found(market)
    assert set(names) <= {"actor_allowed", "acts_in_role"}, report.broken
    return [row["actor"] for broken in report.broken if broken.check == "actor_allowed" for row in broken.rows]


@pytest.mark.django_db  # has the test database made; `market` works in it by itself
def test_the_audit_and_the_doors_keep_the_same_scopes_for_the_suspended() -> None:
    assert {f"'{scope}'" for scope in SUSPENDED_SCOPES} == set(actors._KEPT.split(", "))


def test_an_operator_may_halt_and_stays_right_after_he_has_left(market: HonestMarket) -> None:
    ann = add(market, "ann", groups=(OPERATORS,))
    halt(market, f"user:{ann.pk}")
    give(market, ann, Standing((), (), active=False))
    assert accused(market) == []
    halt_again = {"book_id": market.book_id, "reason": "test", "actor": f"user:{ann.pk}"}
    phases.resume(**halt_again, **later(market))
    market.match()
    assert accused(market) == [f"user:{ann.pk}"]


def test_a_superuser_without_the_role_was_never_allowed(market: HonestMarket) -> None:
    root = User.objects.create_superuser("root", password="x")
    halt(market, f"user:{root.pk}")
    assert accused(market) == [f"user:{root.pk}"]


def test_an_auditor_and_an_operator_of_tomorrow_were_not_allowed(market: HonestMarket) -> None:
    ann, bob = add(market, "ann", groups=(AUDITORS,)), add(market, "bob")
    halt(market, f"user:{ann.pk}")
    phases.resume(book_id=market.book_id, reason="test", actor=f"user:{bob.pk}", **later(market))
    market.match()
    give(market, bob, Standing(("read",), (OPERATORS,)))
    assert accused(market) == [f"user:{ann.pk}", f"user:{bob.pk}"]


def test_a_role_that_nobody_recorded_is_none(market: HonestMarket) -> None:
    ann = add(market, "ann")
    ann.groups.add(Group.objects.get_or_create(name=OPERATORS)[0])
    halt(market, f"user:{ann.pk}")
    names, report = found(market)
    assert names == ["actor_allowed", "objects"], report.broken


def test_scopes_written_into_the_table_are_found(market: HonestMarket) -> None:
    ann = add(market, "ann", owner="other")
    assert tamper("UPDATE exchange_membership SET scopes = '{read,trade}' WHERE user_id = %s", params=(ann.pk,)) == 1
    order(market, "other", f"user:{ann.pk}")
    names, report = found(market)
    assert names == ["actor_allowed", "objects"], report.broken


def test_a_member_trades_while_he_may_and_for_nobody_else(market: HonestMarket) -> None:
    ann = add(market, "ann", owner="other", scopes=TRADER)
    placed = order(market, "other", f"user:{ann.pk}")
    give(market, ann, Standing(("read", "cancel")))
    order(market, "other", f"user:{ann.pk}", CommandKind.CANCEL, placed)
    assert accused(market) == []
    order(market, "other", f"user:{ann.pk}")
    order(market, "third", f"user:{ann.pk}", CommandKind.CANCEL, placed)
    assert accused(market) == [f"user:{ann.pk}"] * 2


def test_the_suspended_may_only_cancel(market: HonestMarket) -> None:
    ann, key = add(market, "ann", owner="other", scopes=TRADER), f"key:{market.keys['other'].uuid}"
    other = market.accounts["other"].participant
    placed = order(market, "other", key)
    participants.suspend(participant=other, reason="test", actor="command:test", **later(market))
    market.match()
    order(market, "other", key, CommandKind.CANCEL, placed)
    assert accused(market) == []
    order(market, "other", key)
    order(market, "other", f"user:{ann.pk}")
    participants.reinstate(participant=Participant.objects.get(pk=other.pk), reason="test", actor="command:test", **later(market))
    order(market, "other", key)
    assert accused(market) == [key, f"user:{ann.pk}"]


def issuers_key(market: HonestMarket, slug: str) -> str:
    uuid = MINT.uuid(market.now_us)
    account = market.accounts[slug]
    ApiKey.objects.create(uuid=uuid, account=account, secret_sha256="0" * 64, scopes=["issue"], created_at=to_datetime(market.now_us))
    return f"key:{uuid}"


def test_an_issuer_that_pauses_its_own_right_pulls_its_asks(market: HonestMarket) -> None:
    told = {"right_id": market.right_id, "freeze_reason": "issuer_pause", "reason": "test"}
    assert freeze.freeze_right(**told, actor=issuers_key(market, "issuer"), **later(market)) > 0
    market.match()
    assert accused(market) == []


def test_nobody_else_pulls_them(market: HonestMarket) -> None:
    told = {"right_id": market.right_id, "freeze_reason": "issuer_pause", "reason": "test"}
    stranger, issuer = issuers_key(market, "third"), issuers_key(market, "issuer")
    pulled = freeze.freeze_right(**told, actor=stranger, **later(market))
    market.match()
    assert accused(market) == [stranger] * pulled
    ask = market.place("other", "buy", 1, 20)
    market.match()
    at_another_time = later(market)
    intake.submit(
        commands=[intake.cancel_command(book_id=market.book_id, order_id=ask, reason=int(Reason.RIGHT_FROZEN), actor=issuer)],
        **at_another_time,
    )
    market.match()
    assert accused(market) == [*[stranger] * pulled, issuer]


def test_a_freezer_freezes_while_he_has_the_role(market: HonestMarket) -> None:
    third, grant_id = market.accounts["third"].participant, MINT.uuid(market.now_us)
    told = {"reason": "test", "actor": "command:test"}
    grant_role(participant=third, role="freezer", issuer=market.desk.issuer, grant_id=grant_id, **told, **later(market))
    key = issuers_key(market, "third")
    assert freeze.freeze_right(right_id=market.right_id, freeze_reason="compliance", reason="test", actor=key, **later(market)) > 0
    market.match()
    assert accused(market) == []
    revoke_role(grant_id=grant_id, **told, **later(market))
    freeze.unfreeze_right(right_id=market.right_id, **told, **later(market))
    market.place("holder", "sell", 1, 300)
    market.match()
    assert accused(market) == []
    assert freeze.freeze_right(right_id=market.right_id, freeze_reason="compliance", reason="test", actor=key, **later(market)) == 1
    market.match()
    assert accused(market) == [key]


def test_cash_that_one_operator_moved_alone_is_found(market: HonestMarket) -> None:
    ann, bob = (f"user:{add(market, name, groups=(OPERATORS,)).pk}" for name in ("ann", "bob"))
    told = {"account": market.accounts["other"], "amount": "5", "currency": "USD", "reason": "test", "mint": MINT}
    act = cash_payload(account=market.accounts["other"], amount="5", currency="USD")
    made = proposals.propose(kind=DEPOSIT, payload=act, reason="wire 1", mint=MINT, actor=ann, **later(market))
    proposals.approve(proposal_id=str(made.pk), reason="seen", mint=MINT, actor=bob, **later(market))
    assert found(market)[0] == []
    fund(**told, actor=ann, **later(market))
    withdraw(**told, actor=ann, approved_by=ann, **later(market))
    withdraw(**told, actor=ann, approved_by="user:999999", **later(market))
    names, report = found(market)
    assert names == ["two_persons"]
    assert [(row["type"], row["approved_by"]) for row in report.broken[0].rows] == [
        ("account.funded", None),
        ("account.withdrawn", ann),
        ("account.withdrawn", "user:999999"),
    ]


def test_an_issuer_lifts_its_own_pause_alone_and_an_operator_does_not(market: HonestMarket) -> None:
    issuer = issuers_key(market, "issuer")
    told = {"right_id": market.right_id, "reason": "test"}
    freeze.freeze_right(**told, freeze_reason="issuer_pause", actor=issuer, **later(market))
    market.match()
    freeze.unfreeze_right(**told, actor=issuer, **later(market))
    assert found(market)[0] == []
    ann, bob = (f"user:{add(market, name, groups=(OPERATORS,)).pk}" for name in ("ann", "bob"))
    role = {"role": "freezer", "issuer": None, "reason": "test", "actor": "command:test"}
    grant_role(participant=venue_participant(), grant_id=MINT.uuid(market.now_us), **role, **later(market))
    freeze.freeze_right(**told, freeze_reason="compliance", actor=ann, **later(market))
    payload = unfreeze_payload(right_id=market.right_id, freeze_reason="compliance")
    made = proposals.propose(kind=UNFREEZE, payload=payload, reason="done", mint=MINT, actor=ann, **later(market))
    proposals.approve(proposal_id=str(made.pk), reason="seen", mint=MINT, actor=bob, **later(market))
    assert found(market)[0] == []
    freeze.freeze_right(**told, freeze_reason="compliance", actor=ann, **later(market))
    freeze.unfreeze_right(**told, actor=ann, **later(market))
    names, report = found(market)
    assert names == ["acts_in_role", "two_persons"]
    assert [row["type"] for broken in report.broken for row in broken.rows] == ["right.unfrozen"] * 2


def test_a_forged_decision_is_found(market: HonestMarket) -> None:
    ann, bob = (f"user:{add(market, name, groups=(OPERATORS,)).pk}" for name in ("ann", "bob"))
    act = cash_payload(account=market.accounts["other"], amount="5", currency="USD")
    made = proposals.propose(kind=DEPOSIT, payload=act, reason="wire 1", mint=MINT, actor=ann, **later(market))
    with pytest.raises(OperatorRefusal, match="somebody else"):
        proposals.approve(proposal_id=str(made.pk), reason="seen", mint=MINT, actor=ann, **later(market))
    proposals.reject(proposal_id=str(made.pk), reason="no wire", actor=bob, **later(market))
    assert found(market)[0] == []
    assert tamper("UPDATE exchange_proposal SET status = 'approved', decided_by = proposed_by") == 1
    names, report = found(market)
    assert names == ["objects", "two_persons"], report.broken


def operators_key(market: HonestMarket, slug: str) -> str:
    uuid = MINT.uuid(market.now_us)
    account = market.accounts[slug]
    ApiKey.objects.create(uuid=uuid, account=account, secret_sha256="1" * 64, scopes=["operate"], created_at=to_datetime(market.now_us))
    return f"key:{uuid}"


def test_a_right_that_one_key_took_from_its_holder_is_found(market: HonestMarket) -> None:
    issuer, holder, other = (market.accounts[slug] for slug in ("issuer", "holder", "other"))
    ann, key = f"user:{add(market, 'ann', groups=(OPERATORS,)).pk}", operators_key(market, "issuer")
    own, theirs, agreed = (market.desk.issue(1000, holder=slug) for slug in ("issuer", "holder", "holder"))
    said: dict[str, Any] = {"reason": "test", "mint": MINT, "actor": key}
    finalize_right(right_id=str(own.pk), ref="", **said, **later(market))
    finalize_right(right_id=str(agreed.pk), ref="", approved_by=ann, **said, **later(market))
    moved = market.desk.issue(1000, holder="issuer")
    reassign_right(right_id=str(moved.pk), seen=Seen(issuer.pk, 1000), taker=other, **said, **later(market))
    assert found(market)[0] == []
    moved = market.desk.issue(1000)
    reassign_right(right_id=str(moved.pk), seen=Seen(holder.pk, 1000), taker=other, **said, **later(market))
    finalize_right(right_id=str(theirs.pk), ref="", **said, **later(market))
    names, report = found(market)
    assert names == ["two_persons"]
    accusations = {(row["type"], row["object"]) for row in report.broken[0].rows}
    assert accusations == {("right.amended", f"rgt_{moved.pk}"), ("right.finalized", f"rgt_{theirs.pk}")}
