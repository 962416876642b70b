"""The browser's own guard: what pages may load, and who may frame them."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

# The console's widgets evaluate expressions and write scripts and styles inline; only its own path is relaxed for that.
_CONSOLE = "/admin/"
_CONSOLE_RULES = "; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
_RULES = "default-src 'self'; connect-src 'self' {sockets}; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"


def policy(request: HttpRequest) -> str:
    """The content security policy of a page. Not every browser reads 'self' as covering the page's own sockets."""
    scheme = "wss" if request.is_secure() else "ws"
    rules = _RULES.format(sockets=f"{scheme}://{request.get_host()}")
    return rules + _CONSOLE_RULES if request.path.startswith(_CONSOLE) else rules


class ContentSecurityMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.get("Content-Type", "").startswith("text/html"):
            response.headers.setdefault("Content-Security-Policy", policy(request))
            response.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
        return response
