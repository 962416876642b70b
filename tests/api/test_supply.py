"""Supply over REST (SPEC §7): suppliers describe themselves, issuers pledge what was offered to them, anybody sees what backs rights."""

import base64

import pytest

from rights.models import Event
from rights.services.refresh_assurance import mark_stale_due
from tests.registry_desk import DAY_US
from tests.unit.rights.domain.manifests import chat_day

WINDOW = {"start": "2026-12-01T00:00:00.000000Z", "end": "2026-12-02T00:00:00.000000Z"}
AXES = {
    "workload": "text.generation",
    "quality_band": "high",
    "latency_band": "realtime",
    "privacy_mode": "private-cluster",
    "environment": "dedicated-cluster",
    "availability": "reserved",
    "unit": "tokens",
}


@pytest.fixture
def boreal(desk, caller):
    desk.accounts["boreal"] = desk.open("boreal")
    return caller("boreal", "supply", "read")


@pytest.fixture
def supplier(boreal):
    made = boreal.post("suppliers", {"slug": "boreal", "name": "Boreal", "region": "US-EAST"})
    assert made.status_code == 201, made.json()
    return made.json()


@pytest.fixture
def capability(boreal, supplier):
    body = {**AXES, "constraints": ["region-us-only", "no-training-retention"], "tariff": {"amount": "0.15", "units": "1000000"}}
    made = boreal.post(f"suppliers/{supplier['id']}/capabilities", body)
    assert made.status_code == 201, made.json()
    return made.json()


@pytest.fixture
def place(capability):
    return f"suppliers/{capability['supplier_id']}/capabilities/{capability['id']}"


@pytest.fixture
def posted(boreal, place):
    made = boreal.post(f"{place}/capacity", {"window": WINDOW, "units": "1000000", "issuers": ["issuer"]})
    assert made.status_code == 201, made.json()
    return made.json()


def source(capability, units="1000000"):
    return {"capability_id": capability["id"], "units": units}


def assured(caller, capability, **body):
    """Post an assurance of everything the capability has posted."""
    plain = {"terms": chat_day(assurance={"reference": "own"}), "gross_units": "1000000", "sources": [source(capability)]}
    return caller("issuer", "issue").post("assurances", {**plain, **body})


def fields_of(answer):
    return [(error["field"], error["code"]) for error in answer.json()["field_errors"]]


def test_registering_and_looking(desk, caller, boreal, supplier):
    assert (supplier["status"], supplier["trust_bps"], supplier["mine"], supplier["public_key"]) == ("active", 5000, True, None)
    others = caller("other", "read")
    assert others.get(f"suppliers/{supplier['id']}").json() == {**supplier, "mine": False}
    assert [s["slug"] for s in others.get("suppliers").json()["data"]] == ["boreal"]
    assert others.get("suppliers?owner=me").json()["data"] == []
    assert boreal.get("suppliers?owner=me&status=active").json()["data"] == [supplier]
    taken = boreal.post("suppliers", {"slug": "boreal", "name": "B", "region": "US"})
    assert (taken.status_code, taken.json()["code"], fields_of(taken)) == (422, "supply_refused", [("slug", "supplier_exists")])


def test_a_key_is_one_and_an_empty_text_is_none(boreal, supplier):
    for wrong in ("", "A" * 43, "A" * 44):
        registered = boreal.post("suppliers", {"slug": "north", "name": "North", "region": "US", "public_key": wrong})
        changed = boreal.patch(f"suppliers/{supplier['id']}", {"public_key": wrong})
        assert [[field for field, _ in fields_of(answer)] for answer in (registered, changed)] == [["public_key"]] * 2
    key = base64.b64encode(bytes(32)).decode()
    assert boreal.patch(f"suppliers/{supplier['id']}", {"public_key": key}).json()["public_key"] == key
    assert boreal.patch(f"suppliers/{supplier['id']}", {"name": "Boreal North"}).json()["public_key"] == key


