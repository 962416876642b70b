"""Users (to look at; members.py acts on them) and API keys (revoke only) in the console."""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from exchange.admin.acts import Act, actor_of, answer, row_or_404
from exchange.models import ApiKey
from exchange.services.operator_keys import revoke_by_operator
from rights.admin import ReadOnlyAdmin
from rights.kernel.clock import now_us, to_datetime
from rights.kernel.ids import public

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class ConsoleUserAdmin(ReadOnlyAdmin):
    """Whoever can log in. What they may do is their membership's; a superuser without one looks after members and acts on nothing else."""

    list_display = ("username", "is_active", "is_staff", "is_superuser", "roles", "last_login")
    search_fields = ("username__startswith",)
    ordering = ("username",)
    fields = ("username", "email", ("is_active", "is_staff", "is_superuser"), "roles", ("last_login", "date_joined"))
    readonly_fields = ("roles",)

    @display(description="console roles")
    def roles(self, user: User) -> str:
        return ", ".join(sorted(user.groups.values_list("name", flat=True))) or "none"


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "account", "kind", "label", "shown_scopes", "created_at", "expires_at", "state")
    list_select_related = ("account__participant",)
    search_fields = ("label__startswith", "account__participant__slug__startswith")
    ordering = ("-pk",)
    fields = ("public_id", ("account", "kind"), "label", "shown_scopes", ("created_at", "expires_at", "revoked_at"), "state")
    readonly_fields = ("public_id", "shown_scopes", "state")
    actions_detail = ("revoke",)

    @display(description="key")
    def public_id(self, key: ApiKey) -> str:
        return public("key", str(key.uuid))

    @display(description="scopes")
    def shown_scopes(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @display(description="state", label={"live": "success", "revoked": "danger", "expired": "warning"})
    def state(self, key: ApiKey) -> str:
        if key.revoked_at:
            return "revoked"
        return "expired" if key.expires_at and key.expires_at <= to_datetime(now_us()) else "live"

    @action(description="Revoke", permissions=["operate"], icon="key_off", variant=ActionVariant.DANGER)
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        key = row_or_404(ApiKey, object_id)

        def run(data: Mapping[str, Any]) -> str:
            revoke_by_operator(key=key, reason=data["reason"], actor=actor_of(request), now_us=now_us())
            return "The key is revoked; its sockets close."

        explanation = "The key opens nothing any more, and its sockets close. This can't be undone."
        back = reverse("admin:exchange_apikey_change", args=[key.pk])
        return answer(request, Act("Revoke a key", explanation, "Revoke", back, run))
