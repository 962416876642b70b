"""What members may do after they were added: scopes, console roles, passwords. The registry holds a member's whole standing at each change.

Z1 of the audit judges commands by these events alone, so nothing else may change a standing. Console roles and the scopes of the venue's own
people are given by whoever holds the machine (the command line, a superuser), never by one operator: two operators have to be two persons.
"""

import secrets
from collections.abc import Sequence

import msgspec
from django.contrib.auth.models import Group, User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from exchange.models import Membership
from exchange.models.access import SCOPES, STAFF_SCOPES
from exchange.services.operator_refusal import OperatorRefusal
from rights.domain.reason import stated_reason
from rights.domain.staff import AUDITORS, OPERATORS
from rights.services import journal

GROUPS = (OPERATORS, AUDITORS)
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is taken for another


class Standing(msgspec.Struct, frozen=True):
    """`scopes` at the API, `groups` in the console; nothing at all when not `active`."""

    scopes: Sequence[str]
    groups: Sequence[str] = ()
    active: bool = True

    @property
    def is_staff(self) -> bool:
        """Whether this is one of the venue's own people."""
        return bool(self.groups) or not STAFF_SCOPES.isdisjoint(self.scopes)


def standing_of(membership: Membership) -> Standing:
    """As it is now."""
    groups = sorted(membership.user.groups.filter(name__in=GROUPS).values_list("name", flat=True))
    return Standing(tuple(membership.scopes), tuple(groups), membership.user.is_active)


def one_time_password() -> str:
    """Twenty letters in four groups, 98 bits of chance; whoever is given it has to choose another."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(4))


def check_password(password: str, user: User | None = None) -> None:
    """Raise OperatorRefusal `password_weak`, with everything wrong with it, unless it may be a member's."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise OperatorRefusal("password_weak", " ".join(error.messages)) from error
    if len(password) > 256 or "\0" in password:
        raise OperatorRefusal("password_weak", "A password has at most 256 characters.")


@transaction.atomic
def change_member(*, membership: Membership, standing: Standing, reason: str, actor: str, now_us: int, as_root: bool = False) -> Membership:
    """Give the member this standing. Raises OperatorRefusal `scope_unknown`, `group_unknown`, `standing_unchanged`, `root_only`, ReasonMissing."""
    stated = stated_reason(reason)
    scopes, groups = sorted(set(standing.scopes)), sorted(set(standing.groups))
    _check_known("scope", scopes, SCOPES)
    _check_known("group", groups, GROUPS)
    row = _locked(membership)
    before = standing_of(row)
    _check_giver(before, standing, as_root=as_root)
    if (sorted(before.scopes), sorted(before.groups), before.active) == (scopes, groups, standing.active):
        raise OperatorRefusal("standing_unchanged", f"{row.user.username} has that standing already")
    row.scopes = scopes
    row.save(update_fields=["scopes"])
    user = row.user
    user.is_active, user.is_staff = standing.active, bool(groups) or user.is_superuser
    user.save(update_fields=["is_active", "is_staff"])
    user.groups.set([Group.objects.get_or_create(name=name)[0] for name in groups])
    payload: dict[str, object] = {
        "active": user.is_active,
        "groups": groups,
        "participant": row.participant.slug,
        "reason": stated,
        "scopes": scopes,
        "staff": user.is_staff,
    }
    _remember("member.changed", row, payload, actor, now_us)
    return row


@transaction.atomic
def new_password(*, membership: Membership, password: str, reason: str, actor: str, now_us: int, as_root: bool = False) -> None:
    """A password for somebody who lost his; his sessions end, and it opens nothing but the page where he chooses another.

    Raises OperatorRefusal `password_weak`, `root_only`, ReasonMissing.
    """
    stated = stated_reason(reason)
    row = _locked(membership)
    standing = standing_of(row)
    _check_giver(standing, standing, as_root=as_root)
    _set_password(row, password, once=True)
    _remember("member.password_set", row, {"once": True, "participant": row.participant.slug, "reason": stated}, actor, now_us)


@transaction.atomic
def choose_password(*, membership: Membership, password: str, actor: str, now_us: int) -> None:
    """The member's own choice; from now on nobody else knows it. Raises OperatorRefusal `password_weak`."""
    row = _locked(membership)
    _set_password(row, password, once=False)
    _remember("member.password_set", row, {"once": False, "participant": row.participant.slug, "reason": None}, actor, now_us)


def _set_password(row: Membership, password: str, *, once: bool) -> None:
    check_password(password, row.user)
    row.user.set_password(password)
    row.user.save(update_fields=["password"])
    row.password_once = once
    row.save(update_fields=["password_once"])


def _locked(membership: Membership) -> Membership:
    row = Membership.objects.select_for_update(no_key=True, of=("self",)).get(pk=membership.pk)
    row.user = User.objects.get(pk=row.user_id)
    return row


def _check_known(what: str, names: Sequence[str], known: Sequence[str]) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise OperatorRefusal(f"{what}_unknown", f"no such {what}: {', '.join(unknown)}")


def _check_giver(before: Standing, after: Standing, *, as_root: bool) -> None:
    if (before.is_staff or after.is_staff) and not as_root:
        raise OperatorRefusal("root_only", "the venue's own people are looked after from the command line, or by a superuser")


def _remember(kind: str, row: Membership, payload: dict[str, object], actor: str, now_us: int) -> None:
    event = journal.NewEvent(type=kind, object_type="member", object_id=f"user:{row.user_id}", payload=payload)
    journal.append(stream_id=journal.stream_for("registry"), events=[event], actor=actor, now_us=now_us)
