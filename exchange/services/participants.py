"""Who may take part: open, extend, suspend, reinstate. Every act is an event of the registry with its actor and his reason.

A reason may be left out only where a program acts for whoever holds the machine (the command line, the demo).
"""

import re
from collections.abc import Sequence

import msgspec
from django.contrib.auth.models import Group, User
from django.db import transaction

from exchange.domain.command import Reason
from exchange.models import AccountFeed, Membership
from exchange.models.access import SCOPES
from exchange.services.operator_refusal import OperatorRefusal
from exchange.services.pulls import pull_orders_of_accounts
from rights.domain.issuance import PATHS
from rights.domain.reason import stated_reason
from rights.kernel.clock import to_datetime
from rights.kernel.ids import Mint, public
from rights.models import Account, Issuer, Participant
from rights.models.party import HOLDER_TYPES, ISSUER_TYPES
from rights.selectors.roles import live_roles
from rights.services import journal
from rights.services.roles import grant_role

OPERATOR_ROLES = ("freezer", "finalizer", "burner", "registry_admin")
ROLE_MINT = Mint()
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", re.ASCII)
_USERNAME = re.compile(r"[A-Za-z0-9@.+_-]{1,64}", re.ASCII)
MOST_TIERS = 9


class NewAccount(msgspec.Struct, frozen=True):
    """A holder to open: its kind decides which rights it may receive."""

    name: str
    holder_type: str = "app"
    jurisdiction: str = ""


class NewMember(msgspec.Struct, frozen=True):
    """A person acting for a participant. `groups`: the console's roles. `once`: the password has to be changed at the first log-in."""

    username: str
    password: str
    scopes: Sequence[str]
    email: str = ""
    staff: bool = False
    groups: Sequence[str] = ()
    once: bool = False


def _remember(kind: str, object_id: str, payload: dict[str, object], *, actor: str, now_us: int) -> None:
    event = journal.NewEvent(type=kind, object_type=kind.split(".", 1)[0], object_id=object_id, payload=payload)
    journal.append(stream_id=journal.stream_for("registry"), events=[event], actor=actor, now_us=now_us)


def _check_text(text: str, what: str) -> None:
    """Names go on pages and into events: one line, nothing that can't be printed."""
    if not text.strip() or not text.isprintable():
        raise OperatorRefusal("name_malformed", f"{what} has to be one line of printable text")


@transaction.atomic
def open_participant(
    *, slug: str, name: str, account: NewAccount, mint: Mint, actor: str, now_us: int, reason: str | None = None
) -> Participant:
    """A participant with its first account. Raises OperatorRefusal `slug_malformed`, `name_malformed`, `participant_exists`, ReasonMissing."""
    stated = None if reason is None else stated_reason(reason)
    _check_text(name, "a participant's name")
    if not _SLUG.fullmatch(slug):
        raise OperatorRefusal("slug_malformed", "a participant's slug is 1 to 40 of a-z, 0-9 and inner hyphens")
    participant, made = Participant.objects.get_or_create(slug=slug, defaults={"name": name})
    if not made:
        raise OperatorRefusal("participant_exists", f"participant {slug} exists")
    _remember("participant.opened", slug, {"name": name, "reason": stated}, actor=actor, now_us=now_us)
    open_account(participant=participant, account=account, mint=mint, actor=actor, now_us=now_us, reason=reason)
    return participant


@transaction.atomic
def open_account(
    *, participant: Participant, account: NewAccount, mint: Mint, actor: str, now_us: int, reason: str | None = None
) -> Account:
    """One more holder of the participant, with its private feed. Raises OperatorRefusal `holder_type_unknown`, `name_malformed`, ReasonMissing."""
    stated = None if reason is None else stated_reason(reason)
    _check_text(account.name, "an account's name")
    if not account.jurisdiction.isprintable() or len(account.jurisdiction) > 16:
        raise OperatorRefusal("jurisdiction_malformed", "a jurisdiction is at most 16 printable characters")
    if account.holder_type not in HOLDER_TYPES:
        raise OperatorRefusal("holder_type_unknown", f"holder type is one of {', '.join(HOLDER_TYPES)}")
    row = Account.objects.create(
        uuid=mint.uuid(now_us),
        participant=participant,
        name=account.name,
        holder_type=account.holder_type,
        jurisdiction=account.jurisdiction,
        created_at=to_datetime(now_us),
    )
    AccountFeed.objects.create(account=row, suspended=participant.status != "active")
    payload: dict[str, object] = {
        "holder_type": account.holder_type,
        "jurisdiction": account.jurisdiction,
        "name": account.name,
        "participant": participant.slug,
        "reason": stated,
    }
    _remember("account.opened", public("acc", str(row.uuid)), payload, actor=actor, now_us=now_us)
    return row


@transaction.atomic
def add_member(*, participant: Participant, member: NewMember, actor: str, now_us: int, reason: str | None = None) -> User:
    """A user (password under Argon2) acting for the participant within `scopes`.

    Raises OperatorRefusal `scope_unknown`, `username_malformed`, `username_taken`, ReasonMissing.
    """
    stated = None if reason is None else stated_reason(reason)
    if not _USERNAME.fullmatch(member.username):
        raise OperatorRefusal("username_malformed", "a user name is 1 to 64 of letters, digits and @ . + - _")
    unknown = sorted(set(member.scopes) - set(SCOPES))
    if unknown:
        raise OperatorRefusal("scope_unknown", f"no such scope: {', '.join(unknown)}")
    if User.objects.filter(username=member.username).exists():
        raise OperatorRefusal("username_taken", f"user {member.username} exists")
    user = User.objects.create_user(member.username, email=member.email, password=member.password, is_staff=member.staff)
    user.groups.set([Group.objects.get_or_create(name=name)[0] for name in member.groups])
    Membership.objects.create(user=user, participant=participant, scopes=sorted(set(member.scopes)), password_once=member.once)
    payload: dict[str, object] = {
        "active": True,
        "groups": sorted(member.groups),
        "participant": participant.slug,
        "reason": stated,
        "scopes": sorted(set(member.scopes)),
        "staff": member.staff,
    }
    _remember("member.added", f"user:{user.pk}", payload, actor=actor, now_us=now_us)
    return user


