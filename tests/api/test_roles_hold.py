"""A role that was taken back is gone at every door that it opened: a scope alone opens none of them (SPEC §2)."""

import pytest

from rights.models import RoleGrant
from rights.services.roles import revoke_role
from tests.supply_desk import SupplyDesk
from tests.unit.rights.domain.manifests import chat_day

NEEDS = {"requires_issuer_consent": True}


def take_back(desk, role: str) -> None:
    for grant in RoleGrant.objects.filter(participant=desk.accounts["issuer"].participant, role=role, revoked_at=None):
        revoke_role(grant_id=str(grant.uuid), reason="gone rogue", actor="test", now_us=desk.now_us)


@pytest.fixture
def doors(desk, caller):
    """Whatever an issuer does, ready to be done: (method, path, body)."""
    holder, issuer = f"acc_{desk.accounts['holder'].uuid}", caller("issuer")
    manifest = chat_day(resource={"amount": "1000"}, transfer_policy=NEEDS)
    sleeping = issuer.post("rights", {"manifest": manifest, "holder": holder, "activate": False}).json()["id"]
    awake = issuer.post("rights", {"manifest": manifest, "holder": holder}).json()["id"]
    asked = (
        caller("holder").post("consents", {"right_id": awake, "taker": f"acc_{desk.accounts['other'].uuid}", "units": "10"}).json()["id"]
    )
    supply = SupplyDesk(desk)
    supply.post(10**9)
    pledged = supply.assure(10**6)
    source = {"capability_id": f"cap_{supply.capability.uuid}", "units": "10"}
    other_terms = chat_day(assurance={"reference": "rack-8"})
    window = {"start": "2026-12-01T00:00:00Z", "end": "2026-12-02T00:00:00Z"}
    return {
        "issue": ("post", "rights", {"manifest": manifest, "holder": holder}),
        "activate": ("post", f"rights/{sleeping}/activate", {}),
        "pause": ("post", f"rights/{awake}/freeze", {"freeze_reason": "issuer_pause", "reason": "test"}),
        "approve": ("post", f"consents/{asked}/approve", {}),
        "let stand": ("put", "standing-consents", {"issuer_id": "issuer"}),
        "assure": ("post", "assurances", {"terms": other_terms, "gross_units": "10", "sources": [source]}),
        "refresh": ("patch", f"assurances/ast_{pledged.uuid}", {"note": "checked"}),
        "list": (
            "post",
            "listings",
            {
                "class": desk.assurance.compute_class.key,
                "window": window,
                "tick_size": "0.01",
                "collar": {"low": "0.01", "high": "10.00"},
                "opens_at": "2026-11-02T00:00:00Z",
            },
        ),
    }


DOORS = ("issue", "activate", "pause", "approve", "let stand", "assure", "refresh", "list")


@pytest.mark.parametrize("door", DOORS)
def test_without_the_role_the_scope_opens_nothing(desk, caller, doors, door):
    method, path, body = doors[door]
    issuer = caller("issuer", "issue", "consent", "read")
    take_back(desk, "issuer")
    answer = getattr(issuer, method)(path, body)
    assert (answer.status_code, answer.json()["gates"][0]["code"]) == (409, "role_missing")


@pytest.mark.parametrize("door", DOORS)
def test_with_the_role_it_opens(caller, doors, door):
    method, path, body = doors[door]
    answer = getattr(caller("issuer", "issue", "consent", "read"), method)(path, body)
    assert answer.status_code in {200, 201}, answer.content


def test_the_registry_acknowledges_by_its_role(desk, caller):
    plain = {"issuer_id": "issuer", "kind": "acknowledgment"}
    operator = caller("issuer", "operate")
    assert operator.put("standing-consents", plain).status_code == 200
    take_back(desk, "registry_admin")
    assert operator.put("standing-consents", plain).json()["gates"][0]["code"] == "role_missing"
