"""Standing policies: the frame of the page. What is in it is the API's, read and written by its scripts."""

import json

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from exchange.domain.standing_policy import AGENT, REBALANCER, STATES
from exchange.services.policies import NEEDED
from exchange.web.page import page, reader_of

# A beginning to write on: every rule once, with bounds that do little.
_BEGINNINGS = {
    REBALANCER: {
        "class": "TXT.CHAT.STD.INT.PRV",
        "coverage": {"max_price": "1.500", "units": "2000000", "horizon_s": 86_400},
        "sell_unused": {"min_price": "0.500", "before_end_s": 3_600, "slippage_bps": 100},
        "limits": {"max_orders_per_run": 4, "max_spend_per_day": "50"},
    },
    AGENT: {"classes": ["TXT.CHAT.STD.INT.PRV"], "max_spend_per_day": "25", "approval_above": "5", "max_units_per_request": "20000"},
}
# Each rule in a line, as the form has no room for more.
_MEANINGS = {
    REBALANCER: (
        ("class", "the class it looks after"),
        (
            "coverage",
            "in each window that starts within horizon_s, hold the units of targets, or else units: buys what is missing, at max_price at most",
        ),
        ("sell_unused", "from before_end_s before a window's end, sell what is more than needed, at min_price at least"),
        ("roll", "sell it and buy as much in the class's next window, for at most max_cost_bps above what the sale brings"),
        ("swap", "sell it and buy units_bps of the class that to names in the same window, for at most max_cost_bps more"),
        ("limits", "how many orders a run may place, and what buys may cost in a run and in a UTC day"),
        ("slippage_bps, rest", "how far beyond the best price an order may go at once; with rest, it waits at its last price instead"),
    ),
    AGENT: (
        ("classes", "what may be bought, sold and used; anything when empty"),
        ("hours", "which priority of service at which UTC hours; any at any time when empty"),
        ("max_order_notional, max_spend_per_day", "what one order, and all buys of a UTC day, may cost"),
        ("approval_above", "a larger order asks a member for approval first"),
        ("max_units_per_request", "the most units that one request may reserve"),
        ("fallback", "whether a request may be degraded, and by how much"),
    ),
}


@require_safe
@login_required
def policies(request: HttpRequest) -> HttpResponse:
    """What trades and spends for the reader by rule, with a trial before anything is done."""
    context = {
        "reader": reader_of(request),
        "kinds": [
            (REBALANCER, "Sells what would perish, keeps what is needed, rolls, swaps.", " ".join(NEEDED[REBALANCER])),
            (AGENT, "Bounds a program's key: classes, hours, spend, approvals, fallbacks.", " ".join(NEEDED[AGENT])),
        ],
        "states": [(state, state.capitalize()) for state in STATES],
        "meanings": list(_MEANINGS.items()),
        "beginnings": {kind: json.dumps(rules, indent=2) for kind, rules in _BEGINNINGS.items()},
    }
    return page(request, "web/policies.html", "rights", context)
