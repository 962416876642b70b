"""`manage.py create_member PARTICIPANT USERNAME`: somebody who logs in for a participant, or one of the venue's own people.

Prints one JSON line with a one-time password, unless a password is asked for (`--ask`) and typed.
"""

import getpass
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from exchange.management.member_words import ROLES, scopes_of
from exchange.services import members
from exchange.services.operator_refusal import OperatorRefusal
from exchange.services.participants import NewMember, add_member
from rights.domain.reason import ReasonMissing
from rights.kernel.clock import now_us
from rights.models import Participant
from rights.services.venue import SLUG, venue_participant


class Command(BaseCommand):
    help = "Add a member of a participant, recorded in the registry. Prints one JSON line."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("participant", help=f"the participant's slug; {SLUG}: the venue's own people")
        parser.add_argument("username")
        parser.add_argument("--scopes", default="", help="comma-separated; default: read,trade,cancel, or what the role needs")
        parser.add_argument("--role", choices=sorted(ROLES), help="in the console: an operator acts, an auditor reads")
        parser.add_argument("--email", default="")
        parser.add_argument("--ask", action="store_true", help="ask for the password instead of making a one-time one")
        parser.add_argument("--reason", default="added by manage.py create_member", help="goes on the record")

    def handle(self, *_args: Any, **options: Any) -> None:
        slug, role = options["participant"], options["role"]
        participant = venue_participant() if slug == SLUG else Participant.objects.filter(slug=slug).first()
        if participant is None:
            raise CommandError(f"no participant {slug}")
        try:
            password = _asked() if options["ask"] else members.one_time_password()
            member = NewMember(
                options["username"],
                password,
                scopes_of(options["scopes"], role),
                email=options["email"],
                staff=role is not None,
                groups=ROLES[role] if role else (),
                once=not options["ask"],
            )
            told = {"reason": options["reason"], "actor": "command:create_member", "now_us": now_us()}
            user = add_member(participant=participant, member=member, **told)
        except (OperatorRefusal, ReasonMissing) as refusal:
            raise CommandError(str(refusal)) from refusal
        made = {"user": user.username, "participant": participant.slug, "scopes": sorted(member.scopes), "role": role}
        self.stdout.write(json.dumps(made if options["ask"] else made | {"one_time_password": password}))


def _asked() -> str:
    password = getpass.getpass("Password: ")
    if password != getpass.getpass("Password again: "):
        raise CommandError("the two passwords differ")
    members.check_password(password)
    return password
