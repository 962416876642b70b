"""Static files in one piece: WhiteNoise reads them synchronously, and an ASGI server warns of streaming from that."""

from collections.abc import Callable

from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase


class WholeFilesMiddleware:
    """Read a file before it is answered. The largest is a few hundred kilobytes."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not isinstance(response, FileResponse):
            return response
        try:
            return HttpResponse(response.getvalue(), status=response.status_code, headers=response.headers)
        finally:
            response.close()
