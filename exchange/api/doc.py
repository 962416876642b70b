"""What a view says of itself for the OpenAPI document; the document is built from it and from the running routes."""

from collections.abc import Mapping

import msgspec


class Doc(msgspec.Struct, frozen=True):
    """One method. `answer` and `body` name schemas of exchange/api/schemas; `listed`: answered as a page of them.

    `also`: other good answers, by status.
    `errors` are codes whose status does not follow from the route, the scope and the method (exchange/api/openapi.py).
    """

    summary: str
    answer: str
    listed: bool = False
    body: str | None = None
    status: int = 200
    idempotent: bool = False
    description: str = ""
    errors: tuple[str, ...] = ()
    also: Mapping[int, str] = {}
