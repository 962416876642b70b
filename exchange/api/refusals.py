"""What the registry's and the operators' services refuse, as problems."""

from collections.abc import Iterator
from contextlib import contextmanager

from exchange.api.problems import MOST_DETAIL, Problem
from exchange.services.operator_refusal import OperatorRefusal
from exchange.services.policies import PolicyRefusal
from rights.domain.manifest import ManifestRefusedError
from rights.domain.reason import ReasonMissing
from rights.kernel.ids import public
from rights.services.refusals import (
    CompositionRefusedError,
    IssuanceRefusedError,
    LifecycleRefusedError,
    RegistryRefusalError,
    SupplyRefusedError,
)
from settlement.services.transfer import TransferRefused


def _of_registry(code: str, refusal: RegistryRefusalError, fields_at: str = "") -> Problem:
    gates = [{"code": why.code, "passed": False, "detail": why.detail} for why in refusal.refusals]
    named = [{"field": fields_at + why.field, "code": why.code, "detail": why.detail} for why in refusal.refusals if why.field]
    return Problem(code, str(refusal)[:MOST_DETAIL], gates=gates, field_errors=named)


@contextmanager
def as_problems(manifest_at: str = "manifest", fields_at: str = "") -> Iterator[None]:
    """Turn refusals into problems; `manifest_at` is where the manifest stands in the body, `fields_at` goes before a refusal's own field."""
    try:
        yield
    except ManifestRefusedError as refused:
        errors = [{**error, "field": f"{manifest_at}.{error['field']}".rstrip(".")} for error in refused.field_errors]
        raise Problem("validation_failed", str(refused)[:1000], field_errors=errors) from refused
    except IssuanceRefusedError as refused:
        raise _of_registry("issuance_refused", refused, fields_at) from refused
    except SupplyRefusedError as refused:
        raise _of_registry("supply_refused", refused, fields_at) from refused
    except CompositionRefusedError as refused:
        raise _of_registry("package_refused", refused) from refused
    except LifecycleRefusedError as refused:
        raise _of_registry("lifecycle_refused", refused) from refused
    except TransferRefused as refused:
        shut = [
            {"right_id": public("rgt", one.right_id), "code": one.verdict.code, "passed": False, "detail": one.verdict.detail}
            for one in refused.refusals
        ]
        raise Problem("transfer_refused", str(refused)[:1000], gates=shut) from refused
    except OperatorRefusal as refused:
        gates = [{"code": refused.code, "passed": False, "detail": refused.detail}]
        raise Problem("lifecycle_refused", refused.detail, gates=gates) from refused
    except PolicyRefusal as refused:
        named = [{"field": refused.field, "code": refused.code, "detail": refused.detail}] if refused.field else []
        raise Problem(refused.code, refused.detail, field_errors=named) from refused
    except ReasonMissing as refused:
        error = {"field": "reason", "code": "invalid", "detail": str(refused)}
        raise Problem("validation_failed", f"reason: {refused}", field_errors=[error]) from refused