@transaction.atomic
def appoint_issuer(
    *,
    participant: Participant,
    slug: str,
    issuer_type: str,
    tier: int,
    issuance_path: str,
    actor: str,
    now_us: int,
    reason: str | None = None,
) -> Issuer:
    """Let the participant create rights under the name `slug`.

    Raises OperatorRefusal `slug_malformed`, `issuer_type_unknown`, `issuer_tier`, `issuance_path_unknown`,
    `path_not_allowed`, `issuer_exists`, ReasonMissing.
    """
    stated = None if reason is None else stated_reason(reason)
    if not _SLUG.fullmatch(slug):
        raise OperatorRefusal("slug_malformed", "an issuer's slug is 1 to 40 of a-z, 0-9 and inner hyphens")
    if not 1 <= tier <= MOST_TIERS:
        raise OperatorRefusal("issuer_tier", f"a tier is 1 (the best) to {MOST_TIERS}")
    if issuance_path not in PATHS:
        raise OperatorRefusal("issuance_path_unknown", f"an issuance path is one of {', '.join(PATHS)}")
    if issuer_type not in ISSUER_TYPES:
        raise OperatorRefusal("issuer_type_unknown", f"issuer type is one of {', '.join(ISSUER_TYPES)}")
    if issuer_type not in PATHS[issuance_path].issuer_types:
        raise OperatorRefusal("path_not_allowed", f"an issuer of type {issuer_type} may not issue on the path {issuance_path}")
    issuer, made = Issuer.objects.get_or_create(
        slug=slug, defaults={"participant": participant, "issuer_type": issuer_type, "tier": tier, "issuance_path": issuance_path}
    )
    if not made:
        raise OperatorRefusal("issuer_exists", f"issuer {slug} exists")
    payload: dict[str, object] = {
        "issuance_path": issuance_path,
        "issuer_type": issuer_type,
        "participant": participant.slug,
        "reason": stated,
        "tier": tier,
    }
    _remember("issuer.appointed", slug, payload, actor=actor, now_us=now_us)
    grant_role(
        participant=participant,
        role="issuer",
        issuer=issuer,
        grant_id=ROLE_MINT.uuid(now_us),
        reason="appointed",
        actor=actor,
        now_us=now_us,
    )
    return issuer


def grant_operator_roles(*, participant: Participant, mint: Mint, reason: str, actor: str, now_us: int) -> None:
    """The roles of whoever runs the venue, those that it lacks. Whoever only reads needs none."""
    have = set(live_roles(participant.pk).filter(issuer=None).values_list("role", flat=True))
    for role in OPERATOR_ROLES:
        if role not in have:
            grant_role(
                participant=participant, role=role, issuer=None, grant_id=mint.uuid(now_us), reason=reason, actor=actor, now_us=now_us
            )


@transaction.atomic
def suspend(*, participant: Participant, reason: str, actor: str, now_us: int) -> int:
    """Stop the participant from trading and pull what it has resting; how many orders leave the books."""
    return _change_status(participant, "suspended", reason, actor, now_us)


@transaction.atomic
def reinstate(*, participant: Participant, reason: str, actor: str, now_us: int) -> None:
    """Let the participant trade again."""
    _change_status(participant, "active", reason, actor, now_us)


def _change_status(participant: Participant, status: str, reason: str, actor: str, now_us: int) -> int:
    stated = stated_reason(reason)
    row = Participant.objects.select_for_update(no_key=True).get(pk=participant.pk)
    if row.status == status:
        raise OperatorRefusal("status_unchanged", f"participant {row.slug} is {status} already")
    if row.slug == "venue":
        raise OperatorRefusal("venue_participant", "the venue itself can't be suspended")
    row.status = status
    row.save(update_fields=["status"])
    account_ids = list(row.accounts.order_by("pk").values_list("pk", flat=True))
    # A batch locks the feeds of the accounts it changes: after this row is ours, no batch acts on the old status.
    feeds = AccountFeed.objects.select_for_update(no_key=True).filter(account_id__in=account_ids).order_by("account_id")
    pulled = 0
    if list(feeds.values_list("account_id", flat=True)) and status == "suspended":
        pulled = pull_orders_of_accounts(account_ids=account_ids, reason=Reason.HOLDER_SUSPENDED, actor=actor, now_us=now_us)
    suspended = Account.objects.filter(pk__in=account_ids).exclude(status="active").values_list("pk", flat=True)
    AccountFeed.objects.filter(account_id__in=account_ids).update(suspended=status == "suspended")
    AccountFeed.objects.filter(account_id__in=list(suspended)).update(suspended=True)
    kind = "participant.suspended" if status == "suspended" else "participant.reinstated"
    _remember(kind, row.slug, {"orders_pulled": str(pulled), "reason": stated}, actor=actor, now_us=now_us)
    participant.refresh_from_db()
    return pulled
