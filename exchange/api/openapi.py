"""The OpenAPI 3.1 document: generated from the running routes and what each view says of itself (`docs`, `scopes`, `queries`)."""

import functools
import re
from collections.abc import Iterable
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema

from exchange.api.doc import Doc
from exchange.api.schemas import COMPONENTS
from exchange.api.schemas.parameters import PATH, QUERY
from exchange.api.schemas.words import page_of, ref

PROBLEM = {"application/problem+json": {"schema": ref("Problem")}}
_HEADERS = {
    "X-Request-Id": {"description": "Names the request", "schema": {"type": "string"}},
    "RateLimit": {"description": "What is left of the tightest bucket", "schema": {"type": "string"}},
    "RateLimit-Policy": {"description": "The bucket's size and refill", "schema": {"type": "string"}},
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key with the same body is done once in 24 hours",
    "schema": {"type": "string", "pattern": "^[!-~]{1,128}$"},
}


def operation(
    doc: Doc, *, path: str, method: str, scope: str | Iterable[str], queries: Iterable[str] = (), headers: Iterable[dict[str, Any]] = ()
) -> dict[str, Any]:
    """One operation, for routes of Django and of order entry alike."""
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, **PATH[name]} for name in re.findall(r"\{(\w+)\}", path)
    ]
    parameters += [{"name": name, "in": "query", **QUERY[name]} for name in queries]
    parameters += [*headers, *([_IDEMPOTENCY_KEY] if doc.idempotent else [])]
    answer = page_of(doc.answer) if doc.listed else ref(doc.answer)
    found: dict[str, Any] = {
        "operationId": _operation_id(path, method),
        "summary": doc.summary,
        "tags": [path.removeprefix("/api/v1/").split("/")[0]],
        "responses": {
            str(doc.status): {"description": doc.summary, "headers": _HEADERS, "content": {"application/json": {"schema": answer}}},
            "4XX": {"description": "Refused; the code says why", "content": PROBLEM},
            "5XX": {"description": "Our fault", "content": PROBLEM},
        },
        "security": [],
    }
    for status, schema in doc.also.items():
        content = {"application/json": {"schema": ref(schema)}}
        found["responses"][str(status)] = {"description": schema, "headers": _HEADERS, "content": content}
    if doc.description:
        found["description"] = doc.description
    if parameters:
        found["parameters"] = parameters
    if doc.body:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": ref(doc.body)}}}
    if scope:
        names = [scope] if isinstance(scope, str) else sorted(scope)
        found["security"] = [{"key": names}, {"session": []}]
        found["x-any-scope"] = names
    return found


def _operation_id(path: str, method: str) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", " ", path.removeprefix("/api/v1/").replace("{", "by ")).split()
    return "_".join([method.lower(), *words])


class OperationSchema(AutoSchema):
    """drf-spectacular walks the routes; the operation is the view's own word."""

    def get_operation(self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any) -> dict[str, Any] | None:  # noqa: ARG002 - drf-spectacular's signature
        view: Any = self.view
        doc = getattr(view, "docs", {}).get(method)
        if doc is None:
            return None
        return operation(doc, path=path, method=method, scope=view.scopes[method], queries=view.queries.get(method, ()))


@functools.cache
def document() -> dict[str, Any]:
    """The whole document; routes don't change while a process runs."""
    from exchange.api.schemas.order_entry import PATHS  # noqa: PLC0415 - it builds its operations with this module

    generator: Any = SchemaGenerator
    generated = generator().get_schema(request=None, public=True)
    paths: dict[str, Any] = {path: dict(operations) for path, operations in generated["paths"].items()}
    for path, operations in PATHS.items():
        paths.setdefault(path, {}).update(operations)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Synthference Exchange",
            "version": "1",
            "description": "Trade rights to future AI compute. Every amount is a string; every error is an RFC 9457 problem.",
        },
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": COMPONENTS,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "key_….<secret>"},
                "session": {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": "Writing needs X-CSRFToken too"},
            },
        },
    }
