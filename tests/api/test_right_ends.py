"""Merging, amending, ending and replacing over REST, each by whoever has the role for it."""

import pytest

from tests.unit.rights.domain.manifests import chat_day


def acc(desk, slug):
    return f"acc_{desk.accounts[slug].uuid}"


def issue(desk, caller, holder="issuer", *, activate=True, **patch):
    body = {"manifest": chat_day(**patch, resource={"amount": "1000"}), "holder": acc(desk, holder), "activate": activate}
    return caller("issuer").post("rights", body).json()


def code(answer):
    return answer.json()["gates"][0]["code"]


def test_siblings_are_merged_by_their_holder(desk, caller):
    holder = caller("holder")
    right = issue(desk, caller, "holder")["id"]
    first, second = (holder.post(f"rights/{right}/split", {"units": "100"}).json()["child"]["id"] for _ in range(2))
    merged = holder.post(f"rights/{first}/merge", {"source_right_id": second}).json()
    assert merged["remaining_amount"] == "200"
    assert caller("other").post(f"rights/{first}/merge", {"source_right_id": second}).status_code == 404
    assert code(holder.post(f"rights/{first}/merge", {"source_right_id": right})) == "not_siblings"


@pytest.mark.parametrize(("act", "status"), [("finalize", "finalized"), ("burn", "burned")])
def test_a_right_ends_by_a_role_and_no_scope_replaces_it(desk, caller, act, status):
    right = issue(desk, caller, activate=act == "finalize")["id"]
    with_scope = caller("other", "operate")
    assert code(with_scope.post(f"rights/{right}/{act}", {"reason": "closed"})) == "role_missing"
    ended = caller("issuer").post(f"rights/{right}/{act}", {"reason": "closed"}).json()
    assert (ended["status"], ended["remaining_amount"]) == (status, "0")
    told = caller("issuer").get(f"rights/{right}/events").json()["data"]
    assert [event["payload"]["reason"] for event in told if event["type"] == f"right.{status}"] == ["closed"]


def test_roles_over_rest(desk, caller):
    admin, other = caller("issuer"), caller("other", "operate", "read")
    body = {"participant": "other", "role": "burner", "issuer_id": "issuer", "reason": "holiday cover"}
    assert code(other.post("roles", body)) == "role_missing"
    granted = admin.post("roles", body).json()
    assert [row["role"] for row in other.get("roles?participant=other").json()["data"]] == ["burner"]
    right = issue(desk, caller, activate=False)["id"]
    assert other.post(f"rights/{right}/burn", {"reason": "x"}).json()["status"] == "burned"
    assert admin.post(f"roles/{granted['id']}/revoke", {"reason": "back again"}).json()["revoked_at"] is not None
    again = issue(desk, caller, activate=False)["id"]
    assert code(other.post(f"rights/{again}/burn", {"reason": "x"})) == "role_missing"


def test_amendments_by_class(desk, caller):
    issuer = caller("issuer")
    right = issue(desk, caller)["id"]
    renamed = chat_day(resource={"amount": "1000"}, metadata={"label": "evening"})
    told = issuer.post(f"rights/{right}/amend", {"amendment": "metadata-only", "reason": "clearer", "manifest": renamed}).json()
    assert told["metadata"]["label"] == "evening"
    stricter = chat_day(resource={"amount": "1000"}, metadata={"label": "evening"}, service={"privacy_class": "confidential"})
    refused = issuer.post(f"rights/{right}/amend", {"amendment": "issuer-correction", "reason": "x", "manifest": stricter})
    assert "replacement_needed" in [gate["code"] for gate in refused.json()["gates"]]
    missing = issuer.post(f"rights/{right}/amend", {"amendment": "limit-adjustment", "reason": "x"})
    assert missing.json()["field_errors"][0]["field"] == "manifest"
    moved = issuer.post(
        f"rights/{right}/amend", {"amendment": "holder-reassignment", "reason": "court order", "holder": acc(desk, "other")}
    )
    assert moved.json()["holder"] == acc(desk, "other")
    told = issuer.get(f"rights/{right}/events").json()["data"]
    assert "court order" in [event["payload"].get("reason") for event in told if event["type"] == "right.amended"]
    frozen = issuer.post(f"rights/{right}/amend", {"amendment": "administrative-freeze", "reason": "under review"}).json()
    assert (frozen["status"], frozen["freeze_reason"]) == ("frozen", "governance")


def test_a_replacement_over_rest(desk, caller):
    stricter = {"service": {"privacy_class": "confidential"}}
    desk.assure(patch=stricter, gross_units=10_000)
    right = issue(desk, caller, "holder")["id"]
    body = {"manifest": chat_day(**stricter, resource={"amount": "1000"}), "kind": "migrated", "reason": "stricter privacy"}
    made = caller("issuer").post(f"rights/{right}/replace", body).json()
    assert (made["former"]["status"], made["latter"]["holder"]) == ("finalized", acc(desk, "holder"))
    assert made["latter"]["links"] == [{"kind": "migrated", "relation": "replaces", "right_id": right}]
    assert made["former"]["links"][0]["relation"] == "replaced_by"


def test_the_manifest_schema_is_published(desk, caller):
    assert caller().get("manifest-schema").json()["$schema"].endswith("schema")
