"""What somebody grants so that a right may move (SPEC §4): consents, acknowledgments, and what holders have had attested."""

from django.db import models
from django.db.models import F, Q

from rights.models.party import Account, Issuer
from rights.models.right import Right

CONSENT_KINDS = ("consent", "acknowledgment")
CONSENT_SCOPES = ("transfer", "counterparty", "standing")
CONSENT_STATES = ("pending", "granted", "denied", "revoked", "expired", "used")


class Consent(models.Model):
    """An issuer's consent or the registry's acknowledgment, asked for or granted.

    `transfer`: once, of at most `units` of `right` to `taker`. `counterparty`: any number of transfers to `taker`. `standing`: to
    anybody. The last two cover one lineage (`root_id`), one set of terms (`terms_hash`), or with neither all rights of the issuer.
    """

    uuid = models.UUIDField(unique=True)
    kind = models.CharField(max_length=16, choices=[(k, k) for k in CONSENT_KINDS])
    scope = models.CharField(max_length=16, choices=[(s, s) for s in CONSENT_SCOPES])
    state = models.CharField(max_length=8, choices=[(s, s) for s in CONSENT_STATES])
    issuer = models.ForeignKey(Issuer, models.PROTECT, related_name="consents", db_index=False)
    right = models.ForeignKey(Right, models.PROTECT, null=True, related_name="+")
    root_id = models.UUIDField(null=True)
    terms_hash = models.CharField(max_length=64, default="", blank=True)
    giver = models.ForeignKey(Account, models.PROTECT, null=True, related_name="consents_asked")
    taker = models.ForeignKey(Account, models.PROTECT, null=True, related_name="+")
    units = models.BigIntegerField(null=True)
    note = models.CharField(max_length=500, default="", blank=True)
    answer_note = models.CharField(max_length=500, default="", blank=True)
    requested_by = models.CharField(max_length=80)
    decided_by = models.CharField(max_length=80, default="", blank=True)
    requested_at = models.DateTimeField()
    deadline_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=CONSENT_KINDS, scope__in=CONSENT_SCOPES, state__in=CONSENT_STATES), name="consent_words"
            ),
            models.CheckConstraint(
                condition=Q(scope="transfer", right__isnull=False, taker__isnull=False, units__gt=0)
                | Q(scope="counterparty", taker__isnull=False, units__isnull=True)
                | Q(scope="standing", taker__isnull=True, units__isnull=True),
                name="consent_scope",
            ),
            models.CheckConstraint(condition=Q(used_at__isnull=False, scope="transfer") | ~Q(state="used"), name="consent_used"),
        ]
        indexes = [
            models.Index(fields=["issuer", "state", "-id"], name="consent_inbox"),
            models.Index(fields=["right", "taker"], condition=Q(state="granted"), name="consent_of_right"),
            models.Index(fields=["issuer", "kind", "terms_hash", "root_id"], condition=Q(state="granted"), name="consent_live"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.uuid} {self.state}"


class Attestation(models.Model):
    """A fact about a holder that somebody vouched for: `kind` with `evidence`, live until it expires or is revoked.

    Kind `jurisdiction` has the code in `value` and, where one is live, outranks what the account declared at its opening.
    """

    uuid = models.UUIDField(unique=True)
    account = models.ForeignKey(Account, models.PROTECT, related_name="attestations", db_index=False)
    kind = models.CharField(max_length=40)
    value = models.CharField(max_length=40, default="", blank=True)
    evidence = models.CharField(max_length=200)
    attested_by = models.CharField(max_length=80)
    attested_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "kind"], condition=Q(revoked_at__isnull=True), name="attestation_once"),
            models.CheckConstraint(condition=Q(expires_at__isnull=True) | Q(expires_at__gt=F("attested_at")), name="attestation_expiry"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.account_id}"
