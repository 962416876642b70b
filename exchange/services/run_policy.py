"""A rebalancer looks, decides and acts: one run is one transaction, orders and record together (SPEC §11).

Its orders go through the intake that everybody's go through, under the policy's key, bounded by what that key may do. The policy's row
is locked first and its key's behind it, so that a key that is revoked meanwhile takes the run with it.
"""

import logging
from collections.abc import Sequence

import msgspec
from django.db import transaction

from exchange.domain.command import OrderType
from exchange.domain.rebalancing import CANCEL, PLACE, Action, Plan, plan_rebalancing
from exchange.domain.standing_policy import ACTIVE, REBALANCER, Rebalancing, rules_of
from exchange.models import ApiKey, Policy, PolicyAction, PolicyRun
from exchange.models.book import CommandKind
from exchange.selectors import named
from exchange.selectors.policy_facts import FactsMoved, books_for, group_of, spent_today_minor
from exchange.services.entry import enter
from exchange.services.intake import NewCommand
from exchange.services.payload import CancelPayload, PlacePayload, encode
from exchange.services.policies import PolicyRefusal, key_fault, stop_policy
from exchange.services.rules import rules_of as rules_of_book
from rights.kernel import rows
from rights.kernel.clock import rfc3339, to_datetime
from rights.kernel.ids import Mint, first_at, public
from rights.services.journal import NewEvent
from rights.services.registry import remember_all

_LOG = logging.getLogger("policies")
RAN = "policy.ran"
ACTOR = "timetable"
SCHEDULE, FILL, WINDOW, MANUAL = "schedule", "fill", "window", "manual"
MOST_DETAIL = 300
AGAIN_US = 1_000_000  # after a cancel: the run that follows acts on what came of it


class Done(msgspec.Struct, frozen=True):
    """An action and what became of it at the door: its order, or the code and words of the refusal."""

    action: Action
    order_id: str
    outcome: str
    code: str = ""
    detail: str = ""


class Ran(msgspec.Struct, frozen=True):
    """What a run did; `number` 0: nothing, so nothing was recorded. `stopped`: why the policy can't go on, or not now."""

    number: int
    done: tuple[Done, ...] = ()
    plan: Plan = Plan((), ())
    stopped: str = ""


_DUE = """
SELECT p.uuid::text, CASE
    WHEN p.next_at <= %(now)s THEN 'schedule'
    WHEN EXISTS (SELECT 1 FROM exchange_trade t WHERE t.buyer_id = p.account_id AND t.id >= %(oldest)s::uuid AND t.at > p.looked_at)
      OR EXISTS (SELECT 1 FROM exchange_trade t WHERE t.seller_id = p.account_id AND t.id >= %(oldest)s::uuid AND t.at > p.looked_at) THEN 'fill'
    WHEN EXISTS (
        SELECT 1 FROM rights_right r JOIN rights_series s ON s.id = r.series_id
        JOIN rights_computeclass c ON c.id = s.compute_class_id AND c.key = p.rules ->> 'class_key'
        CROSS JOIN LATERAL (VALUES ('sell_unused'), ('roll'), ('swap')) AS x(rule)
        WHERE r.holder_id = p.account_id AND r.status = 'active' AND r.remaining_units > r.reserved_units AND s.window_end > %(now)s
          AND s.window_end - (p.rules -> x.rule ->> 'before_end_us')::bigint * interval '1 microsecond' BETWEEN p.looked_at AND %(now)s
    ) THEN 'window' END AS why
FROM exchange_policy p WHERE p.state = 'active' AND p.kind <> 'agent' ORDER BY p.next_at
"""
_POSTPONE = "UPDATE exchange_policy SET next_at = %s::timestamptz + every_s * interval '1 second' WHERE uuid = %s AND next_at <= %s"
LATE_US, MOST_OVERDUE = 10_000_000, 20
LOOK_BACK_US = 120_000_000  # fills older than this are the schedule's


