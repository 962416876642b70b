"""Why a request can't be taken or go on: every reason of every candidate, and nothing written."""

from collections.abc import Sequence

from settlement.domain.claims import Reason
from settlement.domain.envelope import Fault
from settlement.domain.routing import Refused


class EnvelopeRefused(Exception):
    """Fields that no state could make right."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{fault.field} {fault.detail}" for fault in faults))
        self.faults = tuple(faults)


class RequestRefused(Exception):
    """Nothing may do it now. `is_retryable`: something that passes is all that stands in the way of one of them."""

    def __init__(self, refusals: Sequence[Refused], *, is_retryable: bool = False) -> None:
        super().__init__("; ".join(_words(refused) for refused in refusals))
        self.refusals = tuple(refusals)
        self.is_retryable = is_retryable


class RequestStateRefused(Exception):
    """The request, or a route of it, is not in a state that allows this."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


def refused_as(code: str, detail: str) -> RequestRefused:
    """A refusal of the request itself."""
    return RequestRefused([Refused("", None, Reason(code, detail))])


def _words(refused: Refused) -> str:
    about = ", ".join([*([f"rgt_{refused.right_id}"] if refused.right_id else []), *([refused.supplier] if refused.supplier else [])])
    return f"{about}: {refused.reason.detail}" if about else refused.reason.detail
