"""Settlement (SPEC §9): total, deterministic, never optimistic."""

import random
from functools import partial
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from settlement.domain.classification import Bounds, Classified, Facts, Leg, Pending, classify
from settlement.domain.consequences import CAPPED, Lock, Part, charged_units, in_money, share_of
from settlement.domain.proofs import Proof, ProofType, required
from settlement.domain.request_states import BUDGETS
from settlement.domain.settlement_states import (
    CLASSIFIED,
    DEDUCTING,
    ENDED,
    TABLE,
    Outcome,
    SettlementEvent,
    SettlementState,
    may_move,
    steps,
)

STATUSES = ("completed", "fallback_completed", "partially_completed", "failed", "expired", "cancelled")
FALLBACKS = ("substitute_providers", "downgrade_priority")
legs = st.lists(
    st.builds(
        Leg,
        supplier=st.sampled_from(["a", "b"]),
        delivered_units=st.integers(0, 50),
        fallbacks=st.lists(st.sampled_from(FALLBACKS), max_size=2).map(tuple),
        quality_loss_bps=st.integers(0, 200),
        latency_expansion_bps=st.integers(0, 200),
    ),
    max_size=3,
).map(tuple)
facts = st.builds(
    Facts, status=st.sampled_from(STATUSES), completed_us=st.none() | st.integers(0, 20), legs=legs, cancelled_by_right=st.booleans()
)
bounds = st.builds(
    Bounds,
    profile=st.sampled_from(["basic", "standard", "strict"]),
    requirements=st.lists(st.sampled_from(["artifact-hash", "latency-measurement"]), max_size=2).map(tuple),
    success_states=st.frozensets(st.sampled_from(STATUSES[:3]), min_size=1),
    partial_allowed=st.booleans(),
    fallbacks=st.frozensets(st.sampled_from(FALLBACKS)),
    max_quality_loss_bps=st.integers(0, 200),
    max_latency_expansion_bps=st.integers(0, 200),
    latest_us=st.integers(0, 20),
    reserved_units=st.integers(1, 100),
)
proofs = st.lists(
    st.builds(
        Proof,
        type=st.sampled_from([str(kind) for kind in ProofType]),
        reference=st.sampled_from(["x", "y"]),
        content_hash=st.sampled_from(["0", "1"]),
        producer=st.just("a"),
        units=st.none() | st.integers(0, 60),
        is_valid=st.booleans(),
    ),
    max_size=12,
)


def proven(bounds: Bounds, facts: Facts) -> list[Proof]:
    needed = required(profile=bounds.profile, requirements=bounds.requirements, status=facts.status)
    return [Proof(kind, "x", "0", "a", facts.delivered_units if kind == ProofType.USAGE_METER else None) for kind in sorted(needed)]


@given(bounds, facts, proofs, st.booleans(), st.randoms(use_true_random=False))
@settings(max_examples=400)
def test_one_verdict_whatever_the_order(b: Bounds, f: Facts, p: list[Proof], is_over: bool, chance: random.Random) -> None:
    first = classify(bounds=b, facts=f, proofs=p, is_over=is_over)
    shuffled, turned = list(p), list(f.legs)
    chance.shuffle(shuffled)
    chance.shuffle(turned)
    assert classify(bounds=b, facts=msgspec.structs.replace(f, legs=tuple(turned)), proofs=shuffled, is_over=is_over) == first
    if isinstance(first, Pending):
        assert not is_over
        assert first.missing or first.conflicts
        return
    if sum(leg.delivered_units for leg in f.legs) > b.reserved_units:
        assert first.units == 0
        return
    for policy in ("none", "pro-rata", "credit-reissue", "custom"):
        lock = Lock(b.reserved_units, 977, policy)
        share = share_of(outcome=first.outcome, lock=lock, units=first.units, quality_loss_bps=130)
        paid = in_money(share, quality_loss_bps=130)
        for each in (share, paid):
            assert each.used + each.released == b.reserved_units
            assert each.payout_minor + each.compensation_minor + each.release_minor == 977
            assert min(each.payout_minor, each.compensation_minor, each.release_minor, each.released, each.owed_units) >= 0
        assert first.units == share.used
        if first.units == 0:
            assert share.release_minor == 977


@given(bounds, facts, proofs)
@settings(max_examples=400)
def test_nothing_that_is_not_proven_is_done(b: Bounds, f: Facts, p: list[Proof]) -> None:
    """With proofs left out, made false or contradicted, no outcome deducts more than before, and none becomes full."""
    whole = classify(bounds=b, facts=f, proofs=proven(b, f), is_over=True)
    assert isinstance(whole, Classified)
    worse = classify(bounds=b, facts=f, proofs=[*proven(b, f)[1:], *p], is_over=True)
    assert isinstance(worse, Classified)
    if worse.outcome is Outcome.FULL:
        assert whole.outcome is Outcome.FULL
    assert worse.units <= max(whole.units, f.delivered_units)
    liar = [msgspec.structs.replace(proof, content_hash="other") for proof in proven(b, f)]
    torn = classify(bounds=b, facts=f, proofs=[*proven(b, f), *liar], is_over=True)
    assert isinstance(torn, Classified)
    assert torn.outcome in {Outcome.FAILED, Outcome.EXPIRED}
    assert torn.units == 0


