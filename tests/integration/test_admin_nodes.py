"""Nodes in the console: their pages open with rows behind them, and an operator puts a node out and lets it in again."""

import pytest
from django.urls import reverse

from rights.domain.staff import AUDITORS, OPERATORS
from rights.models import Event
from settlement.models import Job, Node
from settlement.services.lease import lease_jobs
from tests.node_desk import Network
from tests.people import in_console as console
from tests.registry_desk import NOW_US, Desk
from tests.supply_desk import SupplyDesk

pytestmark = pytest.mark.django_db


@pytest.fixture
def network(monkeypatch):
    """The console lives at the desk's time."""
    monkeypatch.setattr("exchange.admin.nodes.now_us", lambda: NOW_US)
    network = Network(SupplyDesk(Desk()))
    network.offer(2)
    lease_jobs(node_id=network.node().node_id, most=1, workloads=None, now_us=NOW_US)
    return network


@pytest.mark.parametrize("kind", [OPERATORS, AUDITORS])
def test_every_page_opens(kind, network):
    client = console(kind)
    for model in (Node, Job):
        name = f"admin:settlement_{model._meta.model_name}"
        assert client.get(reverse(f"{name}_changelist"), {"q": "bor"} if model is Node else {}).status_code == 200
        for row in model.objects.all():
            assert client.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200


def test_out_and_in_again(network):
    operator, node = console(OPERATORS), Node.objects.get()
    act = {name: reverse(f"admin:settlement_node_{name}", args=[node.pk]) for name in ("suspend", "reinstate")}
    assert operator.post(act["suspend"], {}).status_code == 200  # no reason given
    assert operator.post(act["suspend"], {"reason": "a complaint"}).status_code == 302
    node.refresh_from_db()
    assert (node.status, node.suspended_by, Job.objects.filter(state="open").count()) == ("suspended", "venue", 2)
    assert operator.post(act["suspend"], {"reason": "again"}).status_code == 422
    assert console(AUDITORS).post(act["reinstate"], {"reason": "x"}).status_code == 403
    assert operator.post(act["reinstate"], {"reason": "settled"}).status_code == 302
    assert '"reason":"settled"' in Event.objects.get(type="node.reinstated").body
