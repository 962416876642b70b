"""Standing policies: rebalancers, what binds an agent's key, and what runs did."""

from exchange.api.schemas.trading import SIDE
from exchange.api.schemas.words import (
    BPS,
    COUNT,
    FLAG,
    GIVEN_MOMENT,
    MOMENT,
    MONEY,
    PRICE,
    SYMBOL,
    TEXT,
    WHOLE,
    Schema,
    answer,
    many,
    maybe,
    one_of,
    public_id,
    ref,
    request,
)
from exchange.domain.standing_policy import AGENT, KINDS, PRIORITIES, REBALANCER, RULES, STATES
from exchange.feed.wire import STATUSES, TIFS
from exchange.models.bounds import APPROVAL_STATES
from exchange.models.policy import OUTCOMES, TRIGGERS
from exchange.services.approvals import ANSWERS

_WIDE: Schema = {**BPS, "maximum": 100_000}
_SPAN: Schema = {"type": "integer", "minimum": 0, "maximum": 366 * 86_400, "description": "Seconds"}
_EVERY: Schema = {"type": "integer", "minimum": 5, "maximum": 86_400, "description": "Seconds between looks; fills and ends bring more"}
_LABEL: Schema = {"type": "string", "maxLength": 80}
_UNITS: Schema = {**WHOLE, "pattern": "^(0|[1-9][0-9]{0,17})$", "description": "Units as a string"}
_PRICE: Schema = {
    **MONEY,
    "pattern": r"^([1-9][0-9]{0,9}(\.[0-9]{1,6})?|0\.[0-9]{0,5}[1-9])$",
    "description": "Currency per lot, above zero",
}
_CASH: Schema = {**MONEY, "pattern": r"^(0|[1-9][0-9]{0,9})(\.[0-9]{1,6})?$"}

_COVERAGE = request(
    {
        "max_price": _PRICE,
        "targets": many(request({"window_start": GIVEN_MOMENT, "units": _UNITS}, required=("window_start", "units")), high=500),
        "units": {**_UNITS, "description": "Wanted in windows that `targets` does not name"},
        "tolerance_units": _UNITS,
        "horizon_s": _SPAN,
        "slippage_bps": BPS,
        "rest": FLAG,
    },
    required=("max_price",),
    description="Hold what is needed: buy what is missing, take back own asks for it first",
)
_SELL = request(
    {"min_price": _CASH, "before_end_s": _SPAN, "slippage_bps": BPS, "rest": FLAG},
    required=("min_price", "before_end_s"),
    description="Sell what is more than needed as the window nears its end",
)
_ROLL = request(
    {"before_end_s": _SPAN, "max_cost_bps": _WIDE, "slippage_bps": BPS},
    required=("before_end_s", "max_cost_bps"),
    description="Sell it and buy as much in the class's next window",
)
_SWAP = request(
    {
        "to": SYMBOL,
        "before_end_s": _SPAN,
        "max_cost_bps": _WIDE,
        "units_bps": {**_WIDE, "minimum": 1, "maximum": 1_000_000},
        "slippage_bps": BPS,
    },
    required=("to", "before_end_s", "max_cost_bps"),
    description="Sell it and buy another class in the same window",
)
_LIMITS = request(
    {"max_orders_per_run": {"type": "integer", "minimum": 1, "maximum": 100}, "max_spend_per_run": _CASH, "max_spend_per_day": _CASH}
)
_REBALANCING = request(
    {"class": SYMBOL, "coverage": _COVERAGE, "sell_unused": _SELL, "roll": _ROLL, "swap": _SWAP, "limits": _LIMITS}, required=("class",)
)
_HOURS = request(
    {
        "priority": one_of(*PRIORITIES),
        "from_hour": {"type": "integer", "minimum": 0, "maximum": 23},
        "to_hour": {"type": "integer", "minimum": 1, "maximum": 24},
    },
    required=("priority",),
)
_AGENCY = request(
    {
        "classes": {**many(SYMBOL, high=50), "description": "What may be bought, sold and used; anything when empty"},
        "hours": {**many(_HOURS, high=20), "description": "Which priority of service at which UTC hours; any at any time when empty"},
        "max_order_notional": _CASH,
        "max_spend_per_day": _CASH,
        "approval_above": _CASH,
        "fallback": request({"allow": FLAG, "max_quality_loss_bps": BPS, "max_latency_expansion_bps": _WIDE}),
        "max_units_per_request": {**_UNITS, "pattern": "^[1-9][0-9]{0,17}$"},
    },
    description="What a program may do under its key, enforced by the venue",
)


