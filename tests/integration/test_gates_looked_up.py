"""Rules of the gate that look something up (consents, attestations, counts): at the ask, at the match, at the fill, outside a book."""

from typing import Any

import pytest

from exchange.audit.run import audit
from exchange.domain.command import Phase, Reason
from exchange.models import Order, Trade
from exchange.services import batch
from exchange.services.lane import LaneMemory
from rights.kernel.ids import public
from rights.models import Consent, Right
from rights.selectors.reception import holdings_of
from rights.services import attestations, consents
from rights.services.refusals import LifecycleRefusedError
from settlement.services.transfer import Part, TransferRefused, transfer_units
from tests.honest_market import HonestMarket
from tests.registry_desk import DAY_US, MINT

pytestmark = pytest.mark.django_db
LOT = 1_000_000
CONSENT = {"requires_issuer_consent": True}


def opened(**policy: Any) -> HonestMarket:
    market = HonestMarket(policy=policy)
    market.phase(Phase.CONTINUOUS)
    market.match()
    return market


def stand(market: HonestMarket, taker: str | None = None, kind: str = "consent", **coverage: Any) -> Consent:
    market.now_us += 1000
    return consents.grant_standing(
        issuer=market.desk.issuer,
        kind=kind,
        coverage=consents.Coverage(**coverage),
        taker=None if taker is None else market.accounts[taker],
        expires_us=None,
        note="",
        consent_id=MINT.uuid(market.now_us),
        actor="test",
        now_us=market.now_us,
    )


def revoke(market: HonestMarket, consent: Consent) -> None:
    consents.revoke_consent(consent_id=str(consent.uuid), note="no more", actor="test", now_us=market.now_us)


def attest(market: HonestMarket, slug: str, kind: str = "kyc", value: str = "", expires_us: int | None = None) -> None:
    market.now_us += 1000
    fact = attestations.Fact(kind, "file 7", value, expires_us)
    attestations.attest(
        account=market.accounts[slug], fact=fact, attestation_id=MINT.uuid(market.now_us), actor="test", now_us=market.now_us
    )


def reason_of(order_id: str) -> Reason:
    return Reason(Order.objects.get(pk=order_id).reason)


def cross(market: HonestMarket, lots: int = 1, buyer: str = "other") -> tuple[str, str]:
    ask = market.place("holder", "sell", lots, 100)
    market.match()
    bid = market.place(buyer, "buy", lots, 100)
    market.match()
    return ask, bid


def clean(market: HonestMarket) -> None:
    report = audit(now_us=market.now_us)
    assert report.broken == []


def move(market: HonestMarket, units: int, taker: str = "other", right_id: str | None = None):
    market.now_us += 1000
    return transfer_units(
        parts=[Part(right_id or market.right_id, units)],
        giver=market.accounts["holder"],
        taker=market.accounts[taker],
        mint=MINT,
        actor="test",
        now_us=market.now_us,
    )


def codes(refused: pytest.ExceptionInfo[TransferRefused]) -> list[str]:
    return [one.verdict.code for one in refused.value.refusals]


@pytest.mark.parametrize(("rule", "kind"), [("requires_issuer_consent", "consent"), ("requires_registry_acknowledgment", "acknowledgment")])
def test_an_ask_waits_for_a_word_and_goes_only_to_whom_it_covers(rule, kind):
    market = opened(**{rule: True})
    ask = market.place("holder", "sell", 1, 100)
    market.match()
    assert reason_of(ask) == Reason.GATE_REFUSED
    stand(market, "third", kind)
    _, bid = cross(market)
    assert reason_of(bid) == Reason.GATE_REFUSED
    market.place("third", "buy", 1, 100)
    market.match()
    assert Trade.objects.get().buyer == market.accounts["third"]
    stand(market, None, kind)
    market.place("holder", "sell", 1, 100)
    market.place("other", "buy", 1, 100)
    market.match()
    assert Trade.objects.count() == 2
    clean(market)


@pytest.mark.parametrize("cover", ["root", "terms", "foreign"])
def test_a_standing_consent_covers_what_it_names(cover):
    market = opened(**CONSENT)
    right = Right.objects.get(pk=market.right_id)
    coverage = {"root": {"root_id": str(right.pk)}, "terms": {"terms_hash": right.terms_id}, "foreign": {"terms_hash": "0" * 64}}[cover]
    stand(market, **coverage)
    cross(market)
    assert Trade.objects.count() == (cover != "foreign")
    clean(market)


@pytest.mark.parametrize("forgets", [False, True])
def test_a_consent_that_was_revoked_while_the_ask_rests_counts_no_more(forgets):
    market = opened(**CONSENT)
    consent = stand(market)
    ask = market.place("holder", "sell", 1, 100)
    market.match()
    revoke(market, consent)
    if forgets:
        market.lane = LaneMemory()
    bid = market.place("other", "buy", 1, 100)
    market.match()
    assert not Trade.objects.exists()
    assert reason_of(bid) == Reason.GATE_REFUSED
    assert Order.objects.get(pk=ask).is_open
    clean(market)


