"""Keys and sessions: made once, shown once, ended at once; the same POST twice is done once."""

import json
import threading

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from exchange.models import ApiKey, IdempotencyKey
from exchange.services import bell, idempotency, identity, keys
from rights.kernel.clock import now_us
from tests.api.conftest import Caller
from tests.registry_desk import Desk

BODY = {"scopes": ["read", "cancel"], "label": "bot"}


def test_member_makes_and_revokes_a_key(member):
    person = member("buyer")
    made = person.post("keys", BODY)
    assert made.status_code == 201
    body = made.json()
    stored = ApiKey.objects.get(uuid=body["id"][4:])
    assert body["token"].startswith(body["id"] + ".")
    assert stored.secret_sha256 not in made.content.decode()
    assert body["token"].split(".")[1] not in json.dumps([str(v) for v in vars(stored).values()])
    program = Caller(body["token"])
    assert program.get("balances").status_code == 200
    listed = person.get("keys").json()["data"][0]
    assert "token" not in listed
    assert listed["id"] == body["id"]
    assert person.delete(f"keys/{body['id']}").json()["revoked_at"]
    assert program.get("balances").status_code == 401
    assert person.delete(f"keys/{body['id']}").status_code == 200


def test_revoking_tells_the_sockets_after_commit(floor, member, django_capture_on_commit_callbacks):
    person = member("buyer")
    key_id = person.post("keys", BODY).json()["id"]
    heard = bell.client().pubsub()
    heard.subscribe("keys")
    assert heard.get_message(timeout=5)["type"] == "subscribe"
    with django_capture_on_commit_callbacks(execute=True):
        person.delete(f"keys/{key_id}")
    assert heard.get_message(timeout=5)["data"] == f"revoked:{key_id[4:]}".encode()
    heard.close()


def test_a_key_makes_no_keys_and_ends_only_itself(caller, floor):
    one, other = caller("buyer"), caller("buyer")
    assert one.post("keys", BODY).json()["code"] == "forbidden"
    other_id = other.token.split(".")[0]
    assert one.delete(f"keys/{other_id}").json()["code"] == "forbidden"
    assert caller("seller").delete(f"keys/{other_id}").status_code == 403
    assert other.delete(f"keys/{other_id}").status_code == 200
    assert other.get("balances").status_code == 401


def test_a_member_can_not_touch_foreign_keys(member, floor):
    foreign = member("seller").post("keys", BODY).json()["id"]
    assert member("buyer").delete(f"keys/{foreign}").status_code == 404
    assert member("buyer").delete("keys/key_nonsense").status_code == 404


def test_scopes_are_never_more_than_the_makers(member, floor):
    answer = member("buyer", "read").post("keys", {"scopes": ["read", "operate"]})
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


def test_writing_by_session_needs_the_csrf_token(member, floor):
    person = member("buyer")
    del person.headers["X-CSRFToken"]
    answer = person.post("keys", BODY)
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed")
    assert answer["Content-Type"] == "application/problem+json"
    assert person.get("balances").status_code == 200


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer x", "Basic abc", "Bearer key_0192e4a0-0000-7000-8000-000000000000." + "a" * 43, "Bearer \xff"]
)
def test_bad_keys_all_answer_alike(floor, caller, header):
    answer = caller().get("balances", Authorization=header)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer["WWW-Authenticate"] == "Bearer"


def test_expired_and_suspended(floor, caller):
    soon = keys.create(account_id=floor.accounts["buyer"].pk, scopes={"read"}, label="", expires_us=now_us() - 1, now_us=now_us())
    assert identity.principal_by_bearer(soon.token, now_us()) is None
    program = caller("buyer", "read", "trade", "cancel")
    participant = floor.accounts["buyer"].participant
    participant.status = "suspended"
    participant.save()
    principal = identity.principal_by_bearer(program.token, now_us())
    assert principal.scopes == {"read", "cancel"}
    assert principal.suspended


def test_the_same_post_twice_is_done_once(member, floor):
    person = member("buyer")
    first = person.post("keys", BODY, **{"Idempotency-Key": "abc"})
    again = person.post("keys", dict(reversed(BODY.items())), **{"Idempotency-Key": "abc"})
    assert first.status_code == again.status_code == 201
    assert again["Idempotent-Replayed"] == "true"
    assert again.json() == first.json() | {"token": None}
    assert ApiKey.objects.filter(label="bot").count() == 1
    assert "token" in first.json()
    assert first.json()["token"] not in IdempotencyKey.objects.get().body
    other = person.post("keys", BODY | {"label": "other"}, **{"Idempotency-Key": "abc"})
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
    elsewhere = member("seller").post("keys", BODY, **{"Idempotency-Key": "abc"})
    assert (elsewhere.status_code, elsewhere.has_header("Idempotent-Replayed")) == (201, False)


@pytest.mark.parametrize("key", ["", "a" * 129, "a b", "\x00", "ü"])
def test_idempotency_keys_are_printable(member, floor, key):
    answer = member("buyer").post("keys", BODY, **{"Idempotency-Key": key})
    assert answer.status_code == 400
    assert answer.json()["code"] in {"validation_failed", "malformed_request"}


def test_a_refused_post_keeps_nothing(member, floor):
    person = member("buyer", "read")
    assert person.post("keys", {"scopes": ["trade"]}, **{"Idempotency-Key": "k"}).status_code == 403
    assert person.post("keys", {"scopes": ["read"]}, **{"Idempotency-Key": "k"}).status_code == 201


def test_keys_of_idempotency_are_kept_for_a_day(member, floor):
    person = member("buyer")
    person.post("keys", BODY, **{"Idempotency-Key": "k"})
    floor.now_us += idempotency.KEEP_US + 1
    late = person.post("keys", BODY | {"label": "late"}, **{"Idempotency-Key": "k"})
    assert (late.status_code, late.has_header("Idempotent-Replayed")) == (201, False)
    assert idempotency.forget(now_us=floor.now_us + idempotency.KEEP_US + 1) == 1


@pytest.mark.django_db(transaction=True)
def test_twins_at_the_same_moment_act_once():
    account = Desk().accounts["holder"].pk
    acts, answers, started = [], [], threading.Barrier(4)

    def act():
        acts.append(1)
        return idempotency.Done(201, {"n": len(acts)})

    def call():
        started.wait()
        try:
            answers.append(idempotency.once(account_id=account, key="k", print_hex="f", act=act, now_us=now_us()))
        finally:
            connection.close()

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(acts) == 1
    assert [a.body for a in answers] == [{"n": 1}] * 4
    assert sorted(a.replayed for a in answers) == [False, True, True, True]
    with transaction.atomic():
        IdempotencyKey.objects.all().delete()


def test_create_key_prints_one_json_line(floor, capsys):
    call_command("create_key", "buyer", "--scopes", "read,trade")
    (line,) = capsys.readouterr().out.splitlines()
    made = json.loads(line)
    assert set(made) == {"key_id", "token"}
    assert Caller(made["token"]).get("keys").json()["data"][0]["id"] == made["key_id"]
