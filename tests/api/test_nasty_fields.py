"""Every nasty value on every field of every write Django serves: 4xx with the field named, and nothing changes."""

import json
from urllib.parse import quote

import pytest
from django.db import connection, transaction

from tests.api import good_values as good
from tests.api.nasty_values import BODIES, VALUES, for_field
from tests.api.state import state_hash
from tests.unit.rights.domain.manifests import chat_day


def state_now() -> str:
    with connection.cursor() as cursor:
        return state_hash(cursor)


@pytest.fixture
def writes(desk, caller, member):
    """name → (caller, path, good body)."""
    issuer, holder = caller("issuer"), caller("holder")
    right = issuer.post(
        "rights", {"manifest": chat_day(resource={"amount": "1000"}), "holder": f"acc_{desk.accounts['holder'].uuid}"}
    ).json()
    asleep = issuer.post("rights", {"manifest": chat_day(resource={"amount": "1000"}), "activate": False}).json()
    path = f"rights/{right['id']}"
    operator = caller("issuer", "operate")
    other = f"acc_{desk.accounts['other'].uuid}"
    needy = chat_day(resource={"amount": "1000"}, transfer_policy={"requires_issuer_consent": True})
    kept = issuer.post("rights", {"manifest": needy, "holder": f"acc_{desk.accounts['holder'].uuid}"}).json()
    asked = holder.post("consents", {"right_id": kept["id"], "taker": other, "units": "2"}).json()
    return {
        "keys": (member("issuer"), "keys", {"kind": "bearer", "label": "x", "scopes": ["read"], "expires_at": "2030-01-01T00:00:00Z"}),
        "issue": (issuer, "rights", {"manifest": chat_day(resource={"amount": "10"}), "holder": "me", "activate": True}),
        "activate": (issuer, f"rights/{asleep['id']}/activate", {}),
        "split": (holder, f"{path}/split", {"units": "5"}),
        "freeze": (issuer, f"{path}/freeze", {"freeze_reason": "issuer_pause", "reason": "x"}),
        "unfreeze": (issuer, f"{path}/unfreeze", {"reason": "x"}),
        "transfer": (holder, f"{path}/transfer", {"to": other, "units": "1"}),
        "consent": (
            holder,
            "consents",
            {"right_id": kept["id"], "taker": other, "units": "1", "kind": "consent", "note": "x", "deadline_at": "2030-01-01T00:00:00Z"},
        ),
        "merge": (holder, f"{path}/merge", {"source_right_id": kept["id"]}),
        "amend": (
            issuer,
            f"rights/{asleep['id']}/amend",
            {"amendment": "metadata-only", "reason": "x", "manifest": chat_day(resource={"amount": "1000"}, metadata={"label": "new"})},
        ),
        "finalize": (issuer, f"{path}/finalize", {"reason": "x", "ref": "stl"}),
        "burn": (issuer, f"rights/{asleep['id']}/burn", {"reason": "x"}),
        "replace": (issuer, f"{path}/replace", {"manifest": chat_day(resource={"amount": "10"}), "kind": "replaced", "reason": "x"}),
        "role": (issuer, "roles", {"participant": "other", "role": "burner", "issuer_id": "issuer", "reason": "x"}),
        "approve": (issuer, f"consents/{asked['id']}/approve", {"note": "x", "expires_at": None}),
        "deny": (issuer, f"consents/{asked['id']}/deny", {"reason": "x"}),
        "revoke": (issuer, f"consents/{asked['id']}/revoke", {"reason": "x"}),
        "attest": (operator, "attestations", {"holder": other, "kind": "kyc", "value": None, "evidence": "file", "expires_at": None}),
        "check": (holder, "transfer-checks", {"right_id": right["id"], "units": "1", "buyer": f"acc_{desk.accounts['other'].uuid}"}),
    }


NAMES = (
    "keys", "issue", "activate", "split", "freeze", "unfreeze", "transfer", "merge", "amend", "finalize", "burn", "replace", "role",
    "consent", "approve", "deny", "revoke", "attest", "check",
)  # fmt: skip


# What the fields of a write may take; a field that is not here takes none of the values. Fields inside a manifest have tests of their own.
REASON, SHAPE = good.text(500), good.public
_GOOD: dict[str, good.Good] = {
    "reason": REASON,
    "note": good.or_null(REASON),
    "units": good.digits(),
    "to": SHAPE("acc"),
    "taker": SHAPE("acc"),
    "buyer": SHAPE("acc"),
    "right_id": SHAPE("rgt"),
    "source_right_id": SHAPE("rgt"),
    "activate": good.flag,
    "label": good.text(80, least=0),
    "ref": good.or_null(good.text(80)),
    "expires_at": good.or_null(good.never),
    "deadline_at": good.or_null(good.never),
    "issuer_id": good.or_null(good.never),
    "evidence": good.text(200),
    "value": good.or_null(good.text(40)),
}
_GOOD_IN = {
    ("issue", "holder"): lambda value: value == "me" or SHAPE("acc")(value),
    ("attest", "holder"): SHAPE("acc"),
    ("attest", "kind"): good.text(40),
}