def test_every_field_that_is_wrong_is_named(boreal):
    wrong = boreal.post("suppliers", {"slug": "A B", "name": "", "region": "mars", "rank": 1})
    assert [field for field, _ in fields_of(wrong)] == ["rank", "slug", "name", "region"]


def test_the_same_key_registers_once(boreal):
    body = {"slug": "boreal", "name": "Boreal", "region": "US"}
    first, again = (boreal.post("suppliers", body, **{"Idempotency-Key": "k"}) for _ in range(2))
    assert first.json() == again.json()
    assert again["Idempotent-Replayed"] == "true"


def test_only_the_owner_writes_and_everybody_reads(desk, caller, boreal, supplier, capability, place, posted):
    stranger = caller("other", "supply", "read")
    for answer in (
        stranger.patch(f"suppliers/{supplier['id']}", {"name": "Mine"}),
        stranger.post(f"suppliers/{supplier['id']}/capabilities", AXES),
        stranger.delete(place),
        stranger.post(f"{place}/capacity", {"window": WINDOW, "units": "1"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert stranger.get(place).json() == capability
    assert stranger.get(f"suppliers/{supplier['id']}/capabilities").json()["data"] == [capability]
    assert stranger.get(f"{place}/capacity").json()["data"] == [{**posted, "issuers": []}]
    assert caller("issuer", "read").get(f"{place}/capacity").json()["data"] == [posted]
    assert caller("other", "read", "audit").get(f"{place}/capacity").json()["data"] == [posted]


def test_describing_anew(boreal, supplier):
    changed = boreal.patch(f"suppliers/{supplier['id']}", {"name": "Boreal North"}).json()
    assert (changed["name"], changed["region"]) == ("Boreal North", "US-EAST")


def test_capabilities(desk, caller, boreal, supplier, capability, place):
    assert capability["constraints"] == ["no-training-retention", "region-us-only"]
    assert capability["tariff"] == {"amount": "0.15", "units": "1000000", "currency": "USD"}
    wrong = {**AXES, "workload": "poetry", "constraints": ["Ok"], "tariff": {"amount": "1", "currency": "EUR"}}
    refused = boreal.post(f"suppliers/{supplier['id']}/capabilities", wrong)
    assert [field for field, _ in fields_of(refused)] == ["workload", "constraints.0", "tariff.currency"]
    operator = caller("other", "operate", "read")
    measured = operator.post(f"{place}/measure", {"reliability_bps": 9800, "reason": "a month of probes"}).json()
    assert measured["reliability_bps"] == 9800
    retired = boreal.delete(place).json()
    assert (retired["status"], retired["retired_at"] is None) == ("retired", False)
    assert boreal.delete(place).json()["code"] == "supply_refused"
    assert boreal.get(f"suppliers/{supplier['id']}/capabilities?status=live").json()["data"] == []
    assert boreal.get(f"suppliers/{supplier['id']}/capabilities?status=retired").json()["data"] == [retired]
    assert boreal.get(f"suppliers/sup_{capability['id'][4:]}/capabilities/{capability['id']}").status_code == 404


def test_capacity_by_window(boreal, place, posted):
    later = {"start": "2026-12-02T00:00:00.000000Z", "end": "2026-12-03T00:00:00.000000Z"}
    boreal.post(f"{place}/capacity", {"window": later, "units": "5"})
    again = boreal.post(f"{place}/capacity", {"window": WINDOW, "units": "900000"}).json()
    assert (again["revision"], again["units"], again["free_units"], again["issuers"]) == (2, "900000", "900000", [])
    first = boreal.get(f"{place}/capacity?limit=1").json()
    assert [c["window"] for c in first["data"]] == [WINDOW]
    second = boreal.get(f"{place}/capacity?limit=1&cursor={first['next_cursor']}").json()
    assert ([c["window"] for c in second["data"]], second["next_cursor"]) == ([later], None)
    assert [c["units"] for c in boreal.get(f"{place}/capacity?window_from=2026-12-02T00:00:00Z").json()["data"]] == ["5"]
    backwards = {"start": WINDOW["end"], "end": WINDOW["start"]}
    refused = boreal.post(f"{place}/capacity", {"window": backwards, "units": "5", "issuers": ["nobody"]})
    assert fields_of(refused) == [("window.end", "capacity_posting"), ("issuers.0", "capacity_posting")]


def test_the_venue_trusts_suspends_and_reinstates(desk, caller, boreal, supplier, capability, place, posted):
    operator = caller("other", "operate", "read")
    path = f"suppliers/{supplier['id']}"
    assert operator.post(f"{path}/assess", {"trust_bps": 9000, "reason": "audited"}).json()["trust_bps"] == 9000
    assert operator.post(f"{path}/suspend", {"reason": " "}).json()["field_errors"][0]["field"] == "reason"
    assert operator.post(f"{path}/suspend", {"reason": "outage"}).json()["status"] == "suspended"
    assert boreal.get(f"{place}/capacity").json()["data"][0]["units"] == "0"
    refused = boreal.post(f"{place}/capacity", {"window": WINDOW, "units": "5"})
    assert [gate["code"] for gate in refused.json()["gates"]] == ["supplier_suspended"]
    assert operator.post(f"{path}/reinstate", {"reason": "repaired"}).json()["status"] == "active"
    assert boreal.post(f"{path}/assess", {"trust_bps": 1, "reason": "x"}).json()["code"] == "scope_missing"


def test_from_terms_to_a_right(desk, caller, capability, posted):
    made = assured(caller, capability, haircut_bps=1000, degradation_plan="freeze-unsold")
    assert made.status_code == 201, made.json()
    backing = made.json()
    assert (backing["mode"], backing["reference"], backing["class"], backing["window"]) == (
        "reserved-capacity",
        "own",
        "TXT.CHAT.STD.INT.PRV",
        WINDOW,
    )
    assert (backing["usable_units"], backing["headroom_units"], backing["listed_units"]) == ("900000", "900000", "0")
    assert backing["sources"] == [{"capability_id": capability["id"], "window": WINDOW, "units": "1000000"}]
    terms = chat_day(resource={"amount": "900000"}, assurance={"reference": "own"})
    right = caller("issuer", "issue", "read").post("rights", {"manifest": terms}).json()
    assert right["assurance_id"] == backing["id"]
    after = caller().get(f"assurances/{backing['id']}").json()
    assert (after["issued_units"], after["headroom_units"]) == ("900000", "0")
    more = caller("issuer", "issue").post("rights", {"manifest": chat_day(resource={"amount": "1"}, assurance={"reference": "own"})})
    assert (more.json()["code"], fields_of(more)) == ("issuance_refused", [("manifest.resource.amount", "capacity_exhausted")])


def test_by_class_and_window(caller, capability, posted):
    body = {"class": "TXT.CHAT.STD.INT.PRV", "window": WINDOW, "mode": "inventory-posted", "reference": "by-class", "terms": None}
    assert assured(caller, capability, **body).status_code == 201
    unknown = assured(caller, capability, **{**body, "class": "TXT.NONE"})
    assert fields_of(unknown) == [("class", "unknown_value")]
    nothing = caller("issuer", "issue").post("assurances", {})
    assert [field for field, _ in fields_of(nothing)] == ["class", "window", "gross_units", "sources", "mode", "reference"]
    both = assured(caller, capability, window=WINDOW)
    assert fields_of(both) == [("class", "conflict")]


def test_refusals_name_the_field_and_the_rule(caller, boreal, capability, place, posted):
    short = assured(caller, capability, gross_units="1000001", sources=[source(capability, "999999"), source(capability, "1")])
    assert (short.status_code, short.json()["code"]) == (422, "issuance_refused")
    assert fields_of(short) == [("sources.1", "source_twice")]
    wrong = assured(caller, capability, gross_units="1000001", sources=[source(capability, "1000001")])
    assert fields_of(wrong) == [("sources.0", "capacity_pledged")]
    mode = assured(caller, capability, mode="local-allocation")
    assert fields_of(mode) == [("mode", "path_not_allowed"), ("sources.0", "source_foreign")]
    boreal.post(f"{place}/capacity", {"window": WINDOW, "units": "1000000"})
    assert fields_of(assured(caller, capability)) == [("sources.0", "source_not_offered")]
    faulty = assured(caller, capability, terms=chat_day(resource={"amount": "1e3"}))
    assert [field for field, _ in fields_of(faulty)] == ["terms.resource.amount"]


def test_an_assurance_is_its_issuers(desk, caller, capability, posted):
    assert fields_of(assured(caller, capability, issuer="nobody")) == [("issuer", "unknown_value")]
    holder = caller("holder", "issue")
    refused = holder.post("assurances", {"terms": chat_day(), "gross_units": "1", "sources": [source(capability, "1")]})
    assert fields_of(refused) == [("issuer", "unknown_value")]
    backing = assured(caller, capability).json()
    assert holder.patch(f"assurances/{backing['id']}", {}).json()["code"] == "forbidden"


def test_refreshing(desk, caller, capability, posted):
    backing = assured(caller, capability).json()
    issuer = caller("issuer", "issue")
    desk.now_us += 7 * DAY_US + 1
    stale = caller().get(f"assurances/{backing['id']}").json()
    assert stale["status"] == "stale"  # before the timetable has marked it
    assert caller().get("assurances?status=stale").json()["data"][0]["id"] == backing["id"]
    mark_stale_due(now_us=desk.now_us)
    fresh = issuer.patch(f"assurances/{backing['id']}", {}).json()
    assert (fresh["status"], fresh["revision"], fresh["degraded_at"]) == ("sound", 2, None)
    assert fresh["refresh_due_at"] > stale["refresh_due_at"]
    terms = chat_day(resource={"amount": "900000"}, assurance={"reference": "own"})
    issuer.post("rights", {"manifest": terms})
    fallen = issuer.patch(f"assurances/{backing['id']}", {"gross_units": "800000"}).json()
    assert (fallen["status"], fallen["headroom_units"], fallen["issuable_units"]) == ("degraded", "0", "800000")
    again = issuer.post("rights", {"manifest": chat_day(resource={"amount": "1"}, assurance={"reference": "own"})}).json()
    assert [gate["code"] for gate in again["gates"]] == ["assurance_degraded", "capacity_exhausted"]
    refused = issuer.patch(f"assurances/{backing['id']}", {"gross_units": "1000001"})
    assert fields_of(refused) == [("gross_units", "sources_short")]
    sound = issuer.patch(f"assurances/{backing['id']}", {"gross_units": "1000000"}).json()
    assert (sound["status"], sound["headroom_units"]) == ("sound", "100000")


def test_only_an_operator_answers_for_what_has_no_sources(desk, caller):
    plain = f"assurances/ast_{desk.assurance.uuid}"
    assert fields_of(caller("issuer", "issue").patch(plain, {})) == [("sources", "assurance_unsourced")]
    before = Event.objects.count()
    operator = caller("other", "operate")
    assert fields_of(operator.patch(plain, {"haircut_bps": 500})) == [("note", "required")]
    assert operator.patch(plain, {"haircut_bps": 500, "note": "the rack was counted"}).json()["haircut_bps"] == 500
    assert "the rack was counted" in Event.objects.filter(type="assurance.refreshed").get().body
    assert Event.objects.count() == before + 1


def test_the_list_of_assurances(desk, caller, capability, posted):
    backing = assured(caller, capability).json()
    public = caller()
    first = public.get("assurances?limit=1").json()
    assert first["data"] == [{name: value for name, value in backing.items() if name != "listed_units"}]
    second = public.get(f"assurances?limit=1&cursor={first['next_cursor']}").json()
    assert ([a["reference"] for a in second["data"]], second["next_cursor"]) == ([desk.assurance.reference], None)
    assert len(public.get("assurances?issuer=issuer&class=TXT.CHAT.STD.INT.PRV&status=sound").json()["data"]) == 2
    assert public.get("assurances?issuer=nobody").json()["data"] == []
    assert public.get("assurances?status=degraded").json()["data"] == []
    assert public.get("assurances?status=frozen").status_code == 400
