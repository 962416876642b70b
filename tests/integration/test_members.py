"""Members: added, changed, locked out, given a password that opens nothing until they have chosen their own."""

import json
import re
from io import StringIO

import orjson
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from exchange.audit.run import audit
from exchange.models import Membership
from exchange.services import members, standing
from exchange.services.identity import principal_of_user
from exchange.services.members import Standing, change_member, choose_password, new_password
from exchange.services.operator_refusal import OperatorRefusal
from rights.domain.reason import ReasonMissing
from rights.domain.staff import AUDITORS, OPERATORS
from rights.kernel.clock import now_us
from rights.models import Event
from tests.integration.console_market import a_market
from tests.people import PASSWORD, a_member, in_console

pytestmark = pytest.mark.django_db
TRADER = ("read", "trade", "cancel")


@pytest.fixture
def acme():
    return a_market().participant


def events(kind: str) -> list[dict]:
    return [orjson.loads(body) for body in Event.objects.filter(type=kind).order_by("seq").values_list("body", flat=True)]


def change(user: User, standing: Standing, *, as_root: bool = False, reason: str = "test") -> Membership:
    row = Membership.objects.get(user=user)
    return change_member(membership=row, standing=standing, reason=reason, actor="user:1", now_us=now_us(), as_root=as_root)


def refused(code: str):
    return pytest.raises(OperatorRefusal, check=lambda refusal: refusal.code == code)


def assert_whole() -> None:
    found = {broken.check: broken.rows for broken in audit(now_us=now_us()).broken}
    assert not {"objects", "events_apply", "actor_allowed", "two_persons"} & found.keys(), found


class TestStanding:
    def test_scopes_change_from_the_next_request_on(self, acme):
        ann = a_member("ann", owner=acme, scopes=TRADER)
        assert principal_of_user(ann).scopes == set(TRADER)
        change(ann, Standing(("read",)))
        assert principal_of_user(ann).scopes == {"read"}
        assert events("member.changed")[0]["payload"] == {
            "active": True,
            "groups": [],
            "participant": "acme",
            "reason": "test",
            "scopes": ["read"],
            "staff": False,
        }
        assert_whole()

    def test_switched_off_nothing_opens(self, acme):
        ann = a_member("ann", owner=acme, scopes=TRADER)
        client = Client()
        client.force_login(ann)
        assert client.get("/account").status_code == 200
        change(ann, Standing(TRADER, active=False))
        assert client.get("/account").status_code == 302
        ann.refresh_from_db()
        assert principal_of_user(ann) is None
        assert not standing.may(f"user:{ann.pk}", "trade", now_us())
        change(ann, Standing(TRADER))
        assert standing.may(f"user:{ann.pk}", "trade", now_us())
        assert_whole()

    def test_what_is_refused(self, acme):
        ann = a_member("ann", owner=acme, scopes=TRADER)
        with refused("standing_unchanged"):
            change(ann, Standing(("cancel", "trade", "read", "read")))
        with refused("scope_unknown"):
            change(ann, Standing(("fly",)))
        with refused("group_unknown"):
            change(ann, Standing(TRADER, ("kings",)), as_root=True)
        with pytest.raises(ReasonMissing):
            change(ann, Standing(()), reason=" ")
        assert events("member.changed") == []

    @pytest.mark.parametrize(
        "standing", [Standing(TRADER, (OPERATORS,)), Standing(("operate",)), Standing((), (AUDITORS,)), Standing(("audit",))]
    )
    def test_the_venues_own_people_are_made_by_root_only(self, acme, standing):
        ann = a_member("ann", owner=acme, scopes=TRADER)
        with refused("root_only"):
            change(ann, standing)
        change(ann, standing, as_root=True)
        with refused("root_only"):
            change(ann, Standing(TRADER))
        with refused("root_only"):
            new_password(membership=ann.membership, password=members.one_time_password(), reason="x", actor="user:1", now_us=now_us())
        assert_whole()

    def test_an_operator_is_staff_and_an_ordinary_member_is_not(self, acme):
        ann = a_member("ann", owner=acme)
        change(ann, Standing(("read",), (OPERATORS,)), as_root=True)
        ann.refresh_from_db()
        assert (ann.is_staff, standing.may(f"user:{ann.pk}", "operate", now_us())) == (True, True)
        change(ann, Standing(("read",)), as_root=True)
        ann.refresh_from_db()
        assert (ann.is_staff, standing.may(f"user:{ann.pk}", "operate", now_us())) == (False, False)


