"""Order entry: the hot path of REST, as a raw ASGI application (docs/adr/0001)."""

from exchange.api.order_entry.application import application, serves

__all__ = ["application", "serves"]
