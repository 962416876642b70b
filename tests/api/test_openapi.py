"""The document and the running routes are the same."""

import json

from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from jsonschema import Draft202012Validator

from exchange.api import node_entry, openapi, order_entry
from exchange.api.base import ApiView

UNDESCRIBED = {"/api/v1/docs", "/api/v1/asyncapi.json"}  # a page for people, and the socket's own document


def _routes(resolver=None, prefix="/"):
    for pattern in (resolver or get_resolver()).url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern, route)
        elif isinstance(pattern, URLPattern) and route.startswith("/api/"):
            yield route.replace("<str:", "{").replace("<path:", "{").replace(">", "}"), getattr(pattern.callback, "view_class", None)


def _running():
    found = set()
    for route, view in _routes():
        if route in UNDESCRIBED:
            continue
        assert issubclass(view, ApiView), route
        handlers = {m for m in ("get", "post", "put", "patch", "delete") if hasattr(view, m)}
        assert {m.upper() for m in handlers} == set(view.scopes) == set(view.docs), route
        found |= {(route, method) for method in handlers}
    return found


def _described():
    return {(path, method) for path, operations in openapi.document()["paths"].items() for method in operations}


def test_every_route_is_described_and_every_description_runs():
    running, described = _running(), _described()
    assert running <= described
    beyond = described - running
    assert beyond
    for path, method in beyond:
        plain = path.replace("{order_id}", "ord_x").replace("{client_order_id}", "x")
        scope = {"type": "http", "path": plain, "method": method.upper()}
        assert order_entry.serves(scope) or node_entry.serves(scope), (path, method)


def test_operation_ids_are_unique_and_references_resolve():
    document = openapi.document()
    ids = [operation["operationId"] for operations in document["paths"].values() for operation in operations.values()]
    assert len(ids) == len(set(ids))
    text = json.dumps(document)
    for name in {part.split('"')[0] for part in text.split("#/components/")[1:]}:
        at = document["components"]
        for step in name.split("/"):
            at = at[step]
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_served_as_data_and_as_a_page(db):
    served = Client().get("/api/v1/schema").json()
    assert served == json.loads(json.dumps(openapi.document()))
    assert served["openapi"] == "3.1.0"
    page = Client().get("/api/v1/docs")
    assert page.status_code == 200
    text = page.content.decode()
    assert "/api/v1/orders/batch" in text
    assert "https://" not in text.replace("https://json-schema.org", "").replace("https://synthference.org", "")
