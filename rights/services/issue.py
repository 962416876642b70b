"""Create a right against proven capacity (SPEC §7). Units reach the ledger through settlement/services/issuance.py."""

from uuid import UUID

import msgspec
from django.db import transaction

from rights.domain import right_events
from rights.domain.fungibility import dimensions, fingerprint
from rights.domain.gates import Grants, LineageCounts, Permits, taker_refusals
from rights.domain.issuance import AssuranceFacts, IssuerFacts, Refusal, issuance_refusals
from rights.domain.lifecycle import RightStatus
from rights.domain.manifest import Manifest
from rights.kernel import rows
from rights.kernel.clock import rfc3339, to_datetime, to_us
from rights.kernel.planned import insert, load, load_one
from rights.models import Account, Assurance, Issuer, Right
from rights.selectors import holder_facts
from rights.selectors.reception import with_credentials
from rights.services.activate import become_active
from rights.services.refusals import IssuanceRefusedError
from rights.services.register import class_for, series_for, terms_for
from rights.services.row import remember


class NewRight(msgspec.Struct, frozen=True):
    """What to issue, to whom, on what. `right_id` is a UUID text minted by the caller.

    `units`: how many, at most what the manifest promises.
    """

    right_id: str
    issuer: Issuer
    holder: Account
    manifest: Manifest
    assurance: Assurance
    units: int


@transaction.atomic
def issue_right(*, new: NewRight, actor: str, now_us: int, activate: bool = False) -> Right:
    """The right, `issued`, or active at once. Locks the assurance, then its series' stream.

    Raises IssuanceRefusedError with every reason, LifecycleRefusedError when its window is over; the assurance's count and the right are
    written together or not at all.
    """
    manifest = new.manifest
    # Before a series is made: whoever has assurances under lock makes it behind them, and would wait for a series that waits for his.
    assurance = load_one(Assurance, "id = %s", [new.assurance.pk], lock=True)
    compute_class = class_for(manifest=manifest, issuer_tier=new.issuer.tier)
    series = series_for(compute_class=compute_class, manifest=manifest)
    terms = terms_for(compute_class=compute_class, manifest=manifest)
    if (assurance.issuer_id, assurance.compute_class_id) == (new.issuer.pk, compute_class.pk):  # which it mostly is, and then known
        assurance.issuer, assurance.compute_class = new.issuer, compute_class
    _check(new, compute_class.fingerprint, assurance, now_us)
    assurance.issued_units += new.units
    at = to_datetime(now_us)
    right = Right(
        id=UUID(new.right_id),
        series=series,
        terms=terms,
        issuer=new.issuer,
        assurance=assurance,
        holder=new.holder,
        controller=new.holder,
        status=RightStatus.ISSUED,
        max_units=new.units,
        remaining_units=new.units,
        root_id=UUID(new.right_id),
        ends_at=series.window_end,
        acquired_at=at,
        created_at=at,
        updated_at=at,
    )
    payload = right_events.issued(
        right=new.right_id,
        series_id=series.pk,
        class_key=compute_class.key,
        class_fingerprint=compute_class.fingerprint,
        window_start=rfc3339(manifest.window_start_us),
        window_end=rfc3339(manifest.window_end_us),
        window_mode=series.window_mode,
        epoch_size_s=series.epoch_size_s,
        unit=compute_class.unit,
        terms_hash=manifest.terms_hash,
        issuer=new.issuer.slug,
        assurance=str(assurance.uuid),
        holder=str(new.holder.uuid),
        units=new.units,
        manifest=manifest.document,
    )
    facts: list[tuple[str, dict[str, object]]] = [(right_events.ISSUED, payload)]
    if activate:
        facts.append(become_active(right, now_us))
    with rows.together():
        rows.write("UPDATE rights_assurance SET issued_units = %s WHERE id = %s", [assurance.issued_units, assurance.pk])
        insert(right)
        remember(right, *facts, actor=actor, now_us=now_us)
    return right


def issuer_facts(issuer: Issuer) -> IssuerFacts:
    return IssuerFacts(
        slug=issuer.slug,
        issuer_type=issuer.issuer_type,
        issuance_path=issuer.issuance_path,
        active=issuer.participant.status == "active",
    )


def assurance_facts(assurance: Assurance) -> AssuranceFacts:
    return AssuranceFacts(
        reference=assurance.reference,
        issuer=assurance.issuer.slug,
        mode=assurance.mode,
        class_fingerprint=assurance.compute_class.fingerprint,
        window_start_us=to_us(assurance.window_start),
        window_end_us=to_us(assurance.window_end),
        unit=assurance.unit,
        gross_units=assurance.gross_units,
        haircut_bps=assurance.haircut_bps,
        overbook_bps=assurance.overbook_bps,
        issued_units=assurance.issued_units,
        status=assurance.status,
        refreshed_us=to_us(assurance.refreshed_at),
        stale_after_s=assurance.stale_after_s,
    )


# The latest that fits, or else the latest.
_NAMED = """
issuer_id = %s AND reference = %s ORDER BY
    coalesce(compute_class_id = (SELECT c.id FROM rights_computeclass c WHERE c.fingerprint = %s) AND window_start = %s AND window_end = %s, false)
    DESC, id DESC LIMIT 1"""


def find_assurance(*, issuer: Issuer, manifest: Manifest) -> Assurance:
    """The issuer's assurance that the manifest names, for its class and window if there is one.

    One reference may back several classes and windows; where none fits, the latest is returned and issuing refuses it
    with what differs. Raises IssuanceRefusedError `assurance_missing` when the issuer posted nothing of that name.
    """
    reference = manifest.document["assurance"]["reference"]
    print_hex = fingerprint(dimensions(manifest, issuer_tier=issuer.tier))
    window = [to_datetime(manifest.window_start_us), to_datetime(manifest.window_end_us)]
    named = load(Assurance, _NAMED, [issuer.pk, reference, print_hex, *window])
    if not named:
        raise IssuanceRefusedError([Refusal("assurance_missing", f"issuer {issuer.slug} has posted no assurance called {reference}")])
    return named[0]


def _check(new: NewRight, print_hex: str, assurance: Assurance, now_us: int) -> None:
    manifest = new.manifest
    refusals = issuance_refusals(
        manifest=manifest,
        fingerprint=print_hex,
        issuer=issuer_facts(new.issuer),
        assurance=assurance_facts(assurance),
        now_us=now_us,
        units=new.units,
    )
    counts = LineageCounts(holders=0, taker_units=0, giver_units=0)
    holder = with_credentials([holder_facts(new.holder)], now_us=now_us)[new.holder.pk]
    # Whoever issues consents, and the registry that registers acknowledges.
    permits = Permits(Grants(everybody=True), Grants(everybody=True))
    receiving = taker_refusals(manifest.document["transfer_policy"], holder, units=new.units, counts=counts, permits=permits)
    if new.holder.participant_id == new.issuer.participant_id:
        # What nobody has been given yet is whole in its issuer's hands: how much one holder may have binds those it goes to.
        receiving = [verdict for verdict in receiving if verdict.code != "max_units_per_holder"]
    refusals += [Refusal(verdict.code, verdict.detail) for verdict in receiving]
    if refusals:
        raise IssuanceRefusedError(refusals)
