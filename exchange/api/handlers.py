"""What Django itself answers (unknown path, bad request, breakdown): problems under /api, plain pages elsewhere."""

from django.http import HttpRequest, HttpResponse
from django.views import defaults

from exchange.api.problems import Problem, problem_response

PREFIX = "/api/"


def _problem(request: HttpRequest, code: str) -> HttpResponse:
    return problem_response(Problem(code), getattr(request, "request_id", ""))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _problem(request, "malformed_request") if request.path.startswith(PREFIX) else defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _problem(request, "forbidden") if request.path.startswith(PREFIX) else defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _problem(request, "not_found") if request.path.startswith(PREFIX) else defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    return _problem(request, "internal_error") if request.path.startswith(PREFIX) else defaults.server_error(request)
