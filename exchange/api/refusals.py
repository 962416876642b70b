"""What the registry's and the operators' services refuse, as problems."""

from collections.abc import Iterator
from contextlib import contextmanager

from exchange.api.problems import Problem
from exchange.services.operator_refusal import OperatorRefusal
from rights.domain.manifest import ManifestRefusedError
from rights.domain.reason import ReasonMissing
from rights.services.refusals import IssuanceRefusedError, LifecycleRefusedError, RegistryRefusalError


def _of_registry(code: str, refusal: RegistryRefusalError) -> Problem:
    gates = [{"code": why.code, "passed": False, "detail": why.detail} for why in refusal.refusals]
    return Problem(code, str(refusal), gates=gates)


@contextmanager
def as_problems(manifest_at: str = "manifest") -> Iterator[None]:
    """Turn refusals into problems; `manifest_at` is where the manifest stands in the body."""
    try:
        yield
    except ManifestRefusedError as refused:
        errors = [{**error, "field": f"{manifest_at}.{error['field']}".rstrip(".")} for error in refused.field_errors]
        raise Problem("validation_failed", str(refused)[:1000], field_errors=errors) from refused
    except IssuanceRefusedError as refused:
        raise _of_registry("issuance_refused", refused) from refused
    except LifecycleRefusedError as refused:
        raise _of_registry("lifecycle_refused", refused) from refused
    except OperatorRefusal as refused:
        gates = [{"code": refused.code, "passed": False, "detail": refused.detail}]
        raise Problem("lifecycle_refused", refused.detail, gates=gates) from refused
    except ReasonMissing as refused:
        error = {"field": "reason", "code": "invalid", "detail": str(refused)}
        raise Problem("validation_failed", f"reason: {refused}", field_errors=[error]) from refused
