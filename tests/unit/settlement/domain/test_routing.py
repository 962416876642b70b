"""The router (SPEC §8): what it picks, in which order, why it refuses; and that nothing it picks breaks a bound."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from rights.domain.capability import LATENCY_BANDS, QUALITY_BANDS, QUALITY_ORDER
from rights.domain.effective_policy import FALLBACKS, PRIVACY_ORDER, Policy, intersect
from settlement.domain.claims import Claim, Limits, Offer, Payer, Usage, room_units
from settlement.domain.envelope import Candidate, Envelope, envelope_document, envelope_faults, envelope_of, hashed
from settlement.domain.money import money_text
from settlement.domain.record import Record, Tally
from settlement.domain.route_score import WHOLE, spoken
from settlement.domain.routing import RoutePlan, plan_routes

NOW_US, END_US = 1_000_000, 9_000_000
ISSUER, BOREAL, CLOUDY = 1, 2, 3  # participants
PAYERS = {one: Payer(one, f"a{one}", one, 10**9) for one in (ISSUER, BOREAL, CLOUDY)}
WORD = Policy(
    latest_us=END_US,
    privacy="private",
    slowest="interactive",
    lowest_quality="high",
    fallbacks=frozenset(),
    max_quality_loss_bps=0,
    max_latency_expansion_bps=0,
)


SILENT = Policy()


def claim(name: str = "r1", *, word: Policy = WORD, asked: Policy = SILENT, **said: Any) -> Claim:
    plain = {
        "right_id": name,
        "is_held": True,
        "status": "active",
        "free_units": 1000,
        "epoch_units": None,
        "max_spend_units": None,
        "starts_us": 0,
        "ends_us": END_US,
        "resource": "text_inference",
        "unit": "tokens",
        "quality_band": "high",
        "latency_class": "interactive",
        "tags": frozenset(),
        "effective": intersect([("right", word), ("request", asked)]),
        "limits": Limits(),
        "usage": Usage(),
        "own_suppliers": frozenset({"boreal"}),
        "issuer_participant_id": ISSUER,
    }
    return Claim(**{**plain, **said})


def offer(name: str = "boreal", number: int = 1, participant: int = BOREAL, **said: Any) -> Offer:
    plain = {
        "capability_id": number,
        "capability": f"c{number}",
        "supplier_id": number,
        "supplier": name,
        "participant_id": participant,
        "is_active": True,
        "region": "US-EAST",
        "unit": "tokens",
        "quality_band": "high",
        "latency_band": "interactive",
        "privacy_mode": "private-cluster",
        "constraints": frozenset(),
        "tariff_minor": 10,
        "tariff_units": 1,
        "currency": "USD",
        "reliability_bps": 9000,
        "trust_bps": 9000,
        "endpoint": "active",
        "opened_until_us": None,
        "latency_us": None,
    }
    return Offer(**{**plain, **said})


def envelope(units: int = 100, **said: Any) -> Envelope:
    plain = {"workload": "text.generation", "operation": "chat", "candidates": (Candidate("r1"),), "payload_hash": "0" * 64}
    return Envelope(**{**plain, "expected_units": units, **said})


def plan(claims: list[Claim], offers: list[Offer], units: int = 100, **said: Any) -> RoutePlan:
    more = {name: said.pop(name) for name in ("payers", "is_late", "only") if name in said}
    return plan_routes(envelope=envelope(units, **said), claims=claims, offers=offers, scale=6, now_us=NOW_US, **{"payers": PAYERS, **more})


def picked(found: RoutePlan) -> list[tuple[str, str, int]]:
    return [(quote.right_id, quote.offer.supplier, quote.units) for quote in found.chosen]


def codes(found: RoutePlan) -> set[tuple[str, str | None, str]]:
    return {(one.right_id, one.supplier, one.reason.code) for one in found.refusals}


def test_one_right_and_one_supplier() -> None:
    found = plan([claim()], [offer()])
    assert picked(found) == [("r1", "boreal", 100)]
    (quote,) = found.chosen
    assert (quote.escrow_minor, quote.payer, quote.payee) == (1000, PAYERS[ISSUER], PAYERS[BOREAL])
    assert sum(reason.points for reason in quote.reasons) == quote.score


def test_reasons_speak_of_money_and_time_as_people_do() -> None:
    (quote,) = plan([claim()], [offer(latency_us=12_345)]).chosen
    said = {reason.code: reason.detail for reason in quote.reasons}
    assert (said["cost"], said["latency"]) == ("0.00001 USD for 1 tokens", "12.3 ms measured")
    times = (0, 840, 1_000, 12_345, 310_999, 999_999, 1_000_000, 2_356_000, 75_040_000, 3_600_000_000)
    assert [spoken(took_us) for took_us in times] == [
        "0 ms", "0.84 ms", "1 ms", "12.3 ms", "310 ms", "999 ms", "1 s", "2.35 s", "75 s", "3600 s",
    ]  # fmt: skip
    assert [money_text(minor, 6) for minor in (0, 7, 12_500_000, 3_000_000)] == ["0.00", "0.000007", "12.50", "3.00"]
    assert [money_text(minor, scale) for minor, scale in ((5, 0), (5, 1), (123, 2))] == ["5", "0.5", "1.23"]


def test_rights_are_used_in_the_order_they_are_named() -> None:
    """However good the supplier of a later one is."""
    second = claim("r2", own_suppliers=frozenset({"cloudy"}))
    cheap = offer("cloudy", 2, CLOUDY, tariff_minor=1)
    assert picked(plan([claim(), second], [offer(), cheap])) == [("r1", "boreal", 100)]


def test_what_one_right_lacks_spills_over_to_the_next() -> None:
    rights = [claim(free_units=60), claim("r2", free_units=60)]
    assert picked(plan(rights, [offer()])) == [("r1", "boreal", 60), ("r2", "boreal", 40)]
    alone = plan(rights, [offer()], spill_over=False)
    assert (picked(alone), codes(alone)) == ([], {("", None, "no_single_right")})
    assert picked(plan([rights[0], claim("r2")], [offer()], spill_over=False)) == [("r2", "boreal", 100)]


def test_a_tranches_baseline_comes_before_its_overflow() -> None:
    """Whoever picks; the overflow is for what the baseline can't give."""
    base, more = claim(free_units=60, tier="baseline"), claim("r2", tier="overflow")
    assert picked(plan([base, more], [offer()])) == [("r1", "boreal", 60), ("r2", "boreal", 40)]
    assert picked(plan([base, more], [offer()], only=[("r1", 1), ("r2", 1)])) == [("r1", "boreal", 60), ("r2", "boreal", 40)]
    for only in ([("r2", 1)], [("r2", 1), ("r1", 1)]):
        early = plan([base, more], [offer()], only=only)
        assert (picked(early), codes(early)) == ([], {("", None, "baseline_first")})
    empty = claim(free_units=0, tier="baseline")
    assert picked(plan([empty, more], [offer()], only=[("r2", 1)])) == [("r2", "boreal", 100)]


