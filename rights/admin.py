"""The registry in the operators' console: to look at, never to edit. Acts on it are services with a reason (exchange/admin)."""

from typing import Any, ClassVar, TypeGuard

from django.contrib import admin
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from rights.domain.staff import AUDITORS, OPERATORS
from rights.kernel.ids import bare, public
from rights.models import Account, Right, Series, Terms

STATUS_COLOURS = {
    "active": "success",
    "issued": "info",
    "frozen": "warning",
    "fully_consumed": "info",
    "expired": "danger",
    "suspended": "danger",
    "sound": "success",
    "degraded": "warning",
    "stale": "danger",
}


def may_operate(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Operators act: members with the role `operators`, which the registry remembers. A superuser without it is none."""
    return _is_staff(user) and OPERATORS in group_names(user)


def may_look(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Operators, auditors and superusers read everything."""
    return _is_staff(user) and (user.is_superuser or bool({OPERATORS, AUDITORS} & group_names(user)))


def _is_staff(user: AbstractBaseUser | AnonymousUser) -> TypeGuard[User]:
    return isinstance(user, User) and user.is_active and user.is_staff


def group_names(user: User) -> frozenset[str]:
    """The user's groups, read once per request's user object."""
    known: frozenset[str] | None = getattr(user, "_group_names", None)
    if known is None:
        known = frozenset(user.groups.values_list("name", flat=True))
        user._group_names = known  # type: ignore[attr-defined]  # noqa: SLF001 - a memory on the object of this request
    return known


class ReadOnlyAdmin(ModelAdmin):
    """A table nobody edits here, superusers included. Pages without count(*), in the order of an index."""

    paginator = InfinitePaginator
    show_full_result_count = False
    list_per_page = 50
    list_fullwidth = True
    sortable_by = ()  # only the order of the index: sorting by anything else would read the whole table
    actions = None
    id_prefix: ClassVar[str] = ""  # the primary key's public prefix, when it has one

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return may_look(request.user)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may_look(request.user)

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return False

    def has_operate_permission(self, request: HttpRequest, object_id: object = None) -> bool:  # noqa: ARG002
        """For actions: `permissions=["operate"]`."""
        return may_operate(request.user)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[QuerySet[Any], bool]:
        """With `id_prefix`: exactly that public id, or nothing; a substring search would read the whole table."""
        if not self.id_prefix or not search_term:
            # PostgreSQL's texts hold no NUL.
            found: tuple[QuerySet[Any], bool] = super().get_search_results(request, queryset, search_term.replace("\x00", ""))
            return found
        text = search_term.strip()
        uuid = bare(self.id_prefix, text) or bare(self.id_prefix, f"{self.id_prefix}_{text}")
        return (queryset.filter(pk=uuid) if uuid else queryset.none()), False


def owner(account: Account | None) -> str:
    """Whose it is; the venue's own commands have no account."""
    return "the venue" if account is None else account.code or f"{account.participant.slug} / {account.name}"


def right_link(right_id: object) -> SafeString:
    """A right's public id, leading to its page."""
    return format_html('<a href="{}">{}</a>', reverse("admin:rights_right_change", args=[right_id]), public("rgt", str(right_id)))


class ComputeClassAdmin(ReadOnlyAdmin):
    """Registered by the venue's console, which adds defining one."""

    list_display = ("key", "unit", "lot_size", "created_at")
    search_fields = ("key",)
    ordering = ("key",)


@admin.register(Series)
class SeriesAdmin(ReadOnlyAdmin):
    list_display = ("compute_class", "window_start", "window_end", "window_mode")
    list_select_related = ("compute_class",)
    ordering = ("-pk",)


@admin.register(Terms)
class TermsAdmin(ReadOnlyAdmin):
    list_display = ("terms_hash", "compute_class", "created_at")
    list_select_related = ("compute_class",)
    search_fields = ("terms_hash__startswith",)
    ordering = ("-terms_hash",)


class IssuerAdmin(ReadOnlyAdmin):
    """Registered by the venue's console, which adds appointing one."""

    list_display = ("slug", "participant", "issuer_type", "tier", "issuance_path")
    list_select_related = ("participant",)
    ordering = ("slug",)


class RightAdmin(ReadOnlyAdmin):
    """Registered by the venue's console, which adds freezing."""

    list_display = ("public_id", "compute_class", "window", "owned_by", "shown_status", "max_units", "remaining_units", "reserved_units")
    list_select_related = ("series__compute_class", "holder__participant")
    list_filter = ("status", "freeze_reason")
    search_fields = ("id",)
    search_help_text = "a whole right id, rgt_…"
    id_prefix = "rgt"
    ordering = ("-id",)
    fields = (
        ("public_id", "owned_by"),
        ("shown_status", "freeze_reason"),
        ("compute_class", "window"),
        ("max_units", "remaining_units", "reserved_units"),
        ("terms", "issuer", "assurance"),
        ("lineage", "memory"),
        ("activated_at", "acquired_at", "updated_at"),
    )
    readonly_fields = ("public_id", "owned_by", "shown_status", "compute_class", "window", "lineage", "memory")

    @display(description="right")
    def public_id(self, right: Right) -> str:
        return public("rgt", str(right.pk))

    @display(description="holder")
    def owned_by(self, right: Right) -> str:
        return owner(right.holder)

    @display(description="class")
    def compute_class(self, right: Right) -> str:
        return right.series.compute_class.key

    @display(description="window")
    def window(self, right: Right) -> str:
        return f"{right.series.window_start:%Y-%m-%d %H:%M} - {right.series.window_end:%H:%M}"

    @display(description="status", label=STATUS_COLOURS)
    def shown_status(self, right: Right) -> str:
        return right.status

    @display(description="lineage")
    def lineage(self, right: Right) -> SafeString:
        """Root, parent, and the first children."""
        lines = [("root", right.root_id)] if right.root_id != right.pk else []
        if right.parent_id:
            lines.append(("parent", right.parent_id))
        lines += [("child", child) for child in right.children.order_by("pk").values_list("pk", flat=True)[:50]]
        if not lines:
            return format_html("{}", "no parent, no children")
        return format_html_join("", '<div class="mono">{} {}</div>', ((kind, right_link(uuid)) for kind, uuid in lines))

    @display(description="events")
    def memory(self, right: Right) -> SafeString:
        public_id = public("rgt", str(right.pk))
        return format_html('<a href="{}?object={}">everything the registry remembers of it</a>', reverse("console_events"), public_id)
