"""What using a right refuses, as problems: every reason of every candidate stands in `gates`."""

from collections.abc import Iterator
from contextlib import contextmanager

from exchange.api.problems import MOST_DETAIL, Problem
from exchange.api.refusals import as_problems
from exchange.services.idempotency import KeyInUseError, KeyReusedError
from exchange.services.key_standing import KeyEnded
from exchange.services.request_bounds import RequestBounded
from settlement.services.request_refusal import EnvelopeRefused, RequestRefused, RequestStateRefused


@contextmanager
def request_problems() -> Iterator[None]:
    """Turn what a request is refused with into problems."""
    try:
        with as_problems():
            yield
    except EnvelopeRefused as refused:
        errors = [{"field": fault.field, "code": "conflict", "detail": fault.detail} for fault in refused.faults]
        raise Problem("validation_failed", str(refused)[:MOST_DETAIL], field_errors=errors) from refused
    except RequestRefused as refused:
        gates = [
            {
                "right_id": f"rgt_{one.right_id}" if one.right_id else None,
                "supplier": one.supplier,
                "code": one.reason.code,
                "passed": False,
                "detail": one.reason.detail,
            }
            for one in refused.refusals
        ]
        raise Problem("request_refused", str(refused)[:MOST_DETAIL], gates=gates, retryable=refused.is_retryable) from refused
    except RequestStateRefused as refused:
        raise Problem(refused.code, refused.detail) from refused
    except RequestBounded as refused:
        told = [{"code": one.code, "passed": False, "detail": one.detail} for one in refused.refusals]
        raise Problem(refused.refusals[0].code, str(refused)[:MOST_DETAIL], gates=told) from refused
    except KeyEnded as ended:
        raise of_ended(ended) from ended
    except KeyReusedError:
        raise Problem("idempotency_key_reused") from None
    except KeyInUseError:
        raise Problem("idempotency_key_in_use", headers={"Retry-After": "1"}) from None


def of_ended(ended: KeyEnded) -> Problem:
    """What a caller is told whose key was good a moment ago."""
    return Problem("scope_missing", "needs the scope redeem") if ended.is_suspended else Problem("unauthenticated")
