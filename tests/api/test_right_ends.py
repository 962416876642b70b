"""Merging, amending, ending and replacing over REST, each by whoever has the role for it."""

import pytest

from exchange.services.operator_refusal import OperatorRefusal
from exchange.services.proposals import approve
from rights.domain.staff import OPERATORS
from rights.kernel.ids import bare
from rights.models import Event
from rights.services.refusals import LifecycleRefusedError
from settlement.services.consume import consume_right
from settlement.services.endings import expire_right
from tests.people import a_member
from tests.registry_desk import DAY_US, MINT, START_US
from tests.unit.rights.domain.manifests import chat_day


def acc(desk, slug):
    return f"acc_{desk.accounts[slug].uuid}"


def issue(desk, caller, holder="issuer", *, activate=True, **patch):
    body = {"manifest": chat_day(**patch, resource={"amount": "1000"}), "holder": acc(desk, holder), "activate": activate}
    return caller("issuer").post("rights", body).json()


def code(answer):
    return answer.json()["gates"][0]["code"]


def second(desk, answer, name="second"):
    """Another operator agrees to what was proposed."""
    by = f"user:{a_member(name, groups=(OPERATORS,)).pk}"
    return by, approve(proposal_id=answer.json()["id"][4:], reason="seen", mint=MINT, actor=by, now_us=desk.now_us)


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


IN_OTHER_HANDS = {
    "finalize": ("finalize", {"ref": "case 7"}),
    "burn": ("burn", {}),
    "reassign": ("amend", {"amendment": "holder-reassignment"}),
    "replace": ("replace", {"manifest": chat_day(resource={"amount": "900"})}),
}


def taken(desk, caller, act):
    """(the right, the answer) of an act of one key on what the holder has."""
    right = issue(desk, caller, "holder", activate=act != "burn")["id"]
    path, body = IN_OTHER_HANDS[act]
    to = {"holder": acc(desk, "other")} if act == "reassign" else {}
    return right, caller("issuer").post(f"rights/{right}/{path}", body | to | {"reason": "court order"})


@pytest.mark.parametrize("act", IN_OTHER_HANDS)
def test_what_lies_in_other_hands_is_taken_by_two(desk, caller, act):
    right, proposed = taken(desk, caller, act)
    assert (proposed.status_code, proposed.json()["kind"], proposed.json()["status"]) == (202, act, "open")
    told = proposed.json()["act"]
    assert (told["right"], told["holder"], told["units"]) == (right, acc(desk, "holder"), "1000")
    there = caller("issuer").get(f"rights/{right}").json()
    assert (there["status"], there["holder"], there["remaining_amount"]) == (
        "issued" if act == "burn" else "active",
        acc(desk, "holder"),
        "1000",
    )
    by, _ = second(desk, proposed)
    ended = caller("issuer").get(f"rights/{right}").json()
    status = {"reassign": "active", "burn": "burned"}.get(act, "finalized")
    assert (ended["status"], ended["holder"]) == (status, acc(desk, "other" if act == "reassign" else "holder"))
    kind = {"reassign": "right.amended", "burn": "right.burned"}.get(act, "right.finalized")
    (event,) = [e for e in caller("issuer").get(f"rights/{right}/events").json()["data"] if e["type"] == kind]
    assert (event["payload"]["approved_by"], event["payload"]["reason"]) == (by, "court order")
    if act == "replace":
        assert (ended["links"][0]["relation"], ended["links"][0]["kind"]) == ("replaced_by", "replaced")


@pytest.mark.parametrize("act", IN_OTHER_HANDS)
def test_a_right_that_went_on_meanwhile_is_another_matter(desk, caller, act):
    right, proposed = taken(desk, caller, act)
    if act == "burn":  # only what is active moves
        assert caller("issuer").post(f"rights/{right}/activate", {}).status_code == 200
    moved = caller("holder").post(f"rights/{right}/transfer", {"to": acc(desk, "other"), "units": "1000"})
    assert moved.status_code == 201
    events = Event.objects.count()
    with pytest.raises(LifecycleRefusedError, check=lambda refused: refused.code == "right_changed"):
        second(desk, proposed)
    assert caller("other").get(f"rights/{right}").json()["remaining_amount"] == "1000"
    assert Event.objects.count() == events + 1  # the second operator was added