def _may_be(name: str, way: tuple[str, ...], raw: bytes) -> bool:
    if len(way) > 1:
        return True
    return _GOOD_IN.get((name, way[0]), _GOOD.get(way[0], good.never))(good.read(raw))


def _fields(body: dict, prefix: tuple[str, ...] = ()):
    for name, value in body.items():
        yield (*prefix, name)
        if isinstance(value, dict):
            yield from _fields(value, (*prefix, name))


def _with(body: object, way: tuple[str, ...], raw: bytes) -> bytes:
    """The body as JSON with `raw` in the place of one field."""
    changed = json.loads(json.dumps(body))
    at = changed
    for name in way[:-1]:
        at = at[name]
    at[way[-1]] = "@@here@@"
    return json.dumps(changed).encode().replace(b'"@@here@@"', raw)


def _try(who, path: str, raw: bytes, method: str = "post"):
    """Write, and take back what a value that happens to be good has done."""
    with transaction.atomic():
        answer = who.client.generic(method.upper(), f"/api/v1/{path}", raw, content_type="application/json", headers=who.headers)
        if answer.status_code < 400:
            transaction.set_rollback(True)
    return answer


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("unhurried")
def test_nasty_values_change_nothing_and_name_the_field(writes, name):
    who, path, body = writes[name]
    before = state_now()
    ways = list(_fields(body)) if name != "issue" else [w for w in _fields(body) if len(w) < 4]
    # The manifest has a hundred fields with tests of its own: here each takes its share of the values.
    for number, way in enumerate(ways):
        for raw in for_field(number, depth=len(way)):
            answer = _try(who, path, _with(body, way, raw))
            assert answer.status_code < 500, (way, raw[:80])
            assert answer.status_code == 400 or _may_be(name, way, raw), (way, raw[:80], answer.json())
            if answer.status_code == 400:
                named = [error["field"] for error in answer.json()["field_errors"]]
                fits = any(field.startswith(way[0]) for field in named)
                assert fits or _breaks_the_whole(raw), (way, raw[:80], answer.json())
    assert state_now() == before


def _breaks_the_whole(raw: bytes) -> bool:
    """Fragments that end the object early, or begin a comment, are not inside the field any more."""
    try:
        json.loads(b"[" + raw + b"]")
    except (ValueError, RecursionError):
        return True
    return raw.startswith((b"1,", b"["))


@pytest.mark.parametrize("name", NAMES)
def test_nasty_bodies_and_unknown_fields(writes, name):
    who, path, body = writes[name]
    before = state_now()
    # Where nothing has to be said, an empty body says it all.
    for raw in BODIES if body and name != "approve" else BODIES[1:]:
        answer = _try(who, path, raw)
        assert 400 <= answer.status_code < 500, raw[:60]
    for raw in VALUES[::7]:
        if not _breaks_the_whole(raw):
            answer = _try(who, path, _with({**body, "surplus": 1}, ("surplus",), raw))
            assert answer.status_code == 400
            assert [e["field"].partition(".")[0] for e in answer.json()["field_errors"]] == ["surplus"], raw[:60]
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml", ""):
        answer = who.client.post(f"/api/v1/{path}", json.dumps(body), content_type=kind, headers=who.headers)
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert state_now() == before


@pytest.mark.parametrize(
    "path", ["orders?cursor=", "fills?cursor=", "ledger?cursor=", "instruments?window_from=", "rights?holder=", "orders?instrument="]
)
def test_nasty_queries(desk, caller, path):
    who = caller("holder", "read")
    for raw in VALUES:
        answer = who.get(path + quote(raw[:2000]))
        assert answer.status_code in {200, 400}, raw[:80]


@pytest.mark.parametrize(
    "path", ["orders/{}", "fills/{}", "rights/{}", "instruments/{}/book", "orders/by-client-id/{}", "classes/{}", "assurances/{}"]
)
def test_nasty_paths(desk, caller, path):
    who = caller("holder", "read")
    for raw in VALUES:
        text = quote(raw.strip(b'"')[:500], safe="")
        if text.strip(".") and text not in {"batch", "preview"}:
            answer = who.get(path.format(text))
            assert answer.status_code in {400, 404}, raw[:80]
