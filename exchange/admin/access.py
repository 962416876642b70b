"""Users (superusers only) and API keys (revoke only) in the console."""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from exchange.admin.acts import Act, actor_of, answer
from exchange.models import ApiKey
from exchange.services.operator_keys import revoke_by_operator
from rights.admin import ReadOnlyAdmin
from rights.kernel.clock import now_us, to_datetime
from rights.kernel.ids import public

admin.site.unregister(User)
admin.site.unregister(Group)


def _superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and request.user.is_superuser)


@admin.register(User)
class ConsoleUserAdmin(UserAdmin, ModelAdmin):  # type: ignore[type-arg]
    """Passwords and groups are a superuser's business; users are switched off, never deleted."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "is_active", "is_staff", "is_superuser", "last_login")
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password", "email")}),
        ("Console", {"fields": ("is_active", "is_staff", "is_superuser", "groups")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined")

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return _superuser(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return _superuser(request)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return _superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return _superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return False


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
        key = get_object_or_404(ApiKey, pk=object_id)

        def run(data: Mapping[str, Any]) -> str:
            revoke_by_operator(key=key, reason=data["reason"], actor=actor_of(request), now_us=now_us())
            return "The key is revoked; its sockets close."

        explanation = "The key opens nothing any more, and its sockets close. This can't be undone."
        back = reverse("admin:exchange_apikey_change", args=[key.pk])
        return answer(request, Act("Revoke a key", explanation, "Revoke", back, run))
