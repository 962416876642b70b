"""The demo's participants: seven that people log in as, and those the bots trade for."""

import base64
import hashlib
import hmac
from collections.abc import Sequence

import msgspec
from django.contrib.auth.models import Group, User
from django.db import transaction

from exchange.demo.catalog import ISSUANCE_PATH, ISSUER, ISSUER_TYPE
from exchange.services import participants
from exchange.services.funding import fund
from rights.domain.staff import AUDITORS, OPERATORS
from rights.kernel.ids import Mint
from rights.models import Account, Issuer, Participant
from settlement.models import Balance
from settlement.services.ledger import cash_asset

ACTOR = "command:seed_demo"
TRADING = ("read", "trade", "cancel", "quote", "transfer", "redeem", "consent")


class Party(msgspec.Struct, frozen=True):
    """`cash`: dollars to start with. `person`: somebody logs in as this participant."""

    slug: str
    name: str
    holder_type: str
    cash: int
    scopes: Sequence[str] = TRADING
    person: bool = True
    staff: bool = False
    groups: Sequence[str] = ()


PEOPLE = (
    Party("issuer", "Northgrid Compute", "vault", 10_000, (*TRADING, "issue")),
    Party("seller", "Harbor Analytics", "app", 50_000),
    Party("buyer", "Lumen Apps", "app", 100_000),
    Party("maker", "Tidewater Markets", "market-maker", 500_000),
    Party("supplier", "Boreal Datacenters", "vault", 10_000, (*TRADING, "supply")),
    Party("operator", "Venue operations", "user", 0, ("read", "operate", "audit", "clearing"), staff=True, groups=(OPERATORS,)),
    Party("auditor", "Ledgerwise Audit", "user", 0, ("read", "audit"), staff=True, groups=(AUDITORS,)),
)
# What takes two operators needs two people: another member of the participant `operator`.
DEPUTY = "deputy"
TENANTS = tuple(f"tenant-{n:02d}" for n in range(1, 7))
VAULTS = tuple(f"vault-{n:02d}" for n in range(1, 4))
DESKS = ("desk-01",)
# Who uses what it bought and now and then challenges what it was charged, and who decides.
CLAIMANT = TENANTS[0]
REVIEWER = "operator"
BOTS = (
    *(Party(slug, f"Tenant {slug[-2:]}", "app", 2_000_000, person=False) for slug in TENANTS),
    *(Party(slug, f"Capacity vault {slug[-2:]}", "vault", 50_000, person=False) for slug in VAULTS),
    *(Party(slug, "Quoting desk", "market-maker", 3_000_000, person=False) for slug in DESKS),
)
PARTIES = (*PEOPLE, *BOTS)


def demo_password(secret: str) -> str:
    """One password for all, the same at every run of this deployment and different in every other."""
    digest = hmac.new(secret.encode(), b"demo password", hashlib.sha256).digest()
    text = base64.b32encode(digest[:8]).decode().lower()
    return f"demo-{text[:4]}-{text[4:8]}-{text[8:12]}"


def account_of(slug: str) -> Account:
    """The participant's first account."""
    return Account.objects.select_related("participant").filter(participant__slug=slug, code=None).order_by("pk")[:1].get()


def seed_parties(*, password: str, mint: Mint, now_us: int) -> None:
    """Open whoever is missing; what is there stays as it is."""
    cash_asset()
    for name in (OPERATORS, AUDITORS):
        Group.objects.get_or_create(name=name)
    for party in PARTIES:
        _seed(party, password, mint, now_us)
    operator = Participant.objects.get(slug="operator")
    participants.grant_operator_roles(participant=operator, mint=mint, reason="it runs the demo's venue", actor=ACTOR, now_us=now_us)
    _seed_deputy(password, now_us)
    if not Issuer.objects.filter(slug=ISSUER).exists():
        participants.appoint_issuer(
            participant=Participant.objects.get(slug=ISSUER),
            slug=ISSUER,
            issuer_type=ISSUER_TYPE,
            tier=1,
            issuance_path=ISSUANCE_PATH,
            actor=ACTOR,
            now_us=now_us,
        )


def set_passwords(password: str) -> None:
    """Give the people this password where they have another one."""
    for user in User.objects.filter(username__in=[*(party.slug for party in PEOPLE), DEPUTY]):
        if not user.check_password(password):
            user.set_password(password)
            user.save(update_fields=["password"])


def _seed_deputy(password: str, now_us: int) -> None:
    if not User.objects.filter(username=DEPUTY).exists():
        operator = next(party for party in PEOPLE if OPERATORS in party.groups)
        member = participants.NewMember(DEPUTY, password, operator.scopes, staff=True, groups=operator.groups)
        participants.add_member(participant=Participant.objects.get(slug=operator.slug), member=member, actor=ACTOR, now_us=now_us)


@transaction.atomic
def _seed(party: Party, password: str, mint: Mint, now_us: int) -> None:
    participant = Participant.objects.filter(slug=party.slug).first()
    if participant is None:
        participant = participants.open_participant(
            slug=party.slug,
            name=party.name,
            account=participants.NewAccount("main", party.holder_type, "US"),
            mint=mint,
            actor=ACTOR,
            now_us=now_us,
        )
    if party.person and not User.objects.filter(username=party.slug).exists():
        member = participants.NewMember(party.slug, password, party.scopes, staff=party.staff, groups=party.groups)
        participants.add_member(participant=participant, member=member, actor=ACTOR, now_us=now_us)
    account = account_of(party.slug)
    if party.cash and not Balance.objects.filter(account=account, asset=cash_asset()).exists():
        fund(
            account=account,
            amount=f"{party.cash}.00",
            currency="USD",
            reason="the demo's opening balance",
            mint=mint,
            actor=ACTOR,
            now_us=now_us,
        )
