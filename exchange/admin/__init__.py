"""The operators' console. Django finds it by name; each module registers its tables."""

from django.contrib import admin

from exchange.admin import access, instruments, orders, parties, rights_desk

__all__ = ["access", "instruments", "orders", "parties", "rights_desk"]

admin.site.index_title = "Overview"