@pytest.mark.parametrize("act", IN_OTHER_HANDS)
def test_who_lost_the_role_meanwhile_leaves_his_proposal_without_effect(desk, caller, act):
    right, proposed = taken(desk, caller, act)
    for role in caller("issuer").get("roles?participant=issuer").json()["data"]:
        if role["role"] in {"finalizer", "burner"}:
            caller("issuer").post(f"roles/{role['id']}/revoke", {"reason": "left"})
    admin = next(role for role in caller("issuer").get("roles?participant=issuer").json()["data"] if role["role"] == "registry_admin")
    caller("issuer").post(f"roles/{admin['id']}/revoke", {"reason": "left"})
    with pytest.raises(OperatorRefusal, check=lambda refused: refused.code == "role_missing"):
        second(desk, proposed)
    assert caller("holder").get(f"rights/{right}").json()["remaining_amount"] == "1000"


def test_an_empty_right_in_other_hands_is_closed_by_one(desk, caller):
    """Nothing is taken from anybody."""
    right = issue(desk, caller, "holder")["id"]
    desk.now_us = START_US
    consume_right(right_id=bare("rgt", right), units=1000, ref="req_1", mint=MINT, actor="test", now_us=START_US)
    ended = caller("issuer").post(f"rights/{right}/finalize", {"reason": "over"})
    assert (ended.status_code, ended.json()["status"]) == (200, "finalized")


def test_issuer_alone_replaces_nothing_that_is_held(desk, caller):
    """Without the finalizer's role there is nothing to propose."""
    right = issue(desk, caller, "holder")["id"]
    for role in caller("issuer").get("roles?participant=issuer").json()["data"]:
        if role["role"] == "finalizer":
            caller("issuer").post(f"roles/{role['id']}/revoke", {"reason": "left"})
    answer = caller("issuer").post(f"rights/{right}/replace", {"manifest": chat_day(resource={"amount": "900"}), "reason": "x"})
    assert (answer.status_code, code(answer)) == (409, "right_not_held")


def test_roles_over_rest(desk, caller):
    admin, other = caller("issuer"), caller("other", "operate", "read")
    body = {"participant": "other", "role": "burner", "issuer_id": "issuer", "reason": "holiday cover"}
    assert code(other.post("roles", body)) == "role_missing"
    granted = admin.post("roles", body).json()
    assert [row["role"] for row in other.get("roles?participant=other").json()["data"]] == ["burner"]
    right = issue(desk, caller, activate=False)["id"]
    assert other.post(f"rights/{right}/burn", {"reason": "x"}).json()["kind"] == "burn"
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
    right = issue(desk, caller)["id"]
    body = {"manifest": chat_day(**stricter, resource={"amount": "1000"}), "kind": "migrated", "reason": "stricter privacy"}
    made = caller("issuer").post(f"rights/{right}/replace", body).json()
    assert (made["former"]["status"], made["latter"]["holder"]) == ("finalized", acc(desk, "issuer"))
    assert made["latter"]["links"] == [{"kind": "migrated", "relation": "replaces", "right_id": right}]
    assert made["former"]["links"][0]["relation"] == "replaced_by"


def test_the_manifest_schema_is_published(desk, caller):
    assert caller().get("manifest-schema").json()["$schema"].endswith("schema")


def test_what_a_right_carried_over_is_shown_at_both_ends_and_nobody_rolls_by_hand(desk, caller):
    terms = {"settlement_policy": {"expiry_policy": "roll"}}
    for day in (1, 2):
        window = {"start": f"2026-12-0{day}T00:00:00Z", "end": f"2026-12-0{day + 1}T00:00:00Z"}
        desk.assure(patch={**terms, "window": window}, gross_units=1_000, stale_after_s=10**7)
    right = issue(desk, caller, "holder", **terms)["id"]
    by_hand = {"manifest": chat_day(**terms, resource={"amount": "900"}), "kind": "rolled", "reason": "by hand"}
    refused = caller("issuer").post(f"rights/{right}/replace", by_hand)
    assert (refused.status_code, refused.json()["field_errors"][0]["field"]) == (400, "kind")
    expire_right(right_id=bare("rgt", right), mint=MINT, actor="timetable", now_us=START_US + DAY_US)
    holder = caller("holder")
    (link,) = holder.get(f"rights/{right}").json()["links"]
    assert (link["relation"], link["kind"]) == ("replaced_by", "rolled")
    latter = holder.get(f"rights/{link['right_id']}").json()
    assert (latter["remaining_amount"], latter["status"], latter["window"]["start"]) == ("1000", "active", "2026-12-02T00:00:00Z")
    assert latter["links"] == [{"kind": "rolled", "relation": "replaces", "right_id": right}]
    told = [event["payload"] for event in holder.get(f"rights/{right}/events").json()["data"] if event["type"] == "right.expired"]
    assert told == [{"carried_units": "1000", "policy": "roll", "right": right, "units": "1000", "why": None}]
