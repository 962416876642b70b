"""What nodes answer (SPEC §8): results are checked against what was reserved and what the venue counts itself, once.

Only the node that has a job may end it. The same answer again says what was said before; a late one, or one about a job that others have,
changes nothing. A lie ends the attempt: the node gets a strike, the job goes to another, and the lie stays as a proof that proves nothing.
What several nodes say goes together, one call after another: the second sees what the first has ended. Locks: the nodes by id, then jobs by id,
the `registry` stream last.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
import orjson
from django.db import transaction

from rights.kernel import rows
from rights.kernel.ids import public
from rights.kernel.trip import Trip
from settlement.domain.node_results import Asked, Result, lie_in
from settlement.domain.node_states import JobState, after_attempt
from settlement.services.job_ends import End, end_attempts, proof_of, told_of
from settlement.services.node_calls import Calls, NodeBarred, NodeCall, NonceUsed, Seen, Worker
from settlement.services.nodes import Struck, strike_nodes

Verdict = Literal["accepted", "refused", "lease_over", "unknown"]
_LOCK = """
SELECT j.id::text, j.request_id::text, j.route_id::text, j.supplier_id, j.state, j.node_id, j.unit, j.units, j.leases, j.attempts, j.max_attempts, j.proofs::text,
       j.told::text, (extract(epoch from j.offered_at) * 1000000)::bigint, (extract(epoch from j.leased_at) * 1000000)::bigint,
       (extract(epoch from j.deadline_at) * 1000000)::bigint, p.body
FROM settlement_job j JOIN settlement_requestpayload p ON p.request_id = j.request_id
WHERE j.id = ANY (%s::uuid[]) AND j.supplier_id = ANY (SELECT supplier_id FROM settlement_node WHERE uuid = ANY (%s::uuid[]))
ORDER BY j.id FOR NO KEY UPDATE OF j
"""
_JSON = (11, 12)  # the places of texts in it


class Answered(msgspec.Struct, frozen=True):
    """What became of an answer. `detail`: the lie, of a refused one. `request_id`: whose job it was, when this ended it."""

    job_id: str
    verdict: Verdict
    detail: str = ""
    request_id: str = ""


class Held(msgspec.Struct, frozen=True):
    """A job under lock."""

    job_id: str
    request_id: str
    route_id: str
    supplier_id: int
    state: str
    node_id: int | None
    unit: str
    units: int
    leases: int
    attempts: int
    max_attempts: int
    proofs: list[dict[str, Any]]
    told: dict[str, Any] | None
    offered_us: int
    leased_us: int
    deadline_us: int
    body: str

    def asked(self, now_us: int) -> Asked:
        """What a result that comes now is held against."""
        return Asked(self.unit, self.units, self.body, now_us - self.leased_us)


class Handed(msgspec.Struct, frozen=True):
    """A node's call with results. `nonce` as of a NodeCall."""

    node_id: str
    nonce: str
    results: Sequence[Result]
    actor: str


class GivenBack(msgspec.Struct, frozen=True):
    """A node's call with jobs it can't do, and why. `nonce` as of a NodeCall."""

    node_id: str
    nonce: str
    failures: Sequence[tuple[str, str]]


Answers = list[Answered] | NonceUsed | NodeBarred


@transaction.atomic(savepoint=False)
def complete_together(*, calls: Sequence[Handed], now_us: int) -> list[Answers]:
    """For each call, in their order, one answer for each result; or NonceUsed, NodeBarred. A job named twice is judged by the first."""
    seen, held = _locked(calls, [result.job_id for call in calls for result in call.results], now_us)
    ends: dict[str, End] = {}
    struck: list[Struck] = []
    told: list[Answers] = []
    for call in calls:
        try:
            worker = seen.worker(call)
        except (NonceUsed, NodeBarred) as refused:
            told.append(refused)
            continue
        told.append([_judged(call, worker, result, held, ends, struck, now_us) for result in call.results])
    end_attempts(list(ends.values()), now_us)
    if struck:
        strike_nodes(struck=struck, now_us=now_us)
    return told


def complete_jobs(*, node_id: str, results: Sequence[Result], actor: str, now_us: int) -> list[Answered]:
    """`complete_together` for one node. Raises NodeBarred."""
    (told,) = complete_together(calls=[Handed(node_id, "", results, actor)], now_us=now_us)
    if isinstance(told, Exception):
        raise told
    return told