def test_what_nodes_do_is_one_route() -> None:
    """Each route is a job of the whole payload: two of them would do it twice."""
    rights, nodes = [claim(free_units=60), claim("r2", free_units=60)], offer(is_by_nodes=True)
    assert (picked(plan(rights, [nodes])), codes(plan(rights, [nodes]))) == ([], {("", None, "no_single_supplier")})
    assert picked(plan([rights[0], claim("r2")], [nodes])) == [("r2", "boreal", 100)]
    assert picked(plan([claim(), claim("r2")], [nodes], only=[("r1", 1), ("r2", 1)])) == [("r1", "boreal", 100)]
    shared = plan(rights, [nodes], only=[("r1", 1), ("r2", 1)])
    assert (picked(shared), codes(shared)) == ([], {("", None, "no_single_supplier")})


def test_whoever_works_by_himself_does_it_all_or_nothing() -> None:
    """The venue calls him not, and takes no receipt of his where others worked too; his time is his lock's alone."""
    own = frozenset({"boreal", "cloudy", "drift"})
    many = {"workload": "text.embedding"}
    rights = [claim(own_suppliers=own, resource="embeddings"), claim("r2", own_suppliers=own, resource="embeddings")]
    called, himself = offer(capacity_units=60), offer("cloudy", 2, CLOUDY, own_us=10**9, capacity_units=60)
    mixed = plan(rights, [called, himself], **many)
    assert (picked(mixed), codes(mixed)) == ([], {("", None, "no_single_supplier")})
    chosen = plan(rights, [called, himself], only=[("r1", 1), ("r2", 2)], **many)
    assert (picked(chosen), codes(chosen)) == ([], {("", None, "no_single_supplier")})
    two = plan(rights, [himself, offer("drift", 3, own_us=5, capacity_units=60)], **many)
    assert (picked(two), codes(two)) == ([], {("", None, "no_single_supplier")})
    assert picked(plan(rights, [called, himself, offer("drift", 3, capacity_units=60)], **many)) == [
        ("r1", "boreal", 60),
        ("r1", "drift", 40),
    ]
    alone = msgspec.structs.replace(himself, capacity_units=100)
    few = [msgspec.structs.replace(right, free_units=60) for right in rights]
    assert picked(plan(few, [called, alone], **many)) == [("r1", "cloudy", 60), ("r2", "cloudy", 40)]


