"""Endpoints in the console: looked at, paused and resumed with a reason, and let inside the network."""

import pytest
from django.urls import reverse

from rights.domain.staff import AUDITORS, OPERATORS
from rights.kernel.clock import to_datetime
from rights.models import Event
from settlement.models import Endpoint, EndpointHealth
from settlement.services.endpoints import Setup, register_endpoint
from tests.people import in_console
from tests.registry_desk import MINT, NOW_US, Desk
from tests.supply_desk import SupplyDesk

pytestmark = pytest.mark.django_db


@pytest.fixture
def endpoint(monkeypatch):
    monkeypatch.setattr("exchange.admin.endpoints.now_us", lambda: NOW_US)
    capability = SupplyDesk(Desk()).capability
    said = Setup("openai", "https://supplier.example/v1", "large-1", "sk-hidden")
    made = register_endpoint(
        capability_id=str(capability.uuid), said=said, endpoint_id=MINT.uuid(NOW_US), is_operator=False, actor="test", now_us=NOW_US
    )
    later = to_datetime(NOW_US + 1)
    EndpointHealth.objects.create(endpoint=made, failures_in_a_row=5, opened_until=later, latency_us=12_000, updated_at=later)
    return made


def act(client, name, row, **form):
    return client.post(reverse(f"admin:settlement_endpoint_{name}", args=[row.pk]), form)


@pytest.mark.parametrize("kind", [OPERATORS, AUDITORS])
def test_pages_show_how_it_fares_and_no_secret(kind, endpoint):
    client = in_console(kind)
    listed = client.get(reverse("admin:settlement_endpoint_changelist"), {"q": "bor"}).content.decode()
    one = client.get(reverse("admin:settlement_endpoint_change", args=[endpoint.pk])).content.decode()
    assert "https://supplier.example/v1" in listed
    assert "12 ms" in one
    assert "open" in one
    assert "sk-hidden" not in listed + one
    assert endpoint.secret not in listed + one


def test_pausing_needs_a_reason(endpoint):
    client = in_console(OPERATORS)
    assert act(client, "pause", endpoint).status_code == 200
    assert Endpoint.objects.get().status == "active"
    assert act(client, "pause", endpoint, reason="it answers nonsense").status_code == 302
    assert Endpoint.objects.get().status == "paused"
    assert '"reason":"it answers nonsense"' in Event.objects.get(type="endpoint.changed").body
    assert act(client, "resume", endpoint, reason="repaired").status_code == 302
    assert Endpoint.objects.get().status == "active"
    assert act(in_console(AUDITORS), "pause", endpoint, reason="x").status_code == 403


def test_only_here_an_address_is_let_inside(endpoint):
    client = in_console(OPERATORS)
    assert act(client, "call_inside", endpoint, base_url="ftp://10.0.0.7", reason="our rack").status_code == 422
    inside = {"base_url": "http://10.0.0.7:8000/v1", "reason": "our rack"}
    assert act(client, "call_inside", endpoint, **inside).status_code == 422  # the secret was said for another host
    assert act(client, "call_inside", endpoint, **inside, secret="sk-inside").status_code == 302
    row = Endpoint.objects.get()
    assert (row.base_url, row.inside, row.model) == ("http://10.0.0.7:8000/v1", True, "large-1")
