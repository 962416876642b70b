"""The OpenAPI 3.1 document: generated from the running routes and what each view says of itself (`docs`, `scopes`, `queries`)."""

import functools
import re
from collections.abc import Iterable
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema

from exchange.api.doc import Doc
from exchange.api.error_table import row_of
from exchange.api.schemas import COMPONENTS
from exchange.api.schemas.parameters import PATH, QUERY
from exchange.api.schemas.words import page_of, ref
from exchange.services.signed_requests import NODE_SCOPE

_REQUEST_ID = {"X-Request-Id": {"description": "Names the request", "required": True, "schema": {"type": "string"}}}
_HEADERS = {
    **_REQUEST_ID,
    "RateLimit": {"description": "What is left of the tightest bucket", "schema": {"type": "string"}},
    "RateLimit-Policy": {"description": "The bucket's size and refill", "schema": {"type": "string"}},
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key with the same body is done once in 24 hours",
    "schema": {"type": "string", "pattern": "^[!-~]{1,128}$"},
}
_CHALLENGE = {"WWW-Authenticate": {"description": "How to authenticate", "required": True, "schema": {"type": "string"}}}
_LATER = {"Retry-After": {"description": "Seconds to wait", "required": True, "schema": {"type": "string", "pattern": "^[0-9]+$"}}}
_NODE = (
    "A node's id, with `X-Timestamp` (ms), `X-Nonce` (good once) and `X-Signature`: base64 of the Ed25519 signature over timestamp, nonce, method, "
    "path with query and hex SHA-256 of the body, joined by line feeds. `X-Recv-Window`: 5000 ms unless given, at most 60000"
)
# Status → what it means, and the headers it brings. An operation names those it may answer.
_REFUSALS: dict[int, tuple[str, dict[str, Any]]] = {
    400: ("The request, a parameter or a field can't be taken; `field_errors` names it", {}),
    401: ("No valid key or session", _CHALLENGE),
    403: ("The scope or the CSRF token is missing, or the caller may not do this", {}),
    404: ("Nothing is here that the caller may see", {}),
    409: ("The present state does not allow this, or an id came before with another body", {}),
    415: ("The body has to be application/json", {}),
    422: ("A rule of the market or of the registry refused", {}),
    429: ("Too many requests of this class", _LATER),
    500: ("Something broke on our side", {}),
    503: ("A part of the venue does not answer, or too much waits for the book", _LATER),
    504: ("Nobody has heard what became of it; `order_id` is to be asked about, or the same sent again", {}),
}
RESPONSES = {
    f"Refused{status}": {
        "description": about,
        "headers": {**_REQUEST_ID, **headers},
        "content": {"application/problem+json": {"schema": ref("Problem")}},
    }
    for status, (about, headers) in _REFUSALS.items()
}


def operation(
    doc: Doc,
    *,
    path: str,
    method: str,
    scope: str | Iterable[str],
    queries: Iterable[str] = (),
    headers: Iterable[dict[str, Any]] = (),
    known: bool = True,
) -> dict[str, Any]:
    """One operation, for routes of Django and of what stands in front of it alike. `known`: it asks who calls, if only to count."""
    tag = path.removeprefix("/api/v1/").split("/")[0]
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, **PATH[name]} for name in re.findall(r"\{(\w+)\}", path)
    ]
    narrowed = path.rpartition("/")[2]
    parameters += [{"name": name, "in": "query", **(QUERY.get(f"{narrowed}.{name}") or QUERY[name])} for name in queries]
    parameters += [*headers, *([_IDEMPOTENCY_KEY] if doc.idempotent else [])]
    answer = page_of(doc.answer) if doc.listed else ref(doc.answer)
    found: dict[str, Any] = {
        "operationId": _operation_id(path, method),
        "summary": doc.summary,
        "tags": [tag],
        "responses": {
            str(doc.status): {"description": doc.summary, "headers": _HEADERS, "content": {"application/json": {"schema": answer}}},
            **{
                str(status): {"$ref": f"#/components/responses/Refused{status}"}
                for status in _refusals(doc, path, method, scope, known=known)
            },
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
        found["security"] = [{"node": []}] if NODE_SCOPE in names else [{"key": names}, {"session": []}]
        found["x-any-scope"] = names
    return found


def _refusals(doc: Doc, path: str, method: str, scope: str | Iterable[str], *, known: bool) -> list[int]:
    """The statuses with which the operation may refuse."""
    found = {400, 500, 503}
    if known:
        found |= {401, 429}
    if scope:
        found.add(403)
    if "{" in path:
        found.add(404)
    if doc.body:
        found.add(415)
    if method != "GET":
        found |= {409, 422}
    return sorted(found | {row_of(code).status for code in doc.errors})


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
        return operation(
            doc,
            path=path,
            method=method,
            scope=view.scopes[method],
            queries=view.queries.get(method, ()),
            known=bool(view.authentication_classes),
        )


@functools.cache
def document() -> dict[str, Any]:
    """The whole document; routes don't change while a process runs."""
    from exchange.api.schemas import node_entry, order_entry  # noqa: PLC0415 - they build their operations with this module

    generator: Any = SchemaGenerator
    generated = generator().get_schema(request=None, public=True)
    paths: dict[str, Any] = {path: dict(operations) for path, operations in generated["paths"].items()}
    for path, operations in (*order_entry.PATHS.items(), *node_entry.PATHS.items()):
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
            "responses": RESPONSES,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "key_….<secret>"},
                "node": {"type": "apiKey", "in": "header", "name": "X-Key", "description": _NODE},
                "session": {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": "Writing needs X-CSRFToken too"},
            },
        },
    }
