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
        "beginnings": {kind: json.dumps(rules, indent=2) for kind, rules in _BEGINNINGS.items()},
    }
    return page(request, "web/policies.html", "rights", context)
