"""A write that is sent again under its Idempotency-Key is answered as the first time, whatever has become of what it acted upon."""

from tests.unit.rights.domain.manifests import chat_day

KEY = {"Idempotency-Key": "one"}


def acc(desk, slug):
    return f"acc_{desk.accounts[slug].uuid}"


def a_right(desk, caller, **policy):
    manifest = chat_day(resource={"amount": "1000"}, transfer_policy=policy)
    return caller("issuer").post("rights", {"manifest": manifest, "holder": acc(desk, "holder")}).json()["id"]


def same(first, again):
    assert (first.status_code // 100, again.status_code) == (2, first.status_code)
    assert again.json() == first.json()


def test_a_right_that_was_given_away(desk, caller):
    name = a_right(desk, caller)
    give = {"to": acc(desk, "other"), "units": "1000"}
    holder = caller("holder", "transfer", "read")
    first = holder.post(f"rights/{name}/transfer", give, **KEY)
    assert holder.get(f"rights/{name}").status_code == 404
    same(first, holder.post(f"rights/{name}/transfer", give, **KEY))
    other = holder.post(f"rights/{name}/transfer", give | {"units": "1"}, **KEY)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
    assert holder.post(f"rights/{name}/transfer", give).status_code == 404


def test_a_request_that_was_withdrawn(desk, caller):
    name = a_right(desk, caller, requires_issuer_consent=True)
    holder = caller("holder", "transfer", "read")
    asked = holder.post("consents", {"right_id": name, "taker": acc(desk, "other"), "units": "10"}).json()["id"]
    first = holder.post(f"consents/{asked}/revoke", {"reason": "sold"}, **KEY)
    assert first.json()["state"] == "revoked"
    same(first, holder.post(f"consents/{asked}/revoke", {"reason": "sold"}, **KEY))
    assert holder.post(f"consents/{asked}/revoke", {"reason": "sold"}).status_code == 404


def test_a_delegation_that_was_revoked(desk, caller):
    name, holder = a_right(desk, caller), caller("holder")
    window = {"valid_from": "2026-12-01T00:00:00Z", "valid_until": "2026-12-02T00:00:00Z"}
    made = holder.post("delegations", {"right_id": name, "delegate": acc(desk, "other"), "max_units": "10"} | window)
    assert made.status_code == 201, made.content
    path = f"delegations/{made.json()['id']}"
    same(holder.delete(path, **KEY), holder.delete(path, **KEY))
    assert holder.delete(path).status_code == 409


def test_a_key_does_not_help_whoever_may_not(desk, caller):
    name = a_right(desk, caller)
    give = {"to": acc(desk, "other"), "units": "1000"}
    assert caller("holder").post(f"rights/{name}/transfer", give, **KEY).status_code == 201
    assert caller("holder", "read").post(f"rights/{name}/transfer", give, **KEY).status_code == 403
    assert caller("issuer").post(f"rights/{name}/transfer", give, **KEY).status_code == 404