def _for(kind: str, rules: Schema) -> Schema:
    properties = {"kind": one_of(kind), "label": _LABEL, "key_id": public_id("key"), "every_s": _EVERY, "rules": rules}
    return request(properties, required=("kind", "rules"))


_ACTION: dict[str, Schema] = {
    "rule": one_of(*RULES),
    "verb": one_of("place", "cancel"),
    "instrument": SYMBOL,
    "side": SIDE,
    "quantity": WHOLE,
    "price": PRICE,
    "units": WHOLE,
    "time_in_force": one_of(*TIFS),
    "order_id": maybe(public_id("ord")),
    "pair": {**maybe(SYMBOL), "description": "Where the second leg of a roll or swap is bought"},
    "why": TEXT,
}
_PASSED = many(answer({"rule": one_of(*RULES), "instrument": SYMBOL, "code": TEXT, "why": TEXT}, description="Left alone, and why"))

COMPONENTS: dict[str, Schema] = {
    "Policy": answer(
        {
            "id": public_id("pol"),
            "kind": one_of(*KINDS),
            "label": TEXT,
            "key_id": public_id("key"),
            "state": one_of(*STATES),
            "reason": {**maybe(TEXT), "description": "Why it was stopped"},
            "revision": COUNT,
            "every_s": COUNT,
            "runs": WHOLE,
            "looked_at": maybe(MOMENT),
            "rules": {"type": "object", "description": "As they were given, with every default said"},
            "created_at": MOMENT,
            "updated_at": MOMENT,
        },
        description="A standing policy of a holder",
    ),
    "PolicyRequest": {"oneOf": [_for(REBALANCER, _REBALANCING), _for(AGENT, _AGENCY)]},
    "PolicyChange": request(
        {"label": _LABEL, "every_s": _EVERY, "state": one_of("active", "paused"), "rules": {"oneOf": [_REBALANCING, _AGENCY]}},
        description="`rules` of the policy's own kind, whole",
    ),
    "Approval": answer(
        {
            "id": public_id("apv"),
            "key_id": public_id("key"),
            "instrument": SYMBOL,
            "side": SIDE,
            "price": PRICE,
            "quantity": WHOLE,
            "notional": MONEY,
            "state": one_of(*APPROVAL_STATES),
            "note": maybe(TEXT),
            "order_id": {**maybe(public_id("ord")), "description": "Which order used it"},
            "asked_at": MOMENT,
            "expires_at": MOMENT,
            "decided_at": maybe(MOMENT),
        },
        description="An order above a key's threshold",
    ),
    "ApprovalDecision": request({"decision": one_of(*ANSWERS), "note": {"type": "string", "maxLength": 200}}, required=("decision",)),
    "PolicyPlan": answer({"actions": many(answer(_ACTION)), "passed": _PASSED}, description="What would be done now; nothing was"),
    "PolicyOrPlan": {"oneOf": [ref("Policy"), ref("PolicyPlan")]},
    "PolicyRun": answer(
        {
            "id": TEXT,
            "number": WHOLE,
            "revision": COUNT,
            "trigger": one_of(*TRIGGERS),
            "at": MOMENT,
            "actions": many(
                answer(
                    {
                        **_ACTION,
                        "outcome": one_of(*OUTCOMES),
                        "code": maybe(TEXT),
                        "detail": maybe(TEXT),
                        "order_status": {**maybe(one_of(*STATUSES.values())), "description": "Null while no batch has applied it"},
                        "filled_quantity": WHOLE,
                    }
                )
            ),
            "passed": _PASSED,
        },
        description="One run that did something",
    ),
}
