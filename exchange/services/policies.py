"""Standing policies are made, changed, stopped and ended; each is an event of the registry (SPEC §11).

A policy acts under a key of its account and can do no more than that. What binds a key (an agent's policy) no key may loosen.
"""

from collections.abc import Mapping

import msgspec
from django.db import IntegrityError, transaction

from exchange.domain.standing_policy import ACTIVE, AGENT, ENDED, PAUSED, REBALANCER, STOPPED, Rebalancing, Rules, document_of
from exchange.models import ApiKey, Policy
from exchange.services.identity import Principal
from exchange.services.keys import has_limits
from rights.domain.reason import stated_reason
from rights.kernel.clock import to_datetime, to_us
from rights.kernel.ids import public
from rights.models import ComputeClass
from rights.services.journal import NewEvent
from rights.services.registry import remember_all

STOPPABLE = (ACTIVE, PAUSED)
LONGEST_REASON = 200
NEEDED = {REBALANCER: ("trade", "cancel"), AGENT: ()}
CREATED, CHANGED, STOPPED_EVENT, ENDED_EVENT = "policy.created", "policy.changed", "policy.stopped", "policy.ended"


class PolicyRefusal(Exception):
    """The policy can't be so; nothing was written. `field`: where in the request it stands."""

    def __init__(self, code: str, detail: str, field: str = "") -> None:
        super().__init__(detail)
        self.code, self.detail, self.field = code, detail, field


class NewPolicy(msgspec.Struct, frozen=True):
    """What a holder asks for. `key_uuid` None: the caller's own."""

    kind: str
    rules: Rules
    label: str = ""
    every_s: int = 30
    key_uuid: str | None = None


class PolicyChange(msgspec.Struct, frozen=True):
    """New values; None leaves one as it is. `state` is `active` or `paused`."""

    label: str | None = None
    rules: Rules | None = None
    every_s: int | None = None
    state: str | None = None


def key_fault(key: ApiKey, kind: str, now_us: int) -> str | None:
    """Why a policy of that kind can't act under this key, in words."""
    if key.revoked_at is not None:
        return "the key is revoked"
    if key.expires_at is not None and to_us(key.expires_at) <= now_us:
        return "the key has run out"
    if key.account.status != "active" or key.account.participant.status != "active":
        return "its owner is suspended"
    missing = sorted(set(NEEDED[kind]) - set(key.scopes))
    return f"the key lacks the scope {' and '.join(missing)}" if missing else None


@transaction.atomic
def create_policy(*, new: NewPolicy, who: Principal, policy_id: str, now_us: int) -> Policy:
    """The new policy, which looks for the first time at once. Raises PolicyRefusal `policy_key`, `policy_class`, `policy_binds`, `policy_exists`."""
    key = _key(new, who, now_us)
    _check_rules(new.rules)
    try:
        with transaction.atomic():
            row = Policy.objects.create(
                uuid=policy_id,
                account_id=who.account_id,
                key=key,
                kind=new.kind,
                label=new.label,
                rules=document_of(new.rules),
                every_s=new.every_s,
                created_by=who.actor,
                created_at=to_datetime(now_us),
                updated_at=to_datetime(now_us),
                next_at=to_datetime(now_us),
            )
    except IntegrityError as error:  # policy_agent_once
        raise PolicyRefusal("policy_exists", "the key has an agent's policy already: change that one", "key_id") from error
    payload = {
        "account": f"acc_{who.account_uuid}",
        "by": who.actor,
        "every_s": str(new.every_s),
        "key": f"key_{key.uuid}",
        "kind": new.kind,
        "label": new.label,
        "rules": row.rules,
    }
    _remember(row, CREATED, payload, who.actor, now_us)
    _bind(row)
    return row


@transaction.atomic
def change_policy(*, policy_id: str, change: PolicyChange, who: Principal, now_us: int) -> Policy:
    """The policy afterwards; a stopped one can be made active again. Raises PolicyRefusal, Policy.DoesNotExist."""
    row = locked_policy(policy_id, who)
    if row.state == ENDED:
        raise PolicyRefusal("policy_state", "the policy has ended; make a new one")
    if change.rules is not None:
        _check_rules(change.rules)
        row.rules = document_of(change.rules)
    row.label = row.label if change.label is None else change.label
    row.every_s = row.every_s if change.every_s is None else change.every_s
    if change.state is not None:
        fault = key_fault(row.key, row.kind, now_us) if change.state == ACTIVE else None
        if fault:
            raise PolicyRefusal("policy_key", f"{fault}; make a new policy under a key that lives", "state")
        row.state, row.reason = change.state, ""
    row.revision += 1
    row.updated_at = row.next_at = to_datetime(now_us)
    row.save(update_fields=["rules", "label", "every_s", "state", "reason", "revision", "updated_at", "next_at"])
    payload = {"every_s": str(row.every_s), "label": row.label, "reason": row.reason, "rules": row.rules, "state": row.state}
    _remember(row, CHANGED, payload, who.actor, now_us)
    _bind(row)
    return row


