"""What nodes send, read strictly: each function takes a body and gives what it says, or raises BadFields, FieldError."""

import re
from collections.abc import Mapping
from typing import Any

from exchange.api import fields
from exchange.api.form import Form
from exchange.api.schemas.nodes import MOST_OUTPUT
from rights.domain.capability import WORKLOADS
from settlement.domain.node_results import Result
from settlement.services.lease import MOST_AT_ONCE

Body = Mapping[str, Any]
_HASH = re.compile("[0-9a-f]{64}", re.ASCII)
_RESULT = ("units", "output", "output_hash", "signature", "partial")


def wish_of(body: Body) -> tuple[int, tuple[str, ...] | None]:
    """(most, workloads) of a lease."""
    form = Form(body, ("max_jobs", "workloads"))
    most = form.need("max_jobs", 1, fields.integer, 1, MOST_AT_ONCE)
    workloads = form.read("workloads", None, _workloads)
    form.close()
    return most, workloads


def jobs_of(body: Body) -> list[str]:
    """The UUIDs of the jobs to be kept."""
    form = Form(body, ("job_ids",))
    none: list[str] = []
    jobs = form.need("job_ids", none, fields.items, 1, MOST_AT_ONCE, _job)
    form.close()
    return jobs


def results_of(body: Body) -> list[Result]:
    """Several results."""
    form = Form(body, ("results",))
    none: list[Result] = []
    results = form.need("results", none, fields.items, 1, MOST_AT_ONCE, _one_of_several)
    form.close()
    return results


def reason_of(body: Body) -> str:
    """Why a job can't be done."""
    form = Form(body, ("reason",))
    reason = form.need("reason", "", fields.text, 1, 200)
    form.close()
    return reason


def result_of(source: Body, prefix: str, job_id: str) -> Result:
    """One result, whose job has been read."""
    found = fields.members(source, prefix.rstrip("."), _RESULT, _RESULT[:-1])
    return Result(
        job_id=job_id,
        units=fields.whole(found["units"], f"{prefix}units"),
        output=_output(found["output"], f"{prefix}output"),
        output_hash=fields.matching(found["output_hash"], f"{prefix}output_hash", _HASH, "must be a SHA-256 in lower-case hexadecimal"),
        signature=fields.text(found["signature"], f"{prefix}signature", 0, 88),
        is_partial=fields.boolean(found.get("partial", False), f"{prefix}partial"),
    )


def _workloads(value: object, field: str) -> tuple[str, ...] | None:
    words = {word: word for word in WORKLOADS}
    return tuple(fields.items(value, field, 1, len(WORKLOADS), lambda item, place: fields.choice(item, place, words)))


def _job(value: object, field: str) -> str:
    return fields.public_id(value, field, "job")


def _one_of_several(value: object, field: str) -> Result:
    found = fields.members(value, field, ("job_id", *_RESULT), ("job_id", *_RESULT[:-1]))
    job_id = fields.public_id(found.pop("job_id"), f"{field}.job_id", "job")
    return result_of(found, f"{field}.", job_id)


def _output(value: object, field: str) -> str:
    """Any text: the reader of bodies has refused what no database keeps."""
    if not isinstance(value, str) or len(value) > MOST_OUTPUT:
        raise fields.FieldError(field, f"must be a text of at most {MOST_OUTPUT} characters")
    return value
