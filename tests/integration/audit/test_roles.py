"""Z1 judges what was done in a role by who had it then: every family of acts, by somebody who may, and by somebody who may not."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from exchange.audit.run import audit
from exchange.models import ApiKey
from exchange.services import freeze, participants
from rights.domain.amendment import Amendment
from rights.domain.staff import OPERATORS
from rights.kernel.clock import to_datetime
from rights.models import Participant, Right, RoleGrant
from rights.services import attestations, consents
from rights.services.activate import activate_right
from rights.services.amend import Change, amend_right
from rights.services.refresh_assurance import Refresh, refresh_assurance
from rights.services.roles import grant_role, revoke_role
from rights.services.venue import venue_participant
from settlement.services.issuance import burn_right, finalize_right, issue_right
from settlement.services.replace import replace_right
from tests.honest_market import HonestMarket
from tests.registry_desk import MINT
from tests.unit.rights.domain.manifests import chat_day

MINUTE_US = 60_000_000
Act = Callable[[HonestMarket, str], Any]


def told(market: HonestMarket, actor: str) -> dict[str, Any]:
    market.now_us += MINUTE_US
    market.desk.now_us = market.now_us
    return {"actor": actor, "now_us": market.now_us}


def an_operator(market: HonestMarket) -> str:
    """A member of the venue's who operates; his participant has no role yet."""
    member = participants.NewMember(f"ann{market.now_us}", "a long password", ("read",), staff=True, groups=(OPERATORS,))
    user: User = participants.add_member(participant=venue_participant(), member=member, **told(market, "command:test"))
    return f"user:{user.pk}"


def a_key(market: HonestMarket, slug: str, scope: str) -> str:
    uuid = MINT.uuid(market.now_us)
    at = to_datetime(market.now_us)
    ApiKey.objects.create(uuid=uuid, account=market.accounts[slug], secret_sha256="0" * 64, scopes=[scope], created_at=at)
    return f"key:{uuid}"


def let(market: HonestMarket, slug: str, role: str) -> RoleGrant:
    who = venue_participant() if slug == "venue" else market.accounts[slug].participant
    named = {"participant": who, "role": role, "issuer": None, "grant_id": MINT.uuid(market.now_us), "reason": "test"}
    return grant_role(**named, **told(market, "command:test"))


def accused(market: HonestMarket) -> set[tuple[str, str]]:
    """(type, actor) of what nobody with the role did."""
    report = audit(now_us=market.now_us, quick=True)
    assert {broken.check for broken in report.broken} <= {"acts_in_role"}, report.broken
    return {(row["type"], row["actor"]) for broken in report.broken for row in broken.rows}


def a_right(market: HonestMarket, holder: str = "issuer", **more: Any) -> Right:
    market.desk.now_us = market.now_us
    return market.desk.issue(1_000_000, holder=holder, **more)


def issue(market: HonestMarket, actor: str) -> None:
    desk = market.desk
    issue_right(issuer=desk.issuer, holder=market.accounts["issuer"], document=chat_day(), mint=MINT, **told(market, actor))


def activate(market: HonestMarket, actor: str) -> None:
    activate_right(right_id=str(a_right(market, activate=False).pk), **told(market, actor))


def amend(market: HonestMarket, actor: str) -> None:
    right = a_right(market)
    change = Change(Amendment.METADATA, chat_day(resource={"amount": "1000000"}, metadata={"label": "another"}), "test")
    amend_right(right_id=str(right.pk), change=change, **told(market, actor))


def pause(market: HonestMarket, actor: str) -> None:
    right = a_right(market)
    freeze.freeze_right(right_id=str(right.pk), freeze_reason="issuer_pause", reason="test", **told(market, actor))


def comply(market: HonestMarket, actor: str) -> None:
    right = a_right(market)
    freeze.freeze_right(right_id=str(right.pk), freeze_reason="compliance", reason="test", **told(market, actor))


def lift(market: HonestMarket, actor: str) -> None:
    right = a_right(market)
    freeze.freeze_right(right_id=str(right.pk), freeze_reason="issuer_pause", reason="test", **told(market, "command:test"))
    freeze.unfreeze_right(right_id=str(right.pk), reason="test", mint=MINT, **told(market, actor))


def finalize(market: HonestMarket, actor: str) -> None:
    finalize_right(right_id=str(a_right(market, "other").pk), ref="", reason="test", mint=MINT, **told(market, actor))


def burn(market: HonestMarket, actor: str) -> None:
    burn_right(right_id=str(a_right(market, "other", activate=False).pk), reason="test", mint=MINT, **told(market, actor))


def replace(market: HonestMarket, actor: str) -> None:
    right, desk = a_right(market), market.desk
    document = chat_day(resource={"amount": "1000000"})
    named = {"right_id": str(right.pk), "issuer": desk.issuer, "document": document, "kind": "replaced", "reason": "test", "mint": MINT}
    replace_right(**named, **told(market, actor))


def refresh(market: HonestMarket, actor: str) -> None:
    refresh_assurance(assurance_id=str(market.pledged.uuid), refresh=Refresh(None, None, None), attested=False, **told(market, actor))


def grant(market: HonestMarket, actor: str) -> None:
    named = {"participant": market.accounts["third"].participant, "role": "burner", "issuer": None, "reason": "test"}
    granted = grant_role(**named, grant_id=MINT.uuid(market.now_us), **told(market, actor))
    revoke_role(grant_id=str(granted.uuid), reason="test", **told(market, "command:test"))