class TestPasswords:
    def test_a_one_time_password_opens_one_page(self, acme):
        ann = a_member("ann", owner=acme, scopes=TRADER, groups=(OPERATORS,))
        browser = Client()
        browser.force_login(ann)
        once = members.one_time_password()
        assert re.fullmatch(r"([a-z2-9]{5}-){3}[a-z2-9]{5}", once)
        new_password(membership=ann.membership, password=once, reason="lost", actor="user:1", now_us=now_us(), as_root=True)
        assert browser.get("/account").status_code == 302, "the old session has ended"

        client = Client()
        assert client.post("/login", {"username": "ann", "password": PASSWORD}).status_code == 401
        assert client.post("/login", {"username": "ann", "password": once}).status_code == 302
        for path in ("/", "/account", "/rights", "/admin/", reverse("console_events")):
            assert client.get(path).headers["Location"] == "/password", path
        assert client.get("/api/v1/orders").status_code == 401
        ann.refresh_from_db()
        assert principal_of_user(ann) is None
        assert not standing.may(f"user:{ann.pk}", "operate", now_us())

        assert b"Somebody else made your present password" in client.get("/password").content
        own = "a horse of another colour"
        wrong = (
            {"old": "x", "new": own, "again": own},
            {"old": once, "new": own, "again": own + "s"},
            {"old": once, "new": once, "again": once},
            {"old": once, "new": "short", "again": "short"},
            {"old": once, "new": "password1234", "again": "password1234"},
            {"old": once, "new": "a" * 257, "again": "a" * 257},
            {},
        )
        for form in wrong:
            assert client.post("/password", form).status_code == 422, form
        assert Membership.objects.get(user=ann).password_once
        assert client.post("/password", {"old": once, "new": own, "again": own}).headers["Location"] == "/account"
        assert client.get("/account").status_code == 200
        assert client.get("/admin/").status_code == 200
        assert [event["payload"]["once"] for event in events("member.password_set")] == [True, False]
        texts = "".join(Event.objects.values_list("body", flat=True))
        assert once not in texts
        assert own not in texts
        assert_whole()

    def test_a_password_is_chosen_by_hand_too(self, acme):
        ann = a_member("ann", owner=acme)
        with refused("password_weak"):
            choose_password(membership=ann.membership, password="ann", actor=f"user:{ann.pk}", now_us=now_us())
        choose_password(membership=ann.membership, password="tall grass, low sun", actor=f"user:{ann.pk}", now_us=now_us())
        ann.refresh_from_db()
        assert ann.password.startswith("argon2$")
        assert ann.check_password("tall grass, low sun")

    def test_the_console_has_no_door_of_its_own(self, acme):
        assert Client().get("/admin/login/?next=/admin/").headers["Location"] == "/login?next=/admin/"
        assert Client().get("/admin/password_change/").headers["Location"] == "/password"

    def test_strangers_and_users_without_membership(self, acme):
        assert Client().get("/password").status_code == 302
        assert b"acts for no participant" in in_console("superuser").get("/password").content


class TestConsole:
    def test_an_operator_adds_a_member_and_sees_the_password_once(self, acme):
        client = in_console(OPERATORS)
        address = reverse("admin:exchange_membership_add_new")
        form = {"participant": acme.pk, "username": "nora", "email": "", "scopes": ["read", "trade"], "reason": "signed the rules"}
        assert client.get(address).status_code == 200
        assert client.post(address, {**form, "reason": ""}).status_code == 200
        assert client.post(address, {**form, "scopes": ["operate"]}).status_code == 200
        assert client.post(address, {**form, "username": "no ra"}).status_code == 422
        assert not User.objects.filter(username__startswith="no").exists()
        page = client.post(address, form)
        secret = page.context["shown"].secret
        assert secret.encode() in page.content
        assert "no-store" in page.headers["Cache-Control"]
        assert secret not in str(client.get(reverse("admin:exchange_membership_changelist")).content)
        assert client.post(address, form).status_code == 422
        member = Membership.objects.get(user__username="nora")
        assert (member.scopes, member.password_once, member.user.is_staff) == (["read", "trade"], True, False)
        told = events("member.added")[-1]
        assert (told["payload"]["reason"], told["payload"]["groups"]) == ("signed the rules", [])
        assert Client().post("/login", {"username": "nora", "password": secret}).status_code == 302
        assert_whole()

    def test_an_operator_changes_members_and_not_his_own_kind(self, acme):
        client, nora, chief = in_console(OPERATORS), a_member("nora", owner=acme, scopes=TRADER), a_member("chief", groups=(OPERATORS,))
        address = reverse("admin:exchange_membership_change_standing", args=[nora.membership.pk])
        assert b'name="groups"' not in client.get(address).content
        assert client.post(address, {"active": "on", "scopes": ["read"], "groups": [OPERATORS], "reason": "asked for"}).status_code == 302
        nora.refresh_from_db()
        assert (Membership.objects.get(user=nora).scopes, list(nora.groups.all())) == (["read"], [])
        assert client.post(address, {"scopes": ["read"], "reason": "left"}).status_code == 302
        assert not User.objects.get(username="nora").is_active
        for act in ("change_standing", "new_password"):
            form = {"active": "on", "scopes": ["read"], "reason": "mine"}
            refusal = client.post(reverse(f"admin:exchange_membership_{act}", args=[chief.membership.pk]), form)
            assert refusal.status_code == 422, act
        assert_whole()

    def test_a_superuser_gives_roles_and_the_registry_remembers(self, acme):
        client, nora = in_console("superuser"), a_member("nora", owner=acme)
        address = reverse("admin:exchange_membership_change_standing", args=[nora.membership.pk])
        assert client.post(address, {"active": "on", "groups": [OPERATORS], "scopes": ["read"], "reason": "new desk"}).status_code == 302
        assert events("member.changed")[-1]["payload"]["groups"] == [OPERATORS]
        secret = client.post(reverse("admin:exchange_membership_new_password", args=[nora.membership.pk]), {"reason": "lost"})
        assert secret.context["shown"].secret.encode() in secret.content
        assert_whole()

    def test_auditors_look(self, acme):
        client, nora = in_console(AUDITORS), a_member("nora", owner=acme)
        for act in ("add_new",):
            assert client.get(reverse(f"admin:exchange_membership_{act}")).status_code == 403
        for act in ("change_standing", "new_password"):
            assert client.post(reverse(f"admin:exchange_membership_{act}", args=[nora.membership.pk]), {"reason": "x"}).status_code == 403
        assert client.get(reverse("admin:auth_user_change", args=[nora.pk])).status_code == 200

    def test_nobody_edits_a_user(self, acme):
        nora = a_member("nora", owner=acme)
        for kind in ("superuser", OPERATORS, AUDITORS):
            client = in_console(kind)
            assert client.get(reverse("admin:auth_user_add")).status_code == 403
            assert client.post(reverse("admin:auth_user_change", args=[nora.pk]), {"is_superuser": "on"}).status_code == 403


