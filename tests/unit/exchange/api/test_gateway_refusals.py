"""What an OpenAI client is told to try again, and what is final."""

import pytest

from exchange.api.gateway.refusals import refusal_of
from settlement.domain.claims import Reason
from settlement.domain.routing import Refused
from settlement.services.request_refusal import RequestRefused

BUSY = Reason("max_concurrent", "2 requests are in flight, it allows 2", temporary=True)
LATER = Reason("window_not_open", "its window has not begun", temporary=True)
NEVER = Reason("units_short", "it has too few units")


@pytest.mark.parametrize(("reasons", "status"), [((BUSY,), 429), ((LATER,), 403), ((BUSY, LATER), 403), ((BUSY, NEVER), 403), ((), 403)])
def test_only_what_passes_soon_is_worth_another_call(reasons: tuple[Reason, ...], status: int) -> None:
    problem = refusal_of(RequestRefused([Refused("r", None, reason) for reason in reasons]))
    assert problem.status == status
    assert ("Retry-After" in problem.headers) == (status == 429)
