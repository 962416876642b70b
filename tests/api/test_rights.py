"""Rights over REST: issue, look, split, freeze, check; strangers see nothing."""

from exchange.services.proposals import approve
from rights.domain.staff import OPERATORS
from tests.people import a_member
from tests.registry_desk import MINT
from tests.unit.rights.domain.manifests import chat_day


def _issue(caller, **body):
    return caller("issuer").post("rights", {"manifest": chat_day(resource={"amount": "10000000"})} | body)


def test_issue_and_read(desk, caller):
    holder_id = f"acc_{desk.accounts['holder'].uuid}"
    made = _issue(caller, holder=holder_id)
    assert made.status_code == 201, made.json()
    right = made.json()
    assert (right["status"], right["holder"], right["max_amount"]) == ("active", holder_id, "10000000")
    holder = caller("holder", "read")
    assert holder.get(f"rights/{right['id']}").json() == right
    assert right.pop("links") == []
    assert holder.get("rights?holder=me&status=active").json()["data"] == [right]
    assert holder.get("rights?status=frozen").json()["data"] == []
    assert caller("other", "read").get(f"rights/{right['id']}").status_code == 404
    assert caller("other", "read").get("rights").json()["data"] == []
    assert caller("other", "audit", "read").get(f"rights/{right['id']}").status_code == 200
    (alone,) = holder.get(f"rights/{right['id']}/lineage").json()["data"]
    assert alone == alone | {name: right[name] for name in alone.keys() & right.keys()}
    backing = caller().get(f"assurances/{right['assurance_id']}").json()
    assert (backing["issued_units"], backing["headroom_units"]) == ("10000000", "90000000")


def test_issuing_is_the_issuers(desk, caller):
    answer = caller("holder", "issue").post("rights", {"manifest": chat_day()})
    assert (answer.status_code, answer.json()["field_errors"][0]["field"]) == (400, "manifest.issuer.id")
    assert caller("issuer", "read").post("rights", {"manifest": chat_day()}).json()["code"] == "scope_missing"


def test_faults_of_the_manifest_name_their_field(desk, caller):
    answer = caller("issuer").post("rights", {"manifest": chat_day(resource={"amount": "1e3"})})
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed")
    assert answer.json()["field_errors"][0]["field"] == "manifest.resource.amount"


def test_capacity_is_a_refusal_with_reasons(desk, caller):
    answer = caller("issuer").post("rights", {"manifest": chat_day(resource={"amount": "100000001"})})
    body = answer.json()
    assert (answer.status_code, body["code"]) == (422, "issuance_refused")
    assert [g["code"] for g in body["gates"]] == ["capacity_exhausted"]


def test_split(desk, caller):
    right = _issue(caller, holder=f"acc_{desk.accounts['holder'].uuid}").json()
    holder = caller("holder")
    made = holder.post(f"rights/{right['id']}/split", {"units": "4000000"})
    assert made.status_code == 201
    both = made.json()
    assert (both["parent"]["remaining_amount"], both["child"]["remaining_amount"]) == ("6000000", "4000000")
    assert both["child"]["parent_right_id"] == right["id"]
    refused = holder.post(f"rights/{right['id']}/split", {"units": "6000000"})
    assert (refused.status_code, refused.json()["code"], refused.json()["gates"][0]["code"]) == (
        409,
        "lifecycle_refused",
        "units_unavailable",
    )
    assert caller("other").post(f"rights/{right['id']}/split", {"units": "1"}).status_code == 404
    assert caller("issuer").post(f"rights/{right['id']}/split", {"units": "1"}).status_code == 404


def test_freeze_and_unfreeze(desk, caller):
    right = _issue(caller, holder=f"acc_{desk.accounts['holder'].uuid}").json()
    issuer, operator, holder = caller("issuer", "issue", "read"), caller("issuer", "operate"), caller("holder", "issue", "read")
    path = f"rights/{right['id']}"
    assert holder.post(f"{path}/freeze", {"freeze_reason": "issuer_pause", "reason": "x"}).status_code == 404
    assert issuer.post(f"{path}/freeze", {"freeze_reason": "dispute", "reason": "x"}).json()["code"] == "forbidden"
    frozen = issuer.post(f"{path}/freeze", {"freeze_reason": "issuer_pause", "reason": "maintenance"})
    assert (frozen.status_code, frozen.json()["right"]["status"], frozen.json()["orders_pulled"]) == (200, "frozen", 0)
    twice = operator.post(f"{path}/freeze", {"freeze_reason": "dispute", "reason": "x"})
    assert (twice.status_code, twice.json()["code"]) == (409, "lifecycle_refused")
    assert "frozen" in twice.json()["detail"]
    assert issuer.post(f"{path}/unfreeze", {"reason": "done"}).json()["status"] == "active"
    operator.post(f"{path}/freeze", {"freeze_reason": "dispute", "reason": "x"})
    assert issuer.post(f"{path}/unfreeze", {"reason": "mine"}).json()["code"] == "forbidden"
    assert operator.post(f"{path}/unfreeze", {"reason": " "}).json()["field_errors"][0]["field"] == "reason"
    proposed = operator.post(f"{path}/unfreeze", {"reason": "settled"})
    assert (proposed.status_code, proposed.json()["kind"], proposed.json()["status"]) == (202, "unfreeze", "open")
    assert proposed.json()["act"] == {"freeze_reason": "dispute", "right": right["id"]}
    assert issuer.get(path).json()["status"] == "frozen"
    second = f"user:{a_member('second', groups=(OPERATORS,)).pk}"
    approve(proposal_id=proposed.json()["id"][4:], reason="agreed", mint=MINT, actor=second, now_us=desk.now_us)
    assert issuer.get(path).json()["status"] == "active"
    assert operator.post(f"{path}/unfreeze", {"reason": "again"}).json()["code"] == "lifecycle_refused"


def test_transfer_check_asks_every_gate(desk, caller):
    right = _issue(caller, holder=f"acc_{desk.accounts['holder'].uuid}").json()
    body = {"right_id": right["id"], "units": "1", "buyer": f"acc_{desk.accounts['other'].uuid}"}
    answer = caller("holder", "read").post("transfer-checks", body).json()
    assert answer["allowed"] is True
    assert all(set(gate) == {"code", "passed", "detail"} for gate in answer["gates"])
    too_many = caller("holder", "read").post("transfer-checks", body | {"units": "10000001"}).json()
    assert [g["code"] for g in too_many["gates"] if not g["passed"]] == ["units_unavailable"]
    assert caller("other", "read").post("transfer-checks", body).status_code == 404


def test_activate_once(desk, caller):
    right = _issue(caller, activate=False).json()
    assert right["status"] == "issued"
    issuer = caller("issuer")
    assert issuer.post(f"rights/{right['id']}/activate", {}).json()["status"] == "active"
    assert issuer.post(f"rights/{right['id']}/activate", {}).status_code == 409
    assert issuer.post(f"rights/{right['id']}/activate", {"x": 1}).json()["field_errors"][0]["field"] == "x"
