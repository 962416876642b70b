"""What happens by itself as time passes: openings, gates, expiries, anchors. Called every second; any number of callers do no harm."""

from collections.abc import Callable

import msgspec
from django.db import transaction

from exchange.domain.command import Phase
from exchange.services import bell, proposals
from exchange.services.anchoring import anchor_due
from exchange.services.block_offers import expire_offers_due
from exchange.services.degradation import follow_plans_due, lift_plans_due
from exchange.services.deliverable import register_deliverable
from exchange.services.disclosure import disclose_due
from exchange.services.expiry import expire_due
from exchange.services.listing import delist_due
from exchange.services.phases import ACTOR, due_phase_changes, set_phase
from exchange.services.proceeds import release_due
from exchange.services.redemption import redeem_due
from exchange.services.run_policy import run_overdue
from rights.kernel import rows
from rights.kernel.apart import apart
from rights.kernel.clock import rfc3339
from rights.kernel.ids import Mint
from rights.services.consents import expire_consents_due
from rights.services.delegations import end_lost_delegations, expire_delegations_due
from rights.services.refresh_assurance import mark_stale_due
from settlement.services.node_network import network_due

_MINT = Mint()
RELEASE_EVERY_S = 10
# Any fixed number: callers that find it taken leave the work to whoever holds it.
_ONE_AT_A_TIME = "SELECT pg_try_advisory_xact_lock(7310001)"
_EXPIRING = "SELECT instrument_id, lane FROM exchange_book WHERE next_expiry <= %s AND phase <> %s ORDER BY instrument_id"


class Run(msgspec.Struct, frozen=True):
    """What one look at the timetable did."""

    opened: int = 0
    closed: int = 0
    rung: int = 0
    rights_expired: int = 0
    assurances_stale: int = 0
    plan_acts: int = 0
    series_delivered: int = 0
    proposals_expired: int = 0
    sheets: int = 0
    anchors: int = 0
    requests: int = 0
    jobs: int = 0
    policies: int = 0


def run_due(*, now_us: int) -> Run:
    """Do what is due at `now_us` and not yet done. Outside any transaction: each change commits by itself."""
    opened = closed = 0
    with transaction.atomic():
        row = rows.fetch_one(_ONE_AT_A_TIME)
        if row is None or not row[0]:
            return Run()
        for book_id, phase in due_phase_changes(now_us):
            reason = "the gate has come" if phase is Phase.CLOSED else "the opening has come"
            set_phase(book_id=book_id, phase=phase, reason=reason, actor=ACTOR, now_us=now_us)
            opened += phase is Phase.CONTINUOUS
            closed += phase is Phase.CLOSED
        expiring = rows.fetch_all(_EXPIRING, [rfc3339(now_us), int(Phase.CLOSED)])
    for book_id, lane in expiring:
        bell.ring(book_id, lane)
    _step(lambda: expire_consents_due(actor=ACTOR, now_us=now_us))
    _step(lambda: expire_delegations_due(actor=ACTOR, now_us=now_us))
    _step(lambda: end_lost_delegations(actor=ACTOR, now_us=now_us))
    _step(lambda: expire_offers_due(actor=ACTOR, now_us=now_us))
    jobs = _step(lambda: network_due(mint=_MINT, now_us=now_us))
    stale = _step(lambda: mark_stale_due(now_us=now_us))
    acts = _step(lambda: follow_plans_due(now_us=now_us) + lift_plans_due(mint=_MINT, now_us=now_us))
    delivered = _step(lambda: register_deliverable(actor=ACTOR, now_us=now_us))
    requests = _step(lambda: redeem_due(mint=_MINT, actor=ACTOR, now_us=now_us))  # before the rights they hold end
    expired = _step(lambda: expire_due(mint=_MINT, now_us=now_us))
    # Behind the expiries that it tells of: one sheet, also when this ended half-way before.
    disclosed = _step(lambda: disclose_due(now_us=now_us))
    if now_us // 1_000_000 % RELEASE_EVERY_S == 0:  # what a dispute holds back is looked for again and again
        _step(lambda: release_due(mint=_MINT, actor=ACTOR, now_us=now_us))
    _step(lambda: delist_due(actor=ACTOR, now_us=now_us))
    undecided = _step(lambda: proposals.expire_due(now_us=now_us))
    policies = _step(lambda: run_overdue(mint=_MINT, now_us=now_us))
    anchors = _step(lambda: anchor_due(actor=ACTOR, now_us=now_us))  # last: it covers what was done above
    return Run(opened, closed, len(expiring), expired, stale, acts, delivered, undecided, disclosed, anchors, requests, jobs, policies)


def _step(work: Callable[[], int | None]) -> int:
    """One kind of thing that is due. What is wrong with it is told, and the others get their turn."""
    with apart("a step of the timetable"):
        return work() or 0
    return 0
