"""Packages, delegations, and the locks both put on units (SPEC §6)."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from rights.models.party import Account
from rights.models.right import Right

PACKAGE_TYPES = ("bundle", "slice", "tranche", "delegation", "strategy")
PACKAGE_STATES = ("active", "finalized")
TIERS = ("", "baseline", "overflow")
LOCK_KINDS = ("attached_slice", "route_lock", "dispute")


class UnitLock(models.Model):
    """`units` of a right that its `reserved_units` count and that only `ref` (a public id) may use or release."""

    right = models.ForeignKey(Right, models.PROTECT, related_name="locks", db_index=False, db_constraint=False)
    kind = models.CharField(max_length=16, choices=[(k, k) for k in LOCK_KINDS])
    ref = models.CharField(max_length=48)
    units = models.BigIntegerField()
    created_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(units__gt=0), name="unit_lock_units"),
            models.CheckConstraint(condition=Q(kind__in=LOCK_KINDS), name="unit_lock_kind"),
            models.UniqueConstraint(fields=["right", "ref"], condition=Q(released_at__isnull=True), name="unit_lock_once"),
        ]
        indexes = [models.Index(fields=["ref"], condition=Q(released_at__isnull=True), name="unit_lock_ref")]

    def __str__(self) -> str:
        return f"{self.units} of {self.right_id} for {self.ref}"


class Package(models.Model):
    """A composition of rights in one holder's hands. `policy` is a transfer policy that only tightens its components'."""

    uuid = models.UUIDField(unique=True)
    type = models.CharField(max_length=16, choices=[(t, t) for t in PACKAGE_TYPES])
    holder = models.ForeignKey(Account, models.PROTECT, related_name="packages")
    controller = models.ForeignKey(Account, models.PROTECT, related_name="+")
    label = models.CharField(max_length=120)
    policy = models.JSONField()
    rules = models.JSONField(default=dict)
    state = models.CharField(max_length=16, default="active")
    revision = models.PositiveIntegerField(default=1)
    parent = models.ForeignKey("self", models.PROTECT, null=True, related_name="children")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(type__in=PACKAGE_TYPES, state__in=PACKAGE_STATES), name="package_words"),
        ]

    def __str__(self) -> str:
        return f"pkg_{self.uuid}"


class PackagePart(models.Model):
    """`units` of a right in a package, locked on it while the package is active. Parts of a past revision stay, released.

    One of which everything is at work has no units for a time, and keeps its place for what comes back.
    """

    package = models.ForeignKey(Package, models.PROTECT, related_name="parts")
    position = models.PositiveSmallIntegerField()
    right = models.ForeignKey(Right, models.PROTECT, related_name="+")
    units = models.BigIntegerField()
    tier = models.CharField(max_length=8, default="", blank=True)
    branch = models.CharField(max_length=40, default="", blank=True)
    removed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(units__gte=0, tier__in=TIERS), name="package_part_words"),
            models.UniqueConstraint(fields=["package", "right"], condition=Q(removed_at__isnull=True), name="package_part_once"),
            models.UniqueConstraint(fields=["package", "position"], condition=Q(removed_at__isnull=True), name="package_part_position"),
        ]

    def __str__(self) -> str:
        return f"{self.package_id}.{self.position}"


DELEGATION_STATES = ("active", "revoked", "expired")


class Delegation(models.Model):
    """Bounded use without ownership: who, how many units, for which work, when, and whether it may be passed on."""

    uuid = models.UUIDField(unique=True)
    right = models.ForeignKey(Right, models.PROTECT, null=True, related_name="delegations")
    package = models.ForeignKey(Package, models.PROTECT, null=True, related_name="delegations")
    delegator = models.ForeignKey(Account, models.PROTECT, related_name="delegations_given")
    delegate = models.ForeignKey(Account, models.PROTECT, related_name="delegations_taken")
    parent = models.ForeignKey("self", models.PROTECT, null=True, related_name="children")
    max_units = models.BigIntegerField()
    used_units = models.BigIntegerField(default=0)
    passed_units = models.BigIntegerField(default=0)
    workload_classes = ArrayField(models.CharField(max_length=32), default=list)
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField()
    fallback_allowed = models.BooleanField(default=False)
    subdelegation_allowed = models.BooleanField(default=False)
    state = models.CharField(max_length=8, default="active")
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(right__isnull=False) ^ Q(package__isnull=False), name="delegation_of_one"),
            models.CheckConstraint(
                condition=Q(max_units__gt=0, used_units__gte=0, passed_units__gte=0, max_units__gte=F("used_units") + F("passed_units")),
                name="delegation_units",
            ),
            models.CheckConstraint(condition=Q(valid_until__gt=F("valid_from")), name="delegation_time"),
            models.CheckConstraint(condition=Q(state__in=DELEGATION_STATES), name="delegation_state"),
        ]

    def __str__(self) -> str:
        return f"dlg_{self.uuid}"
