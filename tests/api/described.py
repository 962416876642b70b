"""What the OpenAPI document says of an answer, and whether it is so."""

import functools
from typing import Any

from jsonschema import Draft202012Validator

from exchange.api import openapi
from exchange.api.error_table import TABLE


@functools.cache
def _validator(path: str, method: str, status: int) -> Draft202012Validator:
    document = openapi.document()
    answer = document["paths"][path][method]["responses"][str(status)]
    if "$ref" in answer:
        answer = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    (described,) = answer["content"].values()
    return Draft202012Validator({**described["schema"], "components": document["components"]})


def check_body(path: str, method: str, status: int, body: Any) -> None:
    """Fail unless the body is as described; for problems, unless code and status belong together too."""
    _validator(path, method.lower(), status).validate(body)
    if status >= 400:
        assert (body["status"], TABLE[body["code"]].status) == (status, status), body