def plain(**other: Any) -> tuple[Bounds, Facts]:
    b = Bounds("basic", (), frozenset(STATUSES[:3]), True, frozenset({"substitute_providers"}), 100, 100, 10, 100)
    f = Facts("completed", 9, (Leg("a", 40),))
    return msgspec.structs.replace(b, **other.pop("bounds", {})), msgspec.structs.replace(f, **other)


def outcome(b: Bounds, f: Facts) -> tuple[Outcome, int]:
    found = classify(bounds=b, facts=f, proofs=proven(b, f), is_over=False)
    assert isinstance(found, Classified)
    return found.outcome, found.units


def test_each_outcome_has_its_plain_case() -> None:
    assert outcome(*plain()) == (Outcome.FULL, 40)
    assert outcome(*plain(legs=(Leg("a", 40, ("substitute_providers",)),))) == (Outcome.FALLBACK, 40)
    assert outcome(*plain(status="partially_completed")) == (Outcome.PARTIAL, 40)
    assert outcome(*plain(status="failed", legs=())) == (Outcome.FAILED, 0)
    assert outcome(*plain(completed_us=11)) == (Outcome.EXPIRED, 0)
    assert outcome(*plain(status="cancelled", legs=(), cancelled_by_right=True)) == (Outcome.CANCELLED, 0)


def test_more_than_was_reserved_is_not_proven() -> None:
    assert outcome(*plain(bounds={"reserved_units": 39})) == (Outcome.FAILED, 0)


def test_work_beyond_the_quote_breaks_no_bound_where_it_costs_nothing() -> None:
    legs = (Leg("a", 60, locked_units=50), Leg("b", 50, locked_units=50))
    assert outcome(*plain(legs=legs)) == (Outcome.FAILED, 0)
    assert outcome(*plain(legs=legs, bounds={"is_capped": True})) == (Outcome.FULL, 110)
    assert charged_units(outcome=Outcome.FULL, budget=CAPPED, quoted_units=100, parts=[Part(50, 60), Part(50, 50)]) == [50, 50]


def test_who_takes_over_draws_no_more_than_was_quoted() -> None:
    """A thousand were asked for. The first broke after half of it; the rest might have taken two thousand, which were locked, and took 480."""
    charged = partial(charged_units, outcome=Outcome.FULL, budget="reserved-draw", quoted_units=1_000)
    broken = Part(1_000, 500, is_broken=True)
    assert charged(parts=[broken, Part(2_000, 480)]) == [500, 500]
    assert charged(parts=[broken, Part(2_000, 700)]) == [500, 700]  # what was delivered is paid
    assert charged(parts=[Part(400, 300), Part(600, 100, is_broken=True), Part(2_000, 100)]) == [400, 100, 500]


parts = st.lists(
    st.integers(0, 60).flatmap(lambda locked: st.builds(Part, st.just(locked), st.integers(0, locked), st.booleans())),
    min_size=1,
    max_size=4,
)


@given(parts, st.sampled_from(list(Outcome)), st.integers(1, 200), st.integers(0, 9))
def test_a_budget_says_what_done_work_costs(done: list[Part], what: Outcome, quoted: int, beyond: int) -> None:
    costs = {budget: charged_units(outcome=what, budget=budget, quoted_units=quoted, parts=done) for budget in BUDGETS}
    delivered = [part.delivered_units for part in done]
    if what not in DEDUCTING:
        assert all(sum(cost) == 0 for cost in costs.values())
        return
    assert costs["actual"] == delivered
    drawn = [part.delivered_units if part.is_broken else part.locked_units for part in done]
    if what is Outcome.PARTIAL:
        assert costs["reserved-draw"] == delivered
    else:
        assert sum(costs["reserved-draw"]) == min(sum(drawn), max(quoted, sum(delivered)))
        assert all(least <= cost <= most for least, cost, most in zip(delivered, costs["reserved-draw"], drawn, strict=True))
    assert sum(costs["quoted-cap"]) == min(sum(delivered), quoted)
    # Whatever is done beyond a lock, a capped request pays no more for it.
    more = [Part(part.locked_units, part.delivered_units + beyond, part.is_broken) for part in done]
    capped = charged_units(outcome=what, budget="quoted-cap", quoted_units=quoted, parts=more)
    assert sum(capped) <= quoted
    assert all(cost <= part.locked_units for cost, part in zip(capped, more, strict=True))


def test_the_table_of_states_leads_to_an_end_from_everywhere() -> None:
    """And has no step that SPEC §9 does not have."""
    assert {SettlementState.FINALIZED} == ENDED
    assert len(steps()) == 1 + 6 + 6 + 1 + 6 + 6 + 1 + 1 + 1 + 1 + 6 + 1
    assert {end for ends in TABLE.values() for end in ends} | {SettlementState.UNSETTLED} == set(SettlementState)
    assert set(CLASSIFIED) == set(Outcome)
    assert not may_move(SettlementState.FINALIZED, SettlementEvent.CHALLENGED, SettlementState.IN_DISPUTE)
    reached, edge = set(), {SettlementState.FINALIZED}
    while edge:
        reached |= edge
        edge = {start for (start, _), ends in TABLE.items() if ends & reached} - reached
    assert reached == set(SettlementState)