def test_max_spend_and_every_limit_bound_what_a_right_gives() -> None:
    assert room_units(claim(max_spend_units=30)) == 30
    assert room_units(claim(asked=Policy(max_units=20))) == 20
    assert room_units(claim(limits=Limits(max_burst_units=50), usage=Usage(1, 15, 1))) == 35
    assert room_units(claim(epoch_units=7)) == 7
    again = {"max_spend_units": 30, "asked": Policy(max_units=20), "limits": Limits(max_burst_units=50)}
    assert room_units(claim(usage=Usage(own_units=15), **again)) == 5  # of one request, however often it is routed
    short = plan([claim(max_spend_units=30)], [offer()])
    assert codes(short) == {("", None, "units_short")}


def test_a_record_is_asked_for_of_issuer_and_supplier() -> None:
    """One who has none is left out like one whose record is too low; nobody's record matters while it is not asked for."""
    asked = Policy(min_full_rate_bps=9_000)
    good, poor = (Record({"full": Tally(full, full, 10), "failed": Tally(10 - full, 0, 10)}) for full in (9, 8))
    tried = offer(delivered=9, asked=10)
    assert picked(plan([claim(asked=asked, record=good)], [tried])) == [("r1", "boreal", 100)]
    for record in (poor, None, Record({"cancelled": Tally(1, 0, 1)})):
        assert codes(plan([claim(asked=asked, record=record)], [tried])) == {("r1", None, "issuer_record")}
    for other in (offer(delivered=8, asked=10), offer()):
        assert codes(plan([claim(asked=asked, record=good)], [other])) == {("r1", "boreal", "supplier_record")}
    assert picked(plan([claim(record=poor)], [offer()])) == [("r1", "boreal", 100)]


def test_limits_that_pass_are_told_as_such() -> None:
    busy = claim(limits=Limits(2, 50, 3), usage=Usage(2, 50, 3))
    found = plan([busy], [offer()])
    assert codes(found) == {("r1", None, code) for code in ("max_concurrent", "max_burst", "rate_per_minute")}
    assert all(one.reason.temporary for one in found.refusals)
    assert not found.may_wait
    patient = claim(
        word=msgspec.structs.replace(WORD, fallbacks=frozenset({"defer_within_window"})), limits=Limits(2), usage=Usage(2, 50, 3)
    )
    assert plan([patient], [offer()]).may_wait


def test_divisible_work_is_split_among_suppliers() -> None:
    own = frozenset({"boreal", "cloudy"})
    embedding = {"resource": "embeddings", "own_suppliers": own}
    offers = [offer(capacity_units=70), offer("cloudy", 2, CLOUDY, tariff_minor=20)]
    found = plan([claim(**embedding)], offers, workload="text.embedding")
    assert picked(found) == [("r1", "cloudy", 100)]  # one that does all of it comes first
    offers = [offers[0], offer("cloudy", 2, CLOUDY, tariff_minor=20, capacity_units=40)]
    found = plan([claim(**embedding)], offers, workload="text.embedding")
    assert picked(found) == [("r1", "boreal", 70), ("r1", "cloudy", 30)]
    assert codes(plan([claim(own_suppliers=own)], offers)) == {("", None, "no_single_supplier")}  # a text is one piece


