"""The operators' console. Django finds it by name; each module registers its tables."""

from django.contrib import admin

from exchange.admin import (
    access,
    assurances,
    attestations,
    consents,
    endpoints,
    instruments,
    issuers,
    listings,
    members,
    nodes,
    orders,
    parties,
    policies,
    proposals,
    rights_desk,
    roles,
    settling,
    supply,
)

__all__ = [
    "access", "assurances", "attestations", "consents", "endpoints", "instruments", "issuers", "listings", "members", "nodes", "orders", "parties",
    "policies", "proposals", "rights_desk", "roles", "settling", "supply",
]  # fmt: skip

admin.site.index_title = "Overview"
