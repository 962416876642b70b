"""Where everything is: the API, the console, the pages."""

from django.conf import settings
from django.urls import include, path
from django.views.generic import RedirectView

from exchange.api import handlers
from exchange.api.views import anchors
from exchange.sockets import asyncapi

urlpatterns = [
    path("api/v1/asyncapi.json", asyncapi.view),
    path("api/v1/", include("exchange.api.urls")),
    path(".well-known/venue-keys", anchors.venue_keys),
    path("docs", RedirectView.as_view(url="/api/v1/docs")),
    path("schema", RedirectView.as_view(url="/api/v1/schema")),
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}mark.svg")),  # what browsers ask for beside JSON
    path("admin/", include("exchange.admin.urls")),
    path("", include("exchange.web.urls")),
]

handler400 = handlers.bad_request
handler403 = handlers.permission_denied
handler404 = handlers.not_found
handler500 = handlers.server_error
