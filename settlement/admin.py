"""The ledger in the operators' console. Balances and postings have composite keys: exchange/admin/record_pages.py shows them."""

from django.contrib import admin

from rights.admin import ReadOnlyAdmin
from settlement.models import Asset


@admin.register(Asset)
class AssetAdmin(ReadOnlyAdmin):
    list_display = ("code", "kind", "scale", "root_right")
    list_filter = ("kind",)
    search_fields = ("code__startswith",)
    ordering = ("-id",)
