"""The pull-based node network (SPEC §8): nodes of suppliers, and the jobs they lease."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from rights.models import Capability, Supplier
from settlement.domain.node_states import ATTEMPT_ENDS, JOB_STATES, NODE_STATES, SUSPENDERS
from settlement.models.request import Request, Route


class Node(models.Model):
    """A machine that does a supplier's work. `public_key` (base64, Ed25519) is how it is known; `last_seen_at` is measured, and no memory."""

    uuid = models.UUIDField(unique=True)
    supplier = models.ForeignKey(Supplier, models.PROTECT, related_name="nodes")
    name = models.CharField(max_length=80)
    public_key = models.CharField(max_length=44, unique=True)
    status = models.CharField(max_length=12, default="active", choices=[(s, s) for s in NODE_STATES])
    suspended_by = models.CharField(max_length=8, default="", blank=True, choices=[(s, s) for s in SUSPENDERS])
    strikes = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    last_seen_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(status__in=NODE_STATES, suspended_by__in=SUSPENDERS), name="node_words"),
            models.CheckConstraint(
                condition=Q(status="active", suspended_by="") | Q(status="suspended") & ~Q(suspended_by=""), name="node_suspended_by"
            ),
        ]

    def __str__(self) -> str:
        return f"nod_{self.uuid}"


class Job(models.Model):
    """The work of one route, to be done by a node of its supplier: a queue's row, not memory. While leased, `node` has it until `lease_expires_at`.

    `told` is the leg of the receipt and `proofs` what goes with it, once it is over. A route that another adapter has done, of a request that
    waits for nodes, is here as one that is done already. `shunned`: nodes that lied about it. `gathered_at`: its request has its receipt.
    """

    id = models.UUIDField(primary_key=True)
    request = models.ForeignKey(Request, models.PROTECT, related_name="jobs", db_index=False)
    route = models.OneToOneField(Route, models.PROTECT, related_name="job")
    supplier = models.ForeignKey(Supplier, models.PROTECT, related_name="+", db_index=False)
    capability = models.ForeignKey(Capability, models.PROTECT, related_name="+", db_index=False)
    workload = models.CharField(max_length=32)
    operation = models.CharField(max_length=64)
    model = models.CharField(max_length=120, default="", blank=True)
    unit = models.CharField(max_length=16)
    units = models.BigIntegerField()
    state = models.CharField(max_length=8, default="open", choices=[(s, s) for s in JOB_STATES])
    reason = models.CharField(max_length=200, default="", blank=True)
    node = models.ForeignKey(Node, models.PROTECT, null=True, related_name="jobs", db_index=False)
    leases = models.PositiveSmallIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)  # leases that count: not those that the venue took back
    max_attempts = models.PositiveSmallIntegerField()
    lease_ms = models.IntegerField()
    shunned = ArrayField(models.BigIntegerField(), default=list)
    told = models.JSONField(null=True)
    proofs = models.JSONField(default=list)
    offered_at = models.DateTimeField()
    deadline_at = models.DateTimeField()
    leased_at = models.DateTimeField(null=True)
    lease_expires_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    gathered_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=JOB_STATES), name="job_state"),
            models.CheckConstraint(condition=Q(units__gt=0, max_attempts__gt=0, lease_ms__gt=0), name="job_bounds"),
            models.CheckConstraint(condition=Q(attempts__lte=F("max_attempts")), name="job_attempts"),
            models.CheckConstraint(
                condition=Q(state="leased", node__isnull=False, lease_expires_at__isnull=False, leased_at__isnull=False)
                | ~Q(state="leased") & Q(lease_expires_at__isnull=True),
                name="job_lease",
            ),
            models.CheckConstraint(
                condition=Q(state__in=("done", "parked"), told__isnull=False, ended_at__isnull=False)
                | Q(state__in=("open", "leased"), told__isnull=True, ended_at__isnull=True, gathered_at__isnull=True),
                name="job_told",
            ),
        ]
        indexes = [
            models.Index(fields=["supplier", "offered_at", "id"], condition=Q(state="open"), name="job_on_offer"),
            models.Index(fields=["lease_expires_at"], condition=Q(state="leased"), name="job_leased_until"),
            models.Index(fields=["node"], condition=Q(state="leased"), name="job_leased_by"),
            models.Index(fields=["deadline_at"], condition=Q(state="open"), name="job_open_until"),
            models.Index(fields=["ended_at"], condition=Q(gathered_at__isnull=True, ended_at__isnull=False), name="job_to_gather"),
            models.Index(fields=["request"], name="job_request"),
        ]

    def __str__(self) -> str:
        return f"job_{self.id}"


class JobAttempt(models.Model):
    """One lease of a job, and how it ended; `claimed_units`, `output_hash` and `signature` as the node said."""

    job = models.ForeignKey(Job, models.PROTECT, related_name="tries", db_index=False)
    number = models.PositiveSmallIntegerField()
    node = models.ForeignKey(Node, models.PROTECT, related_name="attempts", db_index=False)
    leased_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    end = models.CharField(max_length=8, default="", blank=True, choices=[(e, e) for e in ATTEMPT_ENDS])
    claimed_units = models.BigIntegerField(null=True)
    output_hash = models.CharField(max_length=64, default="", blank=True)
    signature = models.CharField(max_length=88, default="", blank=True)
    detail = models.CharField(max_length=200, default="", blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "number"], name="attempt_number"),
            models.UniqueConstraint(fields=["job"], condition=Q(end="done"), name="attempt_done_once"),
            models.CheckConstraint(
                condition=Q(end="", ended_at__isnull=True) | ~Q(end="") & Q(ended_at__isnull=False), name="attempt_ended"
            ),
        ]
        indexes = [models.Index(fields=["node", "-id"], name="attempt_node")]

    def __str__(self) -> str:
        return f"attempt {self.number} at {self.job_id}"


class NodeNonce(models.Model):
    """A nonce that a node has used; kept as long as a request that bears it could come again."""

    pk = models.CompositePrimaryKey("node", "nonce")
    node = models.ForeignKey(Node, models.CASCADE, related_name="+", db_index=False)
    nonce = models.CharField(max_length=64)
    used_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["used_at"], name="node_nonce_age")]

    def __str__(self) -> str:
        return self.nonce
