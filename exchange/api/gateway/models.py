"""`/v1/models`: what a caller may name as a model. A class of its rights, or a right itself; any other name means whatever right fits."""

from typing import Any

from exchange.api.problems import Problem
from exchange.selectors.usable_rights import usable_rights
from rights.domain.capability import RESOURCE_OF
from settlement.domain.metering import OPERATIONS

MODELS = "/v1/models"
MOST = 100
RESOURCES = tuple(sorted({RESOURCE_OF[workload] for workload in OPERATIONS.values()}))


def model_list(*, account_id: int, now_us: int) -> dict[str, Any]:
    """The classes and the rights that the account may use now, as OpenAI lists models."""
    usable = usable_rights(account_id=account_id, resources=RESOURCES, now_us=now_us, most=MOST)
    classes = {right.class_key: (right.created_s, right.issuer) for right in reversed(usable)}
    rights = {f"rgt_{right.right_id}": (right.created_s, right.issuer) for right in usable}
    return {"object": "list", "data": [_model(name, *about) for name, about in {**classes, **rights}.items()]}


def one_model(found: dict[str, Any], name: str) -> dict[str, Any]:
    """The one of that name. Raises Problem `not_found`."""
    for model in found["data"]:
        if model["id"] == name:
            return dict(model)
    raise Problem("not_found", "you hold no right of this class or id that can be used now")


def _model(name: str, created_s: int, issuer: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created_s, "owned_by": issuer}
