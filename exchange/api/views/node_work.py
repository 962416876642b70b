"""What nodes do over REST: lease jobs, keep them, complete or fail them. Every request is signed by the node (API.md, Identity).

Nothing here needs an `Idempotency-Key`: the same answer again is told what it was told before, and a lease that nobody heard of expires.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.db import DatabaseError
from rest_framework.request import Request
from rest_framework.response import Response

from exchange.api import fields, node_render
from exchange.api.authentication import BrowserAuthentication, KeyAuthentication, NodeAuthentication
from exchange.api.base import ApiView, listing, not_found
from exchange.api.doc import Doc
from exchange.api.form import Form
from exchange.api.problems import Problem
from exchange.api.refusals import as_problems
from exchange.api.schemas.nodes import MOST_OUTPUT
from exchange.api.views.rights import MINT
from exchange.services.signed_requests import NODE_SCOPE
from rights.domain.capability import WORKLOADS
from rights.kernel.ids import bare
from rights.kernel.retry import begun_again
from settlement.domain.node_results import Result
from settlement.services.complete import Answered, complete_jobs, fail_jobs
from settlement.services.gather import gather
from settlement.services.lease import MOST_AT_ONCE, keep_leases, lease_jobs

_LOG = logging.getLogger(__name__)
_HASH = re.compile("[0-9a-f]{64}", re.ASCII)
_RESULT = ("units", "output", "output_hash", "signature", "partial")
_SIGNED = "Signed by the node: `X-Key` is its id."


class NodeWorkView(ApiView):
    """Views that a node alone may use."""

    authentication_classes = (NodeAuthentication, KeyAuthentication, BrowserAuthentication)
    scopes: ClassVar = {"POST": NODE_SCOPE}
    actions: ClassVar = {"POST": "node"}

    @property
    def node_id(self) -> str:
        return str(self.principal.key_uuid)

    def job_id(self, job_id: str) -> str:
        uuid = bare("job", job_id)
        if uuid is None:
            raise not_found()
        return uuid

    def one(self, answered: Answered) -> Response:
        if answered.verdict == "unknown":
            raise not_found()
        return Response(node_render.verdict(answered))

    def completed(self, results: Sequence[Result]) -> list[Answered]:
        return self._ended(
            begun_again(lambda: complete_jobs(node_id=self.node_id, results=results, actor=self.principal.actor, now_us=self.now_us))
        )

    def failed(self, failures: Sequence[tuple[str, str]]) -> list[Answered]:
        return self._ended(begun_again(lambda: fail_jobs(node_id=self.node_id, failures=failures, now_us=self.now_us)))

    def _ended(self, answers: list[Answered]) -> list[Answered]:
        """Whoever ended the last job of a request records its receipt. Nothing that goes wrong there takes the answers back."""
        over = {answered.request_id for answered in answers if answered.request_id}
        try:
            begun_again(lambda: gather(request_ids=over, mint=MINT, now_us=self.now_us))
        except DatabaseError:
            _LOG.exception("receipts are left to the timetable")
        return answers


class LeaseView(NodeWorkView):
    docs: ClassVar = {
        "POST": Doc(
            "Take open jobs, the oldest first; none when there are none", "NodeLease", body="LeaseRequest", listed=True, description=_SIGNED
        )
    }

    def post(self, _request: Request) -> Response:
        form = Form(self.body, ("max_jobs", "workloads"))
        most = form.need("max_jobs", 1, fields.integer, 1, MOST_AT_ONCE)
        workloads = form.read("workloads", None, _workloads)
        form.close()
        with as_problems():
            found = begun_again(lambda: lease_jobs(node_id=self.node_id, most=most, workloads=workloads, now_us=self.now_us))
        return listing([node_render.lease(one) for one in found])


class KeepView(NodeWorkView):
    docs: ClassVar = {
        "POST": Doc(
            "Keep several leases; those that are over are left out", "LeaseKept", body="LeasesKept", listed=True, description=_SIGNED
        )
    }

    def post(self, _request: Request) -> Response:
        form = Form(self.body, ("job_ids",))
        none: list[str] = []
        jobs = form.need("job_ids", none, fields.items, 1, MOST_AT_ONCE, _job)
        form.close()
        kept = begun_again(lambda: keep_leases(node_id=self.node_id, job_ids=jobs, now_us=self.now_us))
        return listing([node_render.kept(job_id, kept[job_id]) for job_id in dict.fromkeys(jobs) if job_id in kept])


class HeartbeatView(NodeWorkView):
    docs: ClassVar = {"POST": Doc("Keep one lease", "LeaseKept", body="Empty", description=_SIGNED, errors=("lease_over",))}

    def post(self, _request: Request, job_id: str) -> Response:
        fields.members(self.body, "", ())
        uuid = self.job_id(job_id)
        kept = begun_again(lambda: keep_leases(node_id=self.node_id, job_ids=[uuid], now_us=self.now_us))
        if uuid not in kept:
            raise Problem("lease_over")
        return Response(node_render.kept(uuid, kept[uuid]))


class CompleteAllView(NodeWorkView):
    docs: ClassVar = {
        "POST": Doc("Hand in several results; one verdict for each", "JobVerdict", body="JobResults", listed=True, description=_SIGNED)
    }

    def post(self, _request: Request) -> Response:
        form = Form(self.body, ("results",))
        none: list[Result] = []
        results = form.need("results", none, fields.items, 1, MOST_AT_ONCE, _result_of)
        form.close()
        return listing([node_render.verdict(one) for one in self.completed(results)])


class CompleteView(NodeWorkView):
    docs: ClassVar = {"POST": Doc("Hand in the result of one job", "JobVerdict", body="JobResult", description=_SIGNED)}

    def post(self, _request: Request, job_id: str) -> Response:
        result = _result(self.body, "", self.job_id(job_id))
        return self.one(self.completed([result])[0])


class FailView(NodeWorkView):
    docs: ClassVar = {"POST": Doc("Give a job back that the node can't do", "JobVerdict", body="JobFailure", description=_SIGNED)}

    def post(self, _request: Request, job_id: str) -> Response:
        form = Form(self.body, ("reason",))
        reason = form.need("reason", "", fields.text, 1, 200)
        form.close()
        uuid = self.job_id(job_id)
        return self.one(self.failed([(uuid, reason)])[0])


def _workloads(value: object, field: str) -> list[str] | None:
    words = {word: word for word in WORKLOADS}
    return fields.items(value, field, 1, len(WORKLOADS), lambda item, place: fields.choice(item, place, words))


def _job(value: object, field: str) -> str:
    return fields.public_id(value, field, "job")


def _result_of(value: object, field: str) -> Result:
    found = fields.members(value, field, ("job_id", *_RESULT), ("job_id", *_RESULT[:-1]))
    job_id = fields.public_id(found.pop("job_id"), f"{field}.job_id", "job")
    return _result(found, f"{field}.", job_id)


def _result(source: Mapping[str, Any], prefix: str, job_id: str) -> Result:
    found = fields.members(source, prefix.rstrip("."), _RESULT, _RESULT[:-1])
    return Result(
        job_id=job_id,
        units=fields.whole(found["units"], f"{prefix}units"),
        output=_output(found["output"], f"{prefix}output"),
        output_hash=fields.matching(found["output_hash"], f"{prefix}output_hash", _HASH, "must be a SHA-256 in lower-case hexadecimal"),
        signature=fields.text(found["signature"], f"{prefix}signature", 0, 88),
        is_partial=fields.boolean(found.get("partial", False), f"{prefix}partial"),
    )


def _output(value: object, field: str) -> str:
    """Any text: the reader of bodies has refused what no database keeps."""
    if not isinstance(value, str) or len(value) > MOST_OUTPUT:
        raise fields.FieldError(field, f"must be a text of at most {MOST_OUTPUT} characters")
    return value