def due_policies(*, now_us: int) -> list[tuple[str, str]]:
    """(UUID, trigger) of every policy that should look now: by its schedule, after a fill, or because a window nears its end."""
    values = {"now": rfc3339(now_us), "oldest": first_at(now_us - LOOK_BACK_US)}
    return [(row[0], row[1]) for row in named.fetch_all(f"SELECT * FROM ({_DUE}) d WHERE why IS NOT NULL", values)]


def run_due(*, mint: Mint, now_us: int, most: int = 500) -> int:
    """Run the policies that are due, the longest due first, each in a transaction of its own; how many. One that fails is told of, and the
    others go on.
    """
    ran = 0
    for policy_id, trigger in due_policies(now_us=now_us)[:most]:
        ran += _ran(policy_id, trigger, mint, now_us)
    return ran


def run_overdue(*, mint: Mint, now_us: int) -> int:
    """For the timetable, which runs also where no task is delivered: what should have looked LATE_US ago; how many.

    One that fails is told of, and neither the others nor what comes behind them in the timetable waits for it.
    """
    overdue = Policy.objects.filter(state=ACTIVE, kind=REBALANCER, next_at__lt=to_datetime(now_us - LATE_US)).order_by("next_at")
    ran = 0
    for policy_id in list(overdue.values_list("uuid", flat=True)[:MOST_OVERDUE]):
        ran += _ran(str(policy_id), SCHEDULE, mint, now_us)
    return ran


def _ran(policy_id: str, trigger: str, mint: Mint, now_us: int) -> bool:
    """Whether it ran. One that fails looks again when its time comes next, not at once and for ever."""
    try:
        return run_policy(policy_id=policy_id, trigger=trigger, mint=mint, now_us=now_us) is not None
    except Exception:  # noqa: BLE001 - whatever it is, it is told, and must not keep the others waiting
        _LOG.exception("policy %s could not run", policy_id)
    with transaction.atomic():
        rows.execute(_POSTPONE, [rfc3339(now_us), policy_id, rfc3339(now_us)])
    return False


@transaction.atomic
def run_policy(*, policy_id: str, trigger: str, mint: Mint, now_us: int) -> Ran | None:
    """Look and act once. None: it is not active any more, or somebody else has it in hand."""
    policy = _locked(policy_id)
    if policy is None:
        return None
    key = ApiKey.objects.select_for_update(no_key=True, of=("self",)).select_related("account__participant").get(pk=policy.key_id)
    if fault := key_fault(key, REBALANCER, now_us):
        stop_policy(row=policy, reason=fault, actor=ACTOR, now_us=now_us)
        return Ran(0, stopped=fault)
    try:
        plan = plan_of(policy, now_us)
    except PolicyRefusal as moved:
        policy.next_at = to_datetime(now_us + AGAIN_US)
        policy.save(update_fields=["next_at"])
        return Ran(0, stopped=moved.detail)
    done = _act(policy, key, plan.actions, mint, now_us)
    again_us = AGAIN_US if any(one.action.verb == CANCEL for one in done) else policy.every_s * 1_000_000
    policy.next_at, policy.looked_at = to_datetime(now_us + again_us), to_datetime(now_us)
    if done or trigger == MANUAL:
        policy.runs += 1
        _record(policy, trigger, plan, done, mint.uuid(now_us), now_us)
    policy.save(update_fields=["next_at", "looked_at", "runs"])
    return Ran(policy.runs if done or trigger == MANUAL else 0, tuple(done), plan)


def plan_of(policy: Policy, now_us: int) -> Plan:
    """What the policy would do now; nothing is done. Raises PolicyRefusal `policy_state` while what it looks at does not stand still."""
    rules = rules_of(policy.kind, policy.rules)
    if not isinstance(rules, Rebalancing):
        return Plan((), ())
    try:
        books = books_for(policy=policy, rules=rules, now_us=now_us)
    except FactsMoved as moved:
        raise PolicyRefusal("policy_state", "the account's units or orders changed at every look: run it again") from moved
    return plan_rebalancing(rules=rules, books=books, spent_today_minor=spent_today_minor(policy=policy, now_us=now_us), now_us=now_us)