@transaction.atomic
def end_policy(*, policy_id: str, who: Principal, now_us: int) -> Policy:
    """The policy, which never acts again; its orders stay. Raises PolicyRefusal, Policy.DoesNotExist."""
    row = locked_policy(policy_id, who)
    if row.state != ENDED:
        _close(row, ENDED, "", ENDED_EVENT, who.actor, now_us)
        _bind(row)
    return row


def stop_policy(*, row: Policy, reason: str, actor: str, now_us: int) -> None:
    """Inside the caller's transaction, the row locked: it can't go on, and says why."""
    _close(row, STOPPED, reason, STOPPED_EVENT, actor, now_us)


@transaction.atomic
def stop_by_operator(*, policy_id: str, reason: str, actor: str, now_us: int) -> Policy:
    """The policy, which acts no more until its holder makes it active again. Raises PolicyRefusal `policy_state`, `policy_binds`."""
    row = _taken_by_operator(policy_id)
    if row.state not in STOPPABLE:
        raise PolicyRefusal("policy_state", f"the policy is {row.state}")
    stop_policy(row=row, reason=stated_reason(reason), actor=actor, now_us=now_us)
    return row


@transaction.atomic
def end_by_operator(*, policy_id: str, reason: str, actor: str, now_us: int) -> Policy:
    """The policy, which never acts again. Raises PolicyRefusal `policy_state`, `policy_binds`."""
    row = _taken_by_operator(policy_id)
    if row.state == ENDED:
        raise PolicyRefusal("policy_state", "the policy has ended")
    _close(row, ENDED, stated_reason(reason), ENDED_EVENT, actor, now_us)
    return row


def _taken_by_operator(policy_id: str) -> Policy:
    row = Policy.objects.select_for_update(no_key=True).get(uuid=policy_id)
    if row.kind == AGENT:
        raise PolicyRefusal("policy_binds", "it only binds its key, which without it would be free: revoke the key")
    return row


def locked_policy(policy_id: str, who: Principal) -> Policy:
    """The caller's policy (by UUID), locked. Raises Policy.DoesNotExist, PolicyRefusal `policy_binds` where a key may not touch it."""
    rows = Policy.objects.select_for_update(no_key=True, of=("self",)).select_related("key__account__participant")
    row = rows.get(uuid=policy_id, account_id=who.account_id)
    if who.key_id is not None and (row.kind == AGENT or row.key_id != who.key_id):
        raise PolicyRefusal("policy_binds", "a key changes no policy that binds it, and none of another key: log in as a member")
    return row


def _bind(row: Policy) -> None:
    """Have the key's orders judged as long as an agent's policy binds it."""
    if row.kind == AGENT:
        key = ApiKey.objects.select_for_update(no_key=True).get(pk=row.key_id)
        key.bounded = row.state == ACTIVE or has_limits(key)
        key.save(update_fields=["bounded"])


def _key(new: NewPolicy, who: Principal, now_us: int) -> ApiKey:
    if who.key_id is not None and new.kind == AGENT:
        raise PolicyRefusal("policy_binds", "only a member binds a key: log in")
    wanted = new.key_uuid or who.key_uuid
    if wanted is None:
        raise PolicyRefusal("policy_key", "a policy acts under a key of the account: name one", "key_id")
    if who.key_id is not None and wanted != who.key_uuid:
        raise PolicyRefusal("policy_binds", "a key makes policies only for itself: log in as a member", "key_id")
    key = ApiKey.objects.select_related("account__participant").filter(uuid=wanted, account_id=who.account_id).first()
    if key is None:
        raise PolicyRefusal("policy_key", "the account has no such key", "key_id")
    if fault := key_fault(key, new.kind, now_us):
        raise PolicyRefusal("policy_key", fault, "key_id")
    return key


def _check_rules(rules: Rules) -> None:
    wanted = rules.classes
    known = set(ComputeClass.objects.filter(key__in=wanted).values_list("key", flat=True))
    for key in wanted:
        if key not in known:
            raise PolicyRefusal("policy_class", f"the venue has no class {key}", "rules")
    if isinstance(rules, Rebalancing) and rules.swap is not None and rules.swap.to_class == rules.class_key:
        raise PolicyRefusal("policy_class", "a class is not swapped for itself", "rules.swap.to")


def _close(row: Policy, state: str, reason: str, kind: str, actor: str, now_us: int) -> None:
    row.state, row.reason, row.updated_at = state, reason[:LONGEST_REASON], to_datetime(now_us)
    row.save(update_fields=["state", "reason", "updated_at"])
    _remember(row, kind, {"reason": row.reason}, actor, now_us)


def _remember(row: Policy, kind: str, payload: Mapping[str, object], actor: str, now_us: int) -> None:
    remember_all([NewEvent(kind, "policy", public("pol", str(row.uuid)), {**payload})], actor=actor, now_us=now_us)


SETTABLE = (ACTIVE, PAUSED)
