"""Everything under /admin/: the record pages first, then the tables."""

from django.contrib import admin
from django.urls import path

from exchange.admin import record_pages

urlpatterns = [*record_pages.urls(), path("", admin.site.urls)]
