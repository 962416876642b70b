"""Requests that come from outside at the same time are answered in one transaction (SPEC §8; API.md, idempotency).

What can't go with others, and what the database refuses to them, is done by itself: so nobody is kept from his request by another's.
"""

from collections.abc import Mapping, Sequence

import msgspec
from django.db import transaction

from exchange.selectors.requests import submitted_document
from exchange.services import idempotency
from exchange.services.idempotency import Done, Keyed, KeyReusedError
from exchange.services.identity import Principal
from exchange.services.key_standing import KeyEnded, Standing, ask_standing
from exchange.services.redeem_bell import ring_after_commit
from exchange.services.request_bounds import RequestBounded, within_bounds
from rights.kernel import rows
from rights.kernel.ids import Mint
from rights.kernel.retry import begun_again, in_one
from rights.kernel.trip import Trip
from settlement.domain.envelope import Envelope
from settlement.services.gathered import Apart
from settlement.services.submit import Ask, Outcome, Submitted, goes_together, submit_alone, submit_requests


class Submission(msgspec.Struct, frozen=True):
    """A request as it came in. `keyed`: the Idempotency-Key it came with and what it says; None without."""

    who: Principal
    envelope: Envelope
    payload: str | None
    choose: bool
    keyed: Keyed | None = None


Answer = Done | Exception


def answer_submissions(submissions: Sequence[Submission], *, mint: Mint, now_us: int) -> list[Answer]:
    """What each comes to, in order: its answer, or the exception that refuses it; Apart where it is to be done by itself.

    Those are KeyReusedError, KeyEnded, RequestBounded, EnvelopeRefused and RequestRefused. Raises what came of a COMMIT that may be in.
    """
    together = _those_together(submissions)
    found = (
        in_one(lambda: _answer_together([submissions[place] for place in together], mint, now_us), of=len(together)) if together else None
    )
    answers = {} if found is None else dict(zip(together, found, strict=True))
    return [answers.get(place, Apart()) for place in range(len(submissions))]


def answer_alone(submission: Submission, *, mint: Mint, now_us: int) -> Done:
    """The answer. Raises as `answer_submissions`, KeyInUseError, LifecycleRefusedError, and what the database raises."""
    keyed = submission.keyed

    def act() -> Done:
        return _do(submission, mint, now_us)

    def once() -> Done:
        if keyed is None:
            with transaction.atomic():
                return act()
        return idempotency.once(account_id=keyed.account_id, key=keyed.key, print_hex=keyed.print_hex, act=act, now_us=now_us)

    done = begun_again(once)
    if done.replayed:
        with transaction.atomic():
            _checked_now(submission.who, now_us)
    return done


def would_be(submission: Submission, *, mint: Mint, now_us: int) -> Done:
    """What it would come to, taken back. Raises as it is refused."""

    def once() -> Done:
        with transaction.atomic():
            done = _do(submission, mint, now_us)
            transaction.set_rollback(True)
        return done

    return begun_again(once)


def _those_together(submissions: Sequence[Submission]) -> list[int]:
    """The places of those that go together. Of several with one key the first: what it comes to decides about the others."""
    found, seen = [], set()
    for place, one in enumerate(submissions):
        if not goes_together(one.envelope):
            continue
        if one.keyed is not None:
            if one.keyed.place in seen:
                continue
            seen.add(one.keyed.place)
        found.append(place)
    return found


def _answer_together(submissions: Sequence[Submission], mint: Mint, now_us: int) -> list[Answer]:
    trip = Trip()
    claims = idempotency.ask_claims(trip, [one.keyed for one in submissions if one.keyed is not None], now_us=now_us)
    keys = ask_standing(trip, [one.who.key_id for one in submissions if one.who.key_id is not None], now_us=now_us)
    trip.go()
    claimed, standings = claims.read(), keys.read()
    answers: dict[int, Answer] = {}
    asks: dict[int, Ask] = {}
    for place, one in enumerate(submissions):
        try:
            standing = _checked(one.who, standings)
            before = None if one.keyed is None else claimed.before(one.keyed)
            if before is None:
                asks[place] = _ask(one, standing, mint, now_us)
            else:
                answers[place] = before
        except (KeyReusedError, KeyEnded, RequestBounded) as refused:
            answers[place] = refused
    with rows.together():
        if asks:
            made = submit_requests(asks=list(asks.values()), mint=mint, now_us=now_us)
            _call_worker(made)
            answers.update({place: _done(one) if isinstance(one, Submitted) else one for place, one in zip(asks, made, strict=True)})
        kept = [(one.keyed, answers[place]) for place, one in enumerate(submissions) if one.keyed is not None]
        claimed.keep([(keyed, answer if isinstance(answer, Done) else None) for keyed, answer in kept])
    return [answers[place] for place in range(len(submissions))]


def _do(submission: Submission, mint: Mint, now_us: int) -> Done:
    made = submit_alone(ask=_ask(submission, _checked_now(submission.who, now_us), mint, now_us), mint=mint, now_us=now_us)
    _call_worker([made])
    return _done(made)


def _checked_now(who: Principal, now_us: int) -> Standing | None:
    trip = Trip()
    keys = ask_standing(trip, [] if who.key_id is None else [who.key_id], now_us=now_us)
    trip.go()
    return _checked(who, keys.read())


def _checked(who: Principal, standings: Mapping[int, Standing]) -> Standing | None:
    """How the caller's key stands, where it has one. Raises KeyEnded: such a one is told nothing, what was answered before neither."""
    if who.key_id is None:
        return None
    standing = standings[who.key_id]
    standing.check()
    return standing


def _ask(submission: Submission, standing: Standing | None, mint: Mint, now_us: int) -> Ask:
    """The request as the caller's key may send it. Raises RequestBounded."""
    who, envelope = submission.who, submission.envelope
    if standing is not None and standing.is_bounded:
        envelope = within_bounds(key_id=who.key_id, envelope=envelope, now_us=now_us)
    return Ask(envelope, who.account_id, who.account_uuid, submission.payload, mint.uuid(now_us), who.actor, submission.choose)


def _call_worker(outcomes: Sequence[Outcome]) -> None:
    """Where work waits for a worker now, call one, once this is committed."""
    if any(isinstance(made, Submitted) and made.is_matched and made.ask.payload is not None for made in outcomes):
        ring_after_commit()


def _done(made: Submitted) -> Done:
    return Done(202 if made.request.state == "deferred" else 201, submitted_document(made))
