"""Every response names its request (API.md, conventions)."""

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from rights.kernel.clock import now_us
from rights.kernel.ids import Mint

_MINT = Mint()
_GIVEN = re.compile(r"[A-Za-z0-9_.:-]{1,64}", re.ASCII)


def request_id(given: str | None) -> str:
    """The caller's own id when it is well-formed, else a new one."""
    return given if given and _GIVEN.fullmatch(given) else f"req_{_MINT.uuid(now_us())}"


class RequestIdMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.request_id = request_id(request.headers.get("X-Request-Id"))  # type: ignore[attr-defined]
        response = self.get_response(request)
        response["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
        return response