def test_a_degradation_only_where_right_and_request_allow_it() -> None:
    lower = offer(quality_band="standard", tariff_minor=1)
    assert ("r1", "boreal", "no_downgrade_quality") in codes(plan([claim()], [lower]))
    word = msgspec.structs.replace(WORD, lowest_quality="standard", fallbacks=frozenset({"downgrade_quality"}), max_quality_loss_bps=200)
    (quote,) = plan([claim(word=word)], [lower]).chosen
    assert (quote.fallbacks, quote.quality_loss_bps) == (("downgrade_quality",), 200)
    refused = plan([claim(word=word, asked=Policy(fallbacks=frozenset()))], [lower])
    assert codes(refused) == {("r1", "boreal", "no_downgrade_quality")}


def test_undegraded_before_degraded_however_it_scores() -> None:
    word = msgspec.structs.replace(WORD, lowest_quality="standard", fallbacks=frozenset({"downgrade_quality"}))
    own = frozenset({"boreal", "cloudy"})
    cheap, dear = (
        offer(quality_band="standard", tariff_minor=1),
        offer("cloudy", 2, CLOUDY, tariff_minor=90, reliability_bps=0, trust_bps=0),
    )
    assert picked(plan([claim(word=word, own_suppliers=own)], [cheap, dear])) == [("r1", "cloudy", 100)]


def test_the_issuer_pays_only_whom_it_named() -> None:
    stranger = offer("cloudy", 2, CLOUDY, tariff_minor=5)
    assert codes(plan([claim()], [offer(endpoint="paused"), stranger])) == {
        ("r1", "boreal", "endpoint_paused"),
        ("r1", "cloudy", "no_substitute_providers"),
    }
    word = msgspec.structs.replace(WORD, fallbacks=frozenset({"substitute_providers"}))
    paused = offer(endpoint="paused")
    assert picked(plan([claim(word=word)], [paused, stranger])) == [("r1", "cloudy", 100)]
    greedy = offer("cloudy", 2, CLOUDY, tariff_minor=11)
    assert ("r1", "cloudy", "tariff_above_own") in codes(plan([claim(word=word)], [paused, greedy]))
    assert ("r1", "cloudy", "tariff_above_own") in codes(plan([claim(word=word)], [stranger]))  # nobody's tariff says what it may cost
    its_own = offer("house", 3, ISSUER, tariff_minor=10**6)
    (quote,) = plan([claim()], [its_own]).chosen
    assert (quote.escrow_minor, quote.payer) == (0, None)  # from one pocket into the other


def test_an_issuer_spends_no_more_than_it_has() -> None:
    poor = {**PAYERS, ISSUER: Payer(ISSUER, "a1", ISSUER, 999)}
    assert codes(plan([claim()], [offer()], payers=poor)) == {("r1", "boreal", "issuer_cash")}
    rights = [claim(free_units=60), claim("r2", free_units=60)]
    scarce = {**PAYERS, ISSUER: Payer(ISSUER, "a1", ISSUER, 700)}  # enough for either, not for both
    assert codes(plan(rights, [offer()], payers=scarce)) == {("", None, "issuer_cash")}
    other = claim("r2", free_units=60, issuer_participant_id=CLOUDY)
    assert picked(plan([rights[0], other], [offer()], payers=scarce)) == [
        ("r1", "boreal", 60),
        ("r2", "boreal", 40),
    ]


def test_suppliers_are_refused_by_every_word_at_once() -> None:
    asked = Policy(
        jurisdictions=frozenset({"EU"}), tags=frozenset({"eu-only"}), denied_providers=frozenset({"boreal"}), privacy="local-only"
    )
    found = plan([claim(asked=asked)], [offer(latency_band="batch", is_active=False, endpoint="", opened_until_us=NOW_US + 1)])
    assert {code for _, _, code in codes(found)} == {
        "supplier_suspended",
        "endpoint_missing",
        "breaker_open",
        "privacy_mode",
        "region_outside",
        "supplier_kept_out",
        "tags_missing",
        "latency_too_slow",
        "no_downgrade_latency_class",
    }


def test_a_right_is_refused_by_every_word_at_once() -> None:
    found = plan([claim(starts_us=NOW_US + 1, resource="embeddings", free_units=0, epoch_units=0, asked=Policy(latest_us=1))], [offer()])
    assert {code for _, _, code in codes(found)} == {
        "deadline_passed",
        "window_not_open",
        "workload_mismatch",
        "units_unavailable",
        "epoch_exhausted",
    }
    for status in ("issued", "frozen", "expired", "fully_consumed", "finalized", "burned"):
        assert len(plan([claim(status=status)], [offer()]).refusals) == 1
    assert codes(plan([claim(is_held=False)], [offer()])) == {("r1", None, "right_not_held")}
    assert codes(plan([claim()], [])) == {("", None, "no_supplier")}


