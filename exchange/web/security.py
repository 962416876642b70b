"""The browser's own guard: what pages may load, and who may frame them."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

# The console's widgets evaluate expressions and set inline styles, and the API's own page loads its viewer from elsewhere.
_EXEMPT = ("/admin/", "/docs", "/schema", "/static/")
_RULES = "default-src 'self'; connect-src 'self' {sockets}; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"


def policy(request: HttpRequest) -> str:
    """The content security policy of a page. Not every browser reads 'self' as covering the page's own sockets."""
    scheme = "wss" if request.is_secure() else "ws"
    return _RULES.format(sockets=f"{scheme}://{request.get_host()}")


class ContentSecurityMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.get("Content-Type", "").startswith("text/html") and not request.path.startswith(_EXEMPT):
            response.headers.setdefault("Content-Security-Policy", policy(request))
            response.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
        return response
