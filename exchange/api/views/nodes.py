"""Nodes of suppliers over REST: their owner registers, names and suspends them; the venue suspends and reinstates any."""

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api import fields, node_render
from exchange.api.base import ApiView, not_found, page
from exchange.api.doc import Doc
from exchange.api.form import Form
from exchange.api.problems import Problem
from exchange.api.refusals import as_problems
from exchange.api.views.rights import MINT
from exchange.api.views.suppliers import OneSupplier
from exchange.selectors import nodes as found_nodes
from exchange.selectors.nodes import NodeRow
from exchange.selectors.registry import EVERYTHING
from exchange.services.idempotency import Done
from rights.kernel.ids import bare
from settlement.services import nodes
from settlement.services.nodes import NewNode

STATUSES = {"active": "active", "suspended": "suspended"}


def _shown(uuid: str) -> dict[str, Any]:
    found = found_nodes.node(uuid)
    if found is None:
        raise not_found()
    return node_render.node(found)


class NodesView(OneSupplier):
    scopes: ClassVar = {"GET": "read", "POST": "supply"}
    queries: ClassVar = {"GET": ("status", "limit", "cursor")}
    docs: ClassVar = {
        "GET": Doc("The nodes of a supplier of the caller's (operators and auditors: of any), newest first", "Node", listed=True),
        "POST": Doc("Register a node of a supplier of the caller's", "Node", body="NodeRequest", status=201, idempotent=True),
    }

    def get(self, _request: Request, supplier_id: str) -> Response:
        row = self.supplier(supplier_id)
        if row.participant_id != self.principal.participant_id and not self.principal.scopes & EVERYTHING:
            raise Problem("forbidden", "a supplier's nodes are its own matter")
        limit, before = self.query.limit(), self.query.cursor("nodes", "i")
        found = found_nodes.nodes(
            supplier_id=row.id, limit=limit, before=int(before[0]) if before else None, status=self.query.choice("status", STATUSES)
        )
        return page(found, limit, "nodes", lambda one: (one.id,), node_render.node)

    def post(self, _request: Request, supplier_id: str) -> Response:
        form = Form(self.body, ("name", "public_key"))
        said = NewNode(form.need("name", "", fields.text, 1, 80), form.need("public_key", "", fields.text, 44, 44))
        form.close()
        row, node_id = self.owned(supplier_id), MINT.uuid(self.now_us)

        def act() -> Done:
            with as_problems():
                nodes.register_node(supplier_id=row.uuid, said=said, node_id=node_id, actor=self.principal.actor, now_us=self.now_us)
            return Done(201, _shown(node_id))

        return self.once(act)


class NodeWorkView(ApiView):
    """Paths that nodes work through: here they have no methods (exchange/api/node_entry)."""

    elsewhere = ("POST",)
    docs: ClassVar[dict[str, Doc]] = {}


class NodeView(ApiView):
    scopes: ClassVar = {"GET": "read", "PATCH": frozenset({"supply", "operate"})}
    docs: ClassVar = {
        "GET": Doc("A node of the caller's supplier (operators and auditors: any)", "Node"),
        "PATCH": Doc(
            "Name a node, suspend or reinstate it",
            "Node",
            body="NodeChange",
            idempotent=True,
            description="Its owner reinstates what it suspended itself; an operator reinstates any, and its strikes are forgotten.",
        ),
    }

    def get(self, _request: Request, node_id: str) -> Response:
        return Response(node_render.node(self._node(node_id)))

    def patch(self, _request: Request, node_id: str) -> Response:
        form = Form(self.body, ("name", "status", "reason"))
        name = form.read("name", None, fields.text, 1, 80)
        status = form.read("status", None, fields.choice, STATUSES)
        reason = form.read("reason", "", fields.text, 1, 500)
        if form.given("status") and not form.given("reason"):
            form.wrong("reason", "is required with a status", "required")
        form.close()
        row = self._node(node_id)
        owns = row.participant_id == self.principal.participant_id and self.principal.may("supply")
        by = "venue" if self.principal.may("operate") else "supplier"
        if not owns and (by == "supplier" or name is not None):
            raise Problem("forbidden", "only its owner names a node")

        def act() -> Done:
            told: dict[str, Any] = {"node_id": row.uuid, "actor": self.principal.actor, "now_us": self.now_us}
            with as_problems():
                if name is not None:
                    nodes.rename_node(name=name, **told)
                if status is not None:
                    (nodes.suspend_node if status == "suspended" else nodes.reinstate_node)(by=by, reason=reason, **told)
            return Done(200, _shown(row.uuid))

        return self.once(act)

    def _node(self, node_id: str) -> NodeRow:
        """A node that the caller may see; there is no other."""
        uuid = bare("nod", node_id)
        found = found_nodes.node(uuid) if uuid else None
        if found is None or (found.participant_id != self.principal.participant_id and not self.principal.scopes & EVERYTHING):
            raise not_found()
        return found