def test_a_consent_revoked_between_the_look_and_the_locks_is_seen_under_them(monkeypatch):
    market = opened(**CONSENT)
    consent = stand(market)
    market.place("holder", "sell", 1, 100)
    market.match()
    looked = batch.block_resting

    def revoke_after(work, shut=()):
        looked(work, shut)
        if Consent.objects.get(pk=consent.pk).state == "granted":
            revoke(market, consent)

    monkeypatch.setattr(batch, "block_resting", revoke_after)
    bid = market.place("other", "buy", 1, 100)
    # The revocation rolls back with the first attempt here (one connection); the second attempt sees it again and blocks the pair itself.
    market.now_us += 1000
    attempts = iter([batch.match_once(market.lane, book_id=market.book_id, now_us=market.now_us)])
    assert next(attempts).trades == 0
    assert reason_of(bid) == Reason.GATE_REFUSED


def test_attestations_and_jurisdictions_open_and_shut():
    market = opened()
    for slug in ("third", "other"):
        attest(market, slug)
    attest(market, "third", "jurisdiction", "DE")
    market.desk.issue(5 * LOT, holder="third", transfer_policy={"required_attestations": ["kyc"], "eligible_jurisdictions": ["DE"]})
    market.place("third", "sell", 5, 90)
    bid = market.place("other", "buy", 1, 90)
    market.match()
    assert reason_of(bid) == Reason.GATE_REFUSED
    attest(market, "other", "jurisdiction", "DE", market.now_us + DAY_US)
    market.place("other", "buy", 1, 90)
    market.match()
    assert Trade.objects.count() == 1
    market.now_us += DAY_US
    bid = market.place("other", "buy", 1, 90)
    market.match()
    assert reason_of(bid) == Reason.GATE_REFUSED
    assert Trade.objects.count() == 1
    clean(market)


def test_no_more_holders_than_the_terms_allow_also_within_one_batch():
    market = opened(max_holders=2)
    market.place("holder", "sell", 10, 100)
    market.match()
    for slug in ("other", "third"):
        market.place(slug, "buy", 2, 100)
    market.match()
    assert list(Trade.objects.values_list("buyer__name", flat=True)) == ["other"]
    holdings = holdings_of([market.right_id])[market.right_id]
    assert set(holdings) == {market.accounts["holder"].pk, market.accounts["other"].pk}
    clean(market)


def test_the_last_place_goes_to_a_new_holder_when_the_seller_leaves():
    market = opened(max_holders=2)
    cross(market, 10)
    market.place("holder", "sell", 40, 100)
    market.match()
    market.place("third", "buy", 40, 100)
    market.match()
    assert Trade.objects.count() == 2
    clean(market)


def test_no_holder_has_more_units_than_the_terms_allow():
    market = opened(max_units_per_holder=str(50 * LOT))
    market.desk.issue(3 * LOT, transfer_policy={"max_units_per_holder": str(3 * LOT)})
    market.place("holder", "sell", 50, 100)
    market.match()
    market.place("other", "buy", 30, 100)
    market.match()
    clean(market)
    with pytest.raises(TransferRefused) as refused:
        move(market, 30 * LOT, "other")
    assert "units_unavailable" in codes(refused)


def test_a_consent_for_one_transfer_is_used_by_it_and_never_by_a_book():
    market = opened(**CONSENT)
    right = Right.objects.get(pk=market.right_id)
    with pytest.raises(TransferRefused) as refused:
        move(market, LOT)
    assert codes(refused) == ["consent_missing"]
    asked = consents.Asked(right, market.accounts["other"], 2 * LOT)
    row = consents.request_consent(asked=asked, consent_id=MINT.uuid(market.now_us), actor="test", now_us=market.now_us)
    with pytest.raises(LifecycleRefusedError, match="waiting"):
        consents.request_consent(asked=asked, consent_id=MINT.uuid(market.now_us), actor="test", now_us=market.now_us)
    consents.answer_consent(consent_id=str(row.uuid), granted=True, note="", actor="test", now_us=market.now_us)
    ask, _ = cross(market)
    assert reason_of(ask) == Reason.GATE_REFUSED
    with pytest.raises(TransferRefused):
        move(market, 3 * LOT)
    with pytest.raises(TransferRefused):
        move(market, LOT, "third")
    move(market, 2 * LOT)
    row.refresh_from_db()
    assert row.state == "used"
    with pytest.raises(TransferRefused):
        move(market, LOT)
    clean(market)


def test_requests_end_when_nobody_answers():
    market = opened(**CONSENT)
    asked = consents.Asked(Right.objects.get(pk=market.right_id), market.accounts["other"], LOT, deadline_us=market.now_us + 1000)
    row = consents.request_consent(asked=asked, consent_id=MINT.uuid(market.now_us), actor="test", now_us=market.now_us)
    assert consents.expire_consents_due(actor="timetable", now_us=market.now_us + 1000) == 1
    row.refresh_from_db()
    assert row.state == "expired"
    with pytest.raises(LifecycleRefusedError, match="expired"):
        consents.answer_consent(consent_id=str(row.uuid), granted=True, note="", actor="test", now_us=market.now_us + 2000)
    market.now_us += 2000
    clean(market)


def test_the_ninth_holder_is_refused_outside_a_book_too():
    market = opened(max_holders=2, denied_holders=[public("acc", MINT.uuid(0))])
    move(market, LOT, "other")
    with pytest.raises(TransferRefused) as refused:
        move(market, LOT, "third")
    assert codes(refused) == ["max_holders"]
    clean(market)
