"""People of the venue for tests, added as they are in life: by the service, with the registry remembering."""

from collections.abc import Sequence

from django.contrib.auth.models import User
from django.test import Client

from exchange.services.participants import NewMember, add_member, grant_operator_roles
from rights.domain.staff import AUDITORS, OPERATORS
from rights.kernel.clock import now_us
from rights.kernel.ids import Mint
from rights.models import Participant
from rights.selectors.roles import live_roles
from rights.services.venue import venue_participant
from tests.registry_desk import NOW_US

PASSWORD = "a password for tests"
MINT = Mint()


def a_member(name: str, *, owner: Participant | None = None, scopes: Sequence[str] = ("read",), groups: Sequence[str] = ()) -> User:
    """Somebody who acts for `owner`, or for the venue itself."""
    member = NewMember(name, PASSWORD, scopes, staff=bool(groups), groups=groups)
    return add_member(participant=owner or venue_participant(), member=member, actor="command:test", now_us=now_us())


def in_console(kind: str, name: str = "") -> Client:
    """A browser logged in to the console: `operators`, `auditors`, `superuser`, or staff of no kind."""
    name = name or f"user-{kind}"
    if kind == OPERATORS and not live_roles(venue_participant().pk).exists():
        said = {"reason": "runs the venue", "actor": "command:test", "now_us": NOW_US}
        grant_operator_roles(participant=venue_participant(), mint=MINT, **said)
    if kind in {OPERATORS, AUDITORS}:
        user = a_member(name, groups=(kind,))
    else:
        user = User.objects.create_user(name, is_staff=True, is_superuser=kind == "superuser")
    client = Client()
    client.force_login(user)
    return client