def test_preferences_order_what_is_allowed() -> None:
    own = frozenset({"boreal", "cloudy"})
    fast, cheap = offer(latency_us=1_000, tariff_minor=100), offer("cloudy", 2, CLOUDY, latency_us=100_000, tariff_minor=1)
    assert picked(plan([claim(own_suppliers=own)], [fast, cheap], preferences={"latency": 1})) == [("r1", "boreal", 100)]
    assert picked(plan([claim(own_suppliers=own)], [fast, cheap], preferences={"cost": 1})) == [("r1", "cloudy", 100)]
    hinted = claim(own_suppliers=own, weights={"latency": 10_000})
    assert picked(plan([hinted], [fast, cheap])) == [("r1", "boreal", 100)]
    unsure = msgspec.structs.replace(fast, asked=100, delivered=0)
    assert picked(plan([hinted], [unsure, msgspec.structs.replace(cheap, latency_us=1_100)])) == [("r1", "cloudy", 100)]


def test_the_callers_own_choice_is_kept_or_refused() -> None:
    own = frozenset({"boreal", "cloudy"})
    offers = [offer(), offer("cloudy", 2, CLOUDY)]
    assert picked(plan([claim(own_suppliers=own)], offers, only=[("r1", 2)])) == [("r1", "cloudy", 100)]
    assert codes(plan([claim(own_suppliers=own)], offers, only=[("r1", 9)])) == {("", None, "routes_short")}
    rights = [claim(own_suppliers=own, free_units=60), claim("r2", own_suppliers=own, free_units=60)]
    assert codes(plan(rights, offers, only=[("r2", 2)])) == {("", None, "routes_short")}
    assert picked(plan(rights, offers, only=[("r2", 2), ("r1", 2)])) == [("r2", "cloudy", 60), ("r1", "cloudy", 40)]


def test_the_callers_own_choice_divides_only_what_can_be_divided() -> None:
    own, chosen = frozenset({"boreal", "cloudy"}), [("r2", 2), ("r1", 1)]
    offers = [offer(), offer("cloudy", 2, CLOUDY)]
    rights = [claim(own_suppliers=own, free_units=60), claim("r2", own_suppliers=own, free_units=60)]
    text = plan(rights, offers, only=chosen)
    assert (picked(text), codes(text)) == ([], {("", None, "no_single_supplier")})
    many = [msgspec.structs.replace(right, resource="embeddings") for right in rights]
    divided = plan(many, offers, only=chosen, workload="text.embedding")
    assert picked(divided) == [("r2", "cloudy", 60), ("r1", "boreal", 40)]
    # One of them that does it all is no division, whatever else was named.
    assert picked(plan([claim(own_suppliers=own)], offers, only=[("r1", 2), ("r1", 1)])) == [("r1", "cloudy", 100)]


def test_what_was_put_off_is_degraded_work() -> None:
    word = msgspec.structs.replace(WORD, fallbacks=frozenset({"defer_within_window"}))
    (quote,) = plan([claim(word=word)], [offer()], is_late=True).chosen
    assert quote.fallbacks == ("defer_within_window",)
    assert codes(plan([claim()], [offer()], is_late=True)) == {("r1", "boreal", "no_defer_within_window")}


def test_an_envelope_is_what_its_document_says() -> None:
    asked = envelope(
        7,
        constraints=Policy(privacy="private", tags=frozenset({"b", "a"}), latest_us=5, providers=frozenset()),
        candidates=(Candidate("r1", 3), Candidate("r2")),
        fallbacks=frozenset({"defer_within_window"}),
        preferences={"cost": 3},
        delegation_id="d",
        latest_us=2**60,
    )
    document = envelope_document(asked, choose=True)
    assert envelope_of(document) == asked
    assert hashed(document)[1] == hashed(envelope_document(envelope_of(document), choose=True))[1]
    assert envelope_faults(asked) == []
    wrong = envelope(0, workload="x", operation="", payload_hash="", budget="x", delivery="x", candidates=(), preferences={"x": 1})
    assert {fault.field for fault in envelope_faults(wrong)} == {
        "units", "workload", "operation", "payload_hash", "budget", "delivery", "rights", "preferences.x",
    }  # fmt: skip