@transaction.atomic
def fail_jobs(*, call: GivenBack, now_us: int) -> list[Answered]:
    """To the next node, or aside when enough have tried; one answer for each. Raises NonceUsed, NodeBarred."""
    seen, held = _locked([call], [job_id for job_id, _ in call.failures], now_us)
    worker = seen.worker(call)
    answers: list[Answered] = []
    ends: dict[str, End] = {}
    for job_id, why in call.failures:
        job = held.get(job_id)
        if job is None or job.supplier_id != worker.supplier_id:
            answers.append(Answered(job_id, "unknown"))
        elif job_id in ends or job.state != JobState.LEASED or job.node_id != worker.id:
            answers.append(Answered(job_id, "lease_over"))
        else:
            ends[job_id] = _given_up(job, worker, "failed", why, now_us)
            answers.append(Answered(job_id, "accepted", "", _over(ends[job_id])))
    end_attempts(list(ends.values()), now_us)
    return answers


def _judged(
    call: Handed, worker: Worker, result: Result, held: Mapping[str, Held], ends: dict[str, End], struck: list[Struck], now_us: int
) -> Answered:
    """What becomes of one result; `ends` and `struck` grow by what it brings about."""
    job = held.get(result.job_id)
    if job is None or job.supplier_id != worker.supplier_id:
        return Answered(result.job_id, "unknown")
    if result.job_id in ends or job.state != JobState.LEASED or job.node_id != worker.id:
        return _said_before(job, worker, result, ends.get(result.job_id))
    producer = public("nod", call.node_id)
    if lie := lie_in(result, asked=job.asked(now_us), public_key=worker.public_key):
        proof = proof_of(job_id=job.job_id, node=producer, result=result, is_valid=False)
        ends[result.job_id] = _given_up(job, worker, "struck", lie, now_us, result=result, proofs=[*job.proofs, proof])
        struck.append(Struck(node_id=call.node_id, actor=call.actor, result=result, request_id=job.request_id, lie=lie))
        return Answered(result.job_id, "refused", lie, _over(ends[result.job_id]))
    ends[result.job_id] = _done(job, worker, result, producer, now_us)
    return Answered(result.job_id, "accepted", "", job.request_id)


def _locked(calls: Sequence[NodeCall], job_ids: Sequence[str], now_us: int) -> tuple[Seen, dict[str, Held]]:
    trip = Trip()
    asked = Calls(trip, calls, now_us)
    found = trip.ask(_LOCK, [rows.array(job_ids), rows.array({call.node_id for call in calls})])
    trip.go()
    held = (Held(*(orjson.loads(value) if value and place in _JSON else value for place, value in enumerate(row))) for row in found.rows())
    return asked.read(), {job.job_id: job for job in held}


def _said_before(job: Held, worker: Worker, result: Result, end: End | None) -> Answered:
    """An answer about a job that is not the node's any more: accepted is only the very result that was accepted."""
    told = end.told if end is not None else job.told
    is_done = end.state == JobState.DONE if end is not None else job.state == JobState.DONE
    is_same = is_done and told is not None and (told["output_hash"], told["delivered_units"]) == (result.output_hash, result.units)
    return Answered(result.job_id, "accepted" if is_same and job.node_id == worker.id else "lease_over")


def _done(job: Held, worker: Worker, result: Result, producer: str, now_us: int) -> End:
    told = told_of(
        route_id=job.route_id,
        units=result.units,
        latency_us=now_us - job.leased_us,
        queue_us=job.leased_us - job.offered_us,
        output_ref=public("job", job.job_id),
        output_hash=result.output_hash,
        is_partial=result.is_partial,
    )
    proofs = [*job.proofs, proof_of(job_id=job.job_id, node=producer, result=result, is_valid=True)]
    return _end(job, worker, JobState.DONE, "done", result=result, told=told, proofs=proofs)


def _given_up(
    job: Held, worker: Worker, end: str, why: str, now_us: int, *, result: Result | None = None, proofs: list[dict[str, Any]] | None = None
) -> End:
    state = after_attempt(attempts=job.attempts, max_attempts=job.max_attempts, is_in_time=now_us < job.deadline_us)
    told = told_of(route_id=job.route_id, units=0, error=why) if state is JobState.PARKED else None
    return _end(job, worker, state, end, why, result=result, told=told, proofs=job.proofs if proofs is None else proofs)


def _end(
    job: Held,
    worker: Worker,
    state: JobState,
    end: str,
    why: str = "",
    *,
    result: Result | None,
    told: dict[str, Any] | None,
    proofs: list[dict[str, Any]],
) -> End:
    return End(
        job_id=job.job_id,
        request_id=job.request_id,
        number=job.leases,
        node_id=worker.id,
        state=str(state),
        end=end,
        why=why,
        told=told,
        proofs=proofs,
        units=None if result is None else result.units,
        output=result.output if result is not None and state is JobState.DONE else None,
        output_hash="" if result is None else result.output_hash,
        signature="" if result is None else result.signature,
    )


def _over(end: End) -> str:
    """The request, when the job is over with this."""
    return end.request_id if end.state in {JobState.DONE, JobState.PARKED} else ""