def consent(market: HonestMarket, actor: str, kind: str = "consent") -> None:
    named = {"issuer": market.desk.issuer, "kind": kind, "coverage": consents.Coverage(), "taker": None, "expires_us": None, "note": ""}
    consents.grant_standing(**named, consent_id=MINT.uuid(market.now_us), **told(market, actor))


def acknowledge(market: HonestMarket, actor: str) -> None:
    consent(market, actor, "acknowledgment")


def attest(market: HonestMarket, actor: str) -> None:
    fact = attestations.Fact("kyc", "file 7", "", None)
    attestations.attest(account=market.accounts["other"], fact=fact, attestation_id=MINT.uuid(market.now_us), **told(market, actor))


def appoint(market: HonestMarket, actor: str) -> None:
    third = market.accounts["third"].participant
    named = {"slug": "third", "issuer_type": "provider", "tier": 1, "issuance_path": "centralized-coordinator"}
    participants.appoint_issuer(participant=third, **named, **told(market, actor))


def suspend(market: HonestMarket, actor: str) -> None:
    for change in (participants.suspend, participants.reinstate):
        change(participant=Participant.objects.get(slug="issuer"), reason="test", **told(market, actor))


def let_in(market: HonestMarket, actor: str) -> None:
    account = participants.NewAccount("fourth", "app", "US")
    participants.open_participant(slug="fourth", name="fourth", account=account, mint=MINT, **told(market, actor))


BY_OPERATORS = (attest, appoint, suspend, let_in)
# An issuer has its role from the beginning; what is done by others' roles is done by somebody who has one for a time.
BY_ISSUER: tuple[tuple[Act, str], ...] = (
    (issue, "right.issued"),
    (activate, "right.activated"),
    (amend, "right.amended"),
    (pause, "right.frozen"),
    (lift, "right.unfrozen"),
    (replace, "right.replaced"),
    (refresh, "assurance.refreshed"),
    (consent, "consent.granted"),
)
BY_ROLE: tuple[tuple[Act, str, str], ...] = (
    (comply, "right.frozen", "freezer"),
    (finalize, "right.finalized", "finalizer"),
    (burn, "right.burned", "burner"),
    (grant, "role.granted", "registry_admin"),
    (acknowledge, "consent.granted", "registry_admin"),
)


@pytest.mark.django_db  # has the test database made; `market` works in it by itself
def test_the_command_line_needs_no_role(market: HonestMarket) -> None:
    for act in (*(act for act, _ in BY_ISSUER), *(act for act, *_ in BY_ROLE), *BY_OPERATORS):
        act(market, "command:test")
    assert accused(market) == set()


@pytest.mark.parametrize(("act", "kind"), BY_ISSUER, ids=[act.__name__ for act, _ in BY_ISSUER])
def test_an_issuers_act_is_its_own(market: HonestMarket, act: Act, kind: str) -> None:
    act(market, a_key(market, "issuer", "issue"))
    assert accused(market) == set()
    stranger = a_key(market, "third", "issue")
    act(market, stranger)
    assert (kind, stranger) in accused(market)
    assert {actor for _, actor in accused(market)} == {stranger}


@pytest.mark.parametrize(("act", "kind", "role"), BY_ROLE, ids=[act.__name__ for act, *_ in BY_ROLE])
def test_an_act_of_a_role_is_of_whoever_has_it_then(market: HonestMarket, act: Act, kind: str, role: str) -> None:
    key = a_key(market, "other", "operate")
    granted = let(market, "other", role)
    act(market, key)
    assert accused(market) == set()
    revoke_role(grant_id=str(granted.uuid), reason="test", **told(market, "command:test"))
    act(market, key)
    assert (kind, key) in accused(market)
    assert {actor for _, actor in accused(market)} == {key}


def test_a_suspended_issuer_acts_no_more(market: HonestMarket) -> None:
    key, rights = a_key(market, "issuer", "issue"), [a_right(market) for _ in range(2)]
    said = {"freeze_reason": "issuer_pause", "reason": "test"}
    for right, change in zip(rights, (participants.suspend, participants.reinstate), strict=True):
        change(participant=Participant.objects.get(slug="issuer"), reason="test", **told(market, "command:test"))
        freeze.freeze_right(right_id=str(right.pk), **said, **told(market, key))
    report = audit(now_us=market.now_us, quick=True)
    assert [(broken.check, row["object"]) for broken in report.broken for row in broken.rows] == [("acts_in_role", f"rgt_{rights[0].pk}")]


@pytest.mark.parametrize("act", BY_OPERATORS)
def test_operators_attest_appoint_suspend_and_let_in(market: HonestMarket, act: Act) -> None:
    act(market, an_operator(market))
    assert accused(market) == set()


@pytest.mark.parametrize("act", BY_OPERATORS)
def test_nobody_else_does(market: HonestMarket, act: Act) -> None:
    stranger = a_key(market, "other", "issue")
    act(market, stranger)
    assert {actor for _, actor in accused(market)} == {stranger}


def test_whoever_asked_for_a_consent_takes_his_request_back(market: HonestMarket) -> None:
    right = a_right(market, "holder", transfer_policy={"requires_issuer_consent": True})
    asked = consents.Asked(Right.objects.get(pk=right.pk), market.accounts["other"], 1_000_000, "consent")
    key = a_key(market, "holder", "transfer")
    for actor in (key, a_key(market, "third", "transfer")):
        row = consents.request_consent(asked=asked, consent_id=MINT.uuid(market.now_us), **told(market, key))
        consents.revoke_consent(consent_id=str(row.uuid), note="no more", **told(market, actor))
    assert accused(market) == {("consent.revoked", actor)}