def _locked(policy_id: str) -> Policy | None:
    found = Policy.objects.select_for_update(no_key=True, skip_locked=True, of=("self",)).select_related("account")
    return found.filter(uuid=policy_id, state=ACTIVE, kind=REBALANCER).first()


def _act(policy: Policy, key: ApiKey, actions: Sequence[Action], mint: Mint, now_us: int) -> list[Done]:
    """Hand the orders in, in order; each is judged by itself."""
    commands = [_command(policy, key, action, mint, now_us) for action in actions]
    entered = enter(key=key, commands=commands, now_us=now_us)
    return [
        Done(
            action,
            command.order_id or "",
            "refused" if one.refusal else "placed" if action.verb == PLACE else "cancel_sent",
            one.refusal.code if one.refusal else "",
            one.refusal.detail[:MOST_DETAIL] if one.refusal else "",
        )
        for action, command, one in zip(actions, commands, entered, strict=True)
    ]


def _command(policy: Policy, key: ApiKey, action: Action, mint: Mint, now_us: int) -> NewCommand:
    if action.verb == CANCEL:
        kind, payload, order_id = CommandKind.CANCEL, encode(CancelPayload()), action.order_id
    else:
        placed = PlacePayload(
            side=action.side,
            type=int(OrderType.LIMIT),
            quantity_lots=action.lots,
            price_ticks=action.price_ticks,
            tif=action.tif,
            group=group_of(policy),
        )
        kind, payload, order_id = CommandKind.PLACE, encode(placed), mint.uuid(now_us)
    return NewCommand(
        book_id=action.book_id,
        account_id=policy.account_id,
        kind=int(kind),
        payload=payload,
        actor=f"key:{key.uuid}",
        order_id=order_id,
    )


def _record(policy: Policy, trigger: str, plan: Plan, done: Sequence[Done], run_id: str, now_us: int) -> None:
    """The run, its actions, and the event that tells both."""
    at = to_datetime(now_us)
    passed = [msgspec.to_builtins(one) for one in plan.passed]
    run = PolicyRun.objects.create(
        id=run_id, policy=policy, number=policy.runs, revision=policy.revision, trigger=trigger, at=at, passed=passed
    )
    PolicyAction.objects.bulk_create(
        [
            PolicyAction(
                run=run,
                place=place,
                policy=policy,
                rule=one.action.rule,
                verb=one.action.verb,
                book_id=one.action.book_id,
                side=one.action.side,
                quantity_lots=one.action.lots,
                price_ticks=one.action.price_ticks,
                tif=one.action.tif,
                units=one.action.units,
                why=one.action.why,
                outcome=one.outcome,
                code=one.code,
                detail=one.detail,
                order_id=one.order_id,
                pair_book_id=one.action.pair_book,
                at=at,
            )
            for place, one in enumerate(done, 1)
        ]
    )
    payload = {
        "actions": [_told(one) for one in done],
        "number": str(policy.runs),
        "passed": passed,
        "revision": str(policy.revision),
        "run": run_id,
        "trigger": trigger,
    }
    remember_all([NewEvent(RAN, "policy", public("pol", str(policy.uuid)), payload)], actor=ACTOR, now_us=now_us)


def _told(one: Done) -> dict[str, object]:
    action = one.action
    return {
        "code": one.code,
        "detail": one.detail,
        "instrument": action.symbol,
        "order": public("ord", one.order_id),
        "outcome": one.outcome,
        "pair": None if action.pair_book is None else rules_of_book(action.pair_book).symbol,
        "price": str(action.price_ticks),
        "quantity": str(action.lots),
        "rule": action.rule,
        "side": str(action.side),
        "tif": str(action.tif),
        "units": str(action.units),
        "verb": action.verb,
        "why": action.why,
    }
