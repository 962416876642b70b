"""Standing policies and their runs as their events tell them."""

from exchange.replay.object_states import Fields, ObjectKind, Payload
from exchange.replay.right_tables import MOMENT
from exchange.services import policies, run_policy

States = dict[str, Fields]
_ACTION = ("code", "detail", "instrument", "order", "outcome", "pair", "price", "quantity", "rule", "side", "tif", "units", "verb", "why")


def _created(states: States, object_id: str, payload: Payload, at: str) -> None:
    states[object_id] = {
        **{name: payload[name] for name in ("account", "every_s", "key", "kind", "label", "rules")},
        "created_at": at,
        "created_by": payload["by"],
        "reason": "",
        "revision": 1,
        "runs": "0",
        "state": "active",
        "updated_at": at,
    }


def _changed(states: States, object_id: str, payload: Payload, at: str) -> None:
    state = states[object_id]
    state |= {name: payload[name] for name in ("every_s", "label", "reason", "rules", "state")}
    state |= {"revision": state["revision"] + 1, "updated_at": at}


def _stopped(states: States, object_id: str, payload: Payload, at: str) -> None:
    states[object_id] |= {"reason": payload["reason"], "state": "stopped", "updated_at": at}


def _ended(states: States, object_id: str, payload: Payload, at: str) -> None:
    states[object_id] |= {"reason": payload["reason"], "state": "ended", "updated_at": at}


def _counted(states: States, object_id: str, payload: Payload, at: str) -> None:  # noqa: ARG001 - one shape for all steps
    state = states[object_id]
    if int(payload["number"]) != int(state["runs"]) + 1:
        raise ValueError(f"run {payload['number']} follows {state['runs']}")
    state["runs"] = payload["number"]


def _ran(states: States, object_id: str, payload: Payload, at: str) -> None:
    states[payload["run"]] = {
        "actions": [{name: action[name] for name in _ACTION} for action in payload["actions"]],
        "at": at,
        "number": payload["number"],
        "passed": payload["passed"],
        "policy": object_id,
        "revision": payload["revision"],
        "trigger": payload["trigger"],
    }


_POLICIES = f"""
SELECT 'pol_' || p.uuid::text, jsonb_build_object('account', 'acc_' || a.uuid::text, 'every_s', p.every_s::text, 'key', 'key_' || k.uuid::text,
       'kind', p.kind, 'label', p.label, 'rules', p.rules, 'created_at', {MOMENT.format("p.created_at")}, 'created_by', p.created_by,
       'reason', p.reason, 'revision', p.revision, 'runs', p.runs::text, 'state', p.state, 'updated_at', {MOMENT.format("p.updated_at")})::text
FROM exchange_policy p JOIN rights_account a ON a.id = p.account_id JOIN exchange_apikey k ON k.id = p.key_id ORDER BY 1
"""
_RUNS = f"""
SELECT r.id::text, jsonb_build_object('at', {MOMENT.format("r.at")}, 'number', r.number::text, 'passed', r.passed, 'policy', 'pol_' || p.uuid::text,
       'revision', r.revision::text, 'trigger', r.trigger, 'actions', coalesce((
           SELECT jsonb_agg(jsonb_build_object('code', x.code, 'detail', x.detail, 'instrument', i.symbol, 'order', 'ord_' || x.order_id::text,
               'outcome', x.outcome, 'pair', o.symbol, 'price', x.price_ticks::text, 'quantity', x.quantity_lots::text, 'rule', x.rule,
               'side', x.side::text, 'tif', x.tif::text, 'units', x.units::text, 'verb', x.verb, 'why', x.why) ORDER BY x.place)
           FROM exchange_policyaction x JOIN exchange_instrument i ON i.id = x.book_id LEFT JOIN exchange_instrument o ON o.id = x.pair_book_id
           WHERE x.run_id = r.id), '[]'::jsonb))::text
FROM exchange_policyrun r JOIN exchange_policy p ON p.id = r.policy_id ORDER BY 1
"""

KINDS = (
    ObjectKind(
        "policy",
        {
            policies.CREATED: _created,
            policies.CHANGED: _changed,
            policies.STOPPED_EVENT: _stopped,
            policies.ENDED_EVENT: _ended,
            run_policy.RAN: _counted,
        },
        _POLICIES,
    ),
    ObjectKind("policy_run", {run_policy.RAN: _ran}, _RUNS),
)
