"""The API's own description: as data, and as a page to read."""

import json
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api import openapi
from exchange.api.base import ApiView
from exchange.api.doc import Doc
from exchange.api.permissions import PUBLIC
from rights.domain.manifest import SCHEMA
from rights.domain.reference_manifests import Reference, reference_manifests


class SchemaView(ApiView):
    scopes: ClassVar = {"GET": PUBLIC}
    queries: ClassVar = {"GET": ("format",)}
    docs: ClassVar = {"GET": Doc("This document", "OpenApiDocument")}
    authentication_classes = []

    def get(self, _request: Request) -> Response:
        self.query.choice("format", {"json": "json"})
        return Response(openapi.document(), headers={"Cache-Control": "public, max-age=300"})


class ManifestSchemaView(ApiView):
    """The JSON Schema that manifests are checked against; `x-rules` names the rules across fields."""

    scopes: ClassVar = {"GET": PUBLIC}
    docs: ClassVar = {"GET": Doc("The JSON Schema of a right's manifest", "ManifestSchema")}

    def get(self, _request: Request) -> Response:
        return Response(SCHEMA, headers={"Cache-Control": "public, max-age=300"})


class ManifestExamplesView(ApiView):
    """Reference manifests, valid and invalid, each with the verdict it gets here."""

    scopes: ClassVar = {"GET": PUBLIC}
    docs: ClassVar = {
        "GET": Doc("Reference manifests with their verdicts, to try another implementation by", "ManifestExample", listed=True)
    }

    def get(self, _request: Request) -> Response:
        found = [_example(reference) for reference in reference_manifests()]
        return Response({"data": found, "next_cursor": None}, headers={"Cache-Control": "public, max-age=300"})


def _example(reference: Reference) -> dict[str, Any]:
    return {
        "name": reference.name,
        "about": reference.about,
        "valid": not reference.expect,
        "expect": [{"field": field, "code": code} for field, code in reference.expect],
        "terms_hash": reference.terms_hash,
        "manifest": reference.manifest,
    }


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """One page without anything from elsewhere."""
    document = openapi.document()
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            groups.setdefault(operation["tags"][0], []).append(_told(path, method, operation))
    schemas = [(name, json.dumps(schema, indent=2)) for name, schema in sorted(document["components"]["schemas"].items())]
    return render(request, "api/docs.html", {"info": document["info"], "groups": groups, "schemas": schemas})


def _told(path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    """What the page says of one operation."""
    status, answer = next((code, each) for code, each in operation["responses"].items() if code.startswith("2"))
    schema = answer["content"]["application/json"]["schema"]
    listed = "$ref" not in schema
    schema = schema["properties"]["data"]["items"] if listed else schema
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    return {
        **operation,
        "summary": _prose(operation["summary"]),
        "description": _prose(operation.get("description", "")),
        "parameters": [{**each, "description": _prose(each.get("description", ""))} for each in operation.get("parameters", ())],
        "path": path,
        "method": method.upper(),
        "scopes": operation.get("x-any-scope", []),
        "status": status,
        "answer": _named(schema),
        "listed": listed,
        "body": _named(body) if body else "",
    }


def _prose(text: str) -> list[str]:
    """A description's pieces: words and, in every second place, what stands between backticks.."""
    return text.split("`") if text else []


def _named(schema: dict[str, str]) -> str:
    return schema["$ref"].rpartition("/")[2]
