"""Everything under /admin/: the venue's own log-in and password pages, the record pages, then the tables."""

from django.contrib import admin
from django.urls import path, reverse_lazy
from django.views.generic import RedirectView

from exchange.admin import events, freeze_desk, record_pages

urlpatterns = [
    path("login/", RedirectView.as_view(url=reverse_lazy("web:login"), query_string=True)),
    path("password_change/", RedirectView.as_view(url=reverse_lazy("web:password"))),
    *events.urls(),
    *record_pages.urls(),
    *freeze_desk.urls(),
    path("", admin.site.urls),
]
