"""The operators' console. Django finds it by name; each module registers its tables."""

from django.contrib import admin

from exchange.admin import access, assurances, instruments, issuers, listings, members, orders, parties, proposals, rights_desk, supply

__all__ = [
    "access", "assurances", "instruments", "issuers", "listings", "members", "orders", "parties", "proposals", "rights_desk", "supply",
]  # fmt: skip

admin.site.index_title = "Overview"