def run(*words: str) -> dict:
    out = StringIO()
    call_command(*words, stdout=out)
    return json.loads(out.getvalue())


class TestCommands:
    def test_a_member_with_a_one_time_password(self, acme):
        made = run("create_member", "acme", "nora")
        assert {k: v for k, v in made.items() if k != "one_time_password"} == {
            "user": "nora",
            "participant": "acme",
            "scopes": ["cancel", "read", "trade"],
            "role": None,
        }
        user = User.objects.get(username="nora")
        assert (user.check_password(made["one_time_password"]), user.membership.password_once) == (True, True)
        assert events("member.added")[-1]["actor"] == "command:create_member"
        assert_whole()

    def test_an_operator_of_an_empty_venue_with_a_typed_password(self, monkeypatch):
        monkeypatch.setattr("getpass.getpass", lambda _prompt: "seven tall ships")
        made = run("create_member", "venue", "root", "--role", "operator", "--ask")
        assert made == {"user": "root", "participant": "venue", "scopes": ["audit", "clearing", "operate", "read"], "role": "operator"}
        user = User.objects.get(username="root")
        assert (user.check_password("seven tall ships"), user.is_staff, user.membership.password_once) == (True, True, False)
        client = Client()
        assert (
            client.post("/login", {"username": "root", "password": "seven tall ships", "next": "/admin/"}).headers["Location"] == "/admin/"
        )
        assert client.get("/admin/").context["desk"] is True

    def test_typed_passwords_that_are_refused(self, acme, monkeypatch):
        answers = iter(["short", "short", "seven tall ships", "eight tall ships"])
        monkeypatch.setattr("getpass.getpass", lambda _prompt: next(answers))
        for _ in range(2):
            with pytest.raises(CommandError):
                run("create_member", "acme", "nora", "--ask")
        assert not User.objects.filter(username="nora").exists()

    @pytest.mark.parametrize(
        "words", [("nobody", "nora"), ("acme", "no ra"), ("acme", "nora", "--scopes", "fly"), ("acme", "nora", "--reason", " ")]
    )
    def test_what_create_member_refuses(self, acme, words):
        with pytest.raises(CommandError):
            run("create_member", *words)
        assert not Membership.objects.exists()

    def test_changing_one(self, acme):
        run("create_member", "acme", "nora")
        told = run("change_member", "nora", "--role", "auditor", "--scopes", "read,audit", "--reason", "new desk")
        assert told == {"user": "nora", "active": True, "scopes": ["audit", "read"], "groups": [AUDITORS]}
        assert run("change_member", "nora", "--off", "--role", "none", "--scopes", "", "--reason", "left") == {
            "user": "nora",
            "active": False,
            "scopes": [],
            "groups": [],
        }
        again = run("change_member", "nora", "--on", "--scopes", "read", "--new-password", "--reason", "back")
        user = User.objects.get(username="nora")
        assert (user.is_active, user.check_password(again["one_time_password"])) == (True, True)
        for words in (("nobody", "--off", "--reason", "x"), ("nora", "--reason", "x"), ("nora", "--on", "--reason", "x")):
            with pytest.raises(CommandError):
                run("change_member", *words)
        assert_whole()