_words = st.builds(
    Policy,
    latest_us=st.just(END_US),
    privacy=st.sampled_from(PRIVACY_ORDER),
    slowest=st.sampled_from(LATENCY_BANDS),
    lowest_quality=st.sampled_from(QUALITY_ORDER),
    fallbacks=st.frozensets(st.sampled_from(FALLBACKS)),
    max_quality_loss_bps=st.integers(0, 600),
)
_claims = st.lists(
    st.builds(
        claim,
        name=st.sampled_from(["r1", "r2", "r3"]),
        word=_words,
        free_units=st.integers(0, 120),
        quality_band=st.sampled_from(QUALITY_BANDS),
        latency_class=st.sampled_from(LATENCY_BANDS),
        limits=st.builds(Limits, st.none() | st.integers(1, 3), st.none() | st.integers(1, 90), st.none() | st.integers(1, 3)),
        usage=st.builds(Usage, st.integers(0, 3), st.integers(0, 80), st.integers(0, 3)),
        own_suppliers=st.frozensets(st.sampled_from(["s1", "s2", "s3"])),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda one: one.right_id,
)
_offers = st.lists(
    st.builds(
        offer,
        name=st.sampled_from(["s1", "s2", "s3"]),
        number=st.integers(1, 5),
        participant=st.sampled_from([ISSUER, BOREAL, CLOUDY]),
        quality_band=st.sampled_from(QUALITY_BANDS),
        latency_band=st.sampled_from(LATENCY_BANDS),
        tariff_minor=st.integers(0, 20),
        tariff_units=st.integers(1, 7),
        latency_us=st.none() | st.integers(0, 10**6),
        capacity_units=st.none() | st.integers(0, 90),
        delivered=st.integers(0, 50),
        asked=st.just(50),
        own_us=st.sampled_from([0, 0, 10**6]),
    ),
    max_size=5,
    unique_by=lambda one: one.capability_id,
)


@given(_claims, _offers, st.integers(1, 150), st.sampled_from(["text.generation", "text.embedding"]), st.booleans(), st.integers(0, 900))
@settings(max_examples=500, deadline=None)
def test_nothing_that_is_picked_breaks_a_bound(
    claims: list[Claim],
    offers: list[Offer],
    units: int,
    workload: str,
    spill: bool,
    cash: int,
) -> None:
    resource = "embeddings" if workload == "text.embedding" else "text_inference"
    claims = [msgspec.structs.replace(one, resource=resource) for one in claims]
    payers = {**PAYERS, ISSUER: Payer(ISSUER, "a1", ISSUER, cash)}
    found = plan(claims, offers, units, workload=workload, spill_over=spill, payers=payers)
    again = plan(claims, list(reversed(offers)), units, workload=workload, spill_over=spill, payers=payers)
    assert picked(again) == picked(found)  # the order in which suppliers are read changes nothing
    assert bool(found.chosen) != bool(found.missing_units)
    assert found.chosen or found.refusals
    assert sum(quote.units for quote in found.chosen) in {0, units}
    assert sum(quote.escrow_minor for quote in found.chosen) <= cash
    for one in claims:
        of_it = [quote for quote in found.chosen if quote.right_id == one.right_id]
        assert sum(quote.units for quote in of_it) <= room_units(one)
        for quote in of_it:
            policy = one.effective.policy
            assert set(quote.fallbacks) <= (policy.fallbacks or frozenset())
            assert quote.quality_loss_bps <= (policy.max_quality_loss_bps or 0)
            assert ("substitute_providers" in quote.fallbacks) == (
                quote.offer.supplier not in one.own_suppliers and quote.offer.participant_id != ISSUER
            )
    assert len({quote.offer.capability_id for quote in found.chosen}) <= 1 or not any(quote.offer.own_us for quote in found.chosen)
    for number in {quote.offer.capability_id for quote in found.chosen}:
        of_it = [quote for quote in found.chosen if quote.offer.capability_id == number]
        posted = of_it[0].offer.capacity_units
        assert posted is None or sum(quote.units for quote in of_it) <= posted
    for quote in found.quotes:
        assert 0 <= quote.score <= WHOLE
        assert bool(quote.refusals) or sum(reason.points for reason in quote.reasons) == quote.score
