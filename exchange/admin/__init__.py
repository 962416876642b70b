"""The operators' console. Django finds it by name; each module registers its tables."""

from django.contrib import admin

from exchange.admin import access, assurances, instruments, listings, orders, parties, rights_desk, supply

__all__ = ["access", "assurances", "instruments", "listings", "orders", "parties", "rights_desk", "supply"]

admin.site.index_title = "Overview"
