"""The work of nodes: lease, keep, complete, fail, as a raw ASGI application on a short path of its own (docs/nodes.md)."""

from exchange.api.node_entry.application import application, serves
from exchange.api.node_entry.line import let_go

__all__ = ["application", "let_go", "serves"]
