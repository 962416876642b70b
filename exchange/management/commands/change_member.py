"""`manage.py change_member USERNAME …`: another role, other scopes, a new one-time password, on or off; prints one JSON line."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from exchange.management.member_words import ROLES, listed
from exchange.models import Membership
from exchange.services import members
from exchange.services.members import Standing
from exchange.services.operator_refusal import OperatorRefusal
from rights.domain.reason import ReasonMissing
from rights.kernel.clock import now_us

ACTOR = "command:change_member"


class Command(BaseCommand):
    help = "Change what a member may do, recorded in the registry with the reason. Prints one JSON line."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--scopes", help="comma-separated: all the member shall have")
        parser.add_argument("--role", choices=[*sorted(ROLES), "none"], help="in the console")
        parser.add_argument("--off", action="store_true", help="nothing opens to this member any more")
        parser.add_argument("--on", action="store_true", help="take --off back")
        parser.add_argument("--new-password", action="store_true", help="make a one-time password; the member's sessions end")
        parser.add_argument("--reason", required=True, help="goes on the record")

    def handle(self, *_args: Any, **options: Any) -> None:
        membership = Membership.objects.select_related("user", "participant").filter(user__username=options["username"]).first()
        if membership is None:
            raise CommandError(f"no member {options['username']}")
        told = {"reason": options["reason"], "actor": ACTOR, "now_us": now_us(), "as_root": True}
        password = members.one_time_password() if options["new_password"] else None
        try:
            with transaction.atomic():
                if any((options["scopes"] is not None, options["role"], options["off"], options["on"])):
                    membership = members.change_member(membership=membership, standing=_wanted(membership, options), **told)
                elif password is None:
                    raise CommandError("say what to change: --scopes, --role, --off, --on or --new-password")
                if password is not None:
                    members.new_password(membership=membership, password=password, **told)
        except (OperatorRefusal, ReasonMissing) as refusal:
            raise CommandError(str(refusal)) from refusal
        now = members.standing_of(Membership.objects.select_related("user").get(pk=membership.pk))
        answer = {"user": options["username"], "active": now.active, "scopes": list(now.scopes), "groups": list(now.groups)}
        self.stdout.write(json.dumps(answer if password is None else answer | {"one_time_password": password}))


def _wanted(membership: Membership, options: dict[str, Any]) -> Standing:
    before = members.standing_of(membership)
    role = options["role"]
    groups = before.groups if role is None else ROLES.get(role, ())
    scopes = before.scopes if options["scopes"] is None else listed(options["scopes"])
    return Standing(scopes, groups, (before.active or options["on"]) and not options["off"])
