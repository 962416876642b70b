"""Somebody who may write everything rewrites history, every hash made to fit: what is told still contradicts what is there."""

from collections.abc import Callable
from typing import Any

import pytest

from exchange.audit.registry import CHECKS
from exchange.audit.run import audit
from exchange.domain.ladder import Ladder, RestingOrder
from exchange.replay.run import replay
from tests.honest_market import HonestMarket, forge_batches, forge_events, tamper

Bodies = list[dict[str, Any]]


@pytest.mark.django_db  # has the test database made; `market` works in it by itself
def test_every_reader_has_its_forgery() -> None:
    forged = {"reference_engine"} | {check for check, *_ in (*EVENT_FORGERIES, *TABLE_FORGERIES, *ANCHOR_FORGERIES)} | {"published_book"}
    assert forged == {check.name for check in CHECKS if check.walk}


def found(market: HonestMarket) -> tuple[list[str], list[str]]:
    """Codes that are broken, and the checks that say so."""
    report = audit(now_us=market.now_us)
    return report.codes, [broken.check for broken in report.broken]


def of_type(bodies: Bodies, name: str) -> dict[str, Any]:
    return next(body for body in bodies if body["type"] == name)


def activate_twice(bodies: Bodies) -> None:
    bodies.append(of_type(bodies, "right.activated") | {"id": "evt_00000000-0000-7000-8000-000000000001"})


def suspend_a_buyer_before_he_trades(bodies: Bodies) -> None:
    funded = of_type(bodies, "account.funded")
    slug = funded["payload"]["participant"]
    bodies.append(
        funded
        | {
            "id": "evt_00000000-0000-7000-8000-000000000002",
            "type": "participant.suspended",
            "object": {"id": slug, "type": "participant"},
            "payload": {"reason": "test", "orders_pulled": "0"},
            "at": funded["at"].replace("2026-11-01", "2026-10-31"),
        }
    )


def change_the_manifest(bodies: Bodies) -> None:
    of_type(bodies, "right.issued")["payload"]["manifest"]["kind"] = "custom"


def add_an_unknown_type(bodies: Bodies) -> None:
    bodies.append(of_type(bodies, "right.activated") | {"id": "evt_00000000-0000-7000-8000-000000000003", "type": "right.renamed"})


def fund_more(bodies: Bodies) -> None:
    of_type(bodies, "account.funded")["payload"]["amount_minor"] += "0"


def split_less(bodies: Bodies) -> None:
    of_type(bodies, "right.split")["payload"]["units"] = "1"


def add_a_member_nobody_knows(bodies: Bodies) -> None:
    standing = {"active": True, "groups": ["operators"], "participant": "venue", "reason": None, "scopes": [], "staff": True}
    bodies.append(
        of_type(bodies, "account.funded")
        | {
            "id": "evt_00000000-0000-7000-8000-000000000004",
            "type": "member.added",
            "object": {"id": "user:987654", "type": "member"},
            "payload": standing,
        }
    )


def make_a_proposal_nobody_knows(bodies: Bodies) -> None:
    wish = {"act": {}, "by": "user:987654", "expires_at": "2026-11-30T00:00:00.000000Z", "kind": "deposit", "reason": "test"}
    bodies.append(
        of_type(bodies, "account.funded")
        | {
            "id": "evt_00000000-0000-7000-8000-000000000005",
            "type": "proposal.made",
            "object": {"id": "prp_00000000-0000-7000-8000-000000000001", "type": "proposal"},
            "payload": wish,
        }
    )


def keep_takers_out_for_ever(bodies: Bodies) -> None:
    bodies.remove(next(body for body in bodies if body["type"] == "instrument.post_only_changed" and not body["payload"]["post_only"]))


# Rows of a trade that are written again bear the mark of another transaction than the rest of it (D1, `same_transaction`). So does its
# event when the stream is rewritten. The registry's stream has no trades. What was anchored contradicts the anchor too (E1).
EVENT_FORGERIES = (
    ("books", "D1 E2", "series", keep_takers_out_for_ever),
    ("lifecycle_history", "D1 G3", "series", activate_twice),
    # What the suspended may not receive, they may not have ordered either.
    ("gates", "G1 Z1", "registry", suspend_a_buyer_before_he_trades),
    ("terms_remembered", "D1 E1 G3", "series", change_the_manifest),
    ("events_apply", "D1 E2", "series", add_an_unknown_type),
    ("cash", "E1 E2", "registry", fund_more),
    ("rights", "D1 E1 E2", "series", split_less),
    ("objects", "E2", "registry", add_a_member_nobody_knows),
    ("objects", "E2", "registry", make_a_proposal_nobody_knows),
)


@pytest.mark.parametrize(("check", "codes", "stream", "edit"), EVENT_FORGERIES, ids=[f[0] for f in EVENT_FORGERIES])
def test_forged_events(market: HonestMarket, check: str, codes: str, stream: str, edit: Callable[[Bodies], None]) -> None:
    forge_events(market.series.stream.code if stream == "series" else stream, edit)
    expect(market, check, codes)


TABLE_FORGERIES = (
    ("event_chain", "E1", "UPDATE rights_event SET hash = repeat('a', 64) WHERE seq = 2"),
    ("event_chain", "D1 E1", "UPDATE rights_event SET hash = repeat('a', 64) WHERE type = 'trade.executed'"),
    ("rights", "E2", "UPDATE rights_right SET acquired_at = acquired_at + interval '1 microsecond' WHERE parent_id IS NOT NULL"),
    ("books", "E2", "UPDATE exchange_book SET last_price_ticks = last_price_ticks + 1"),
    ("objects", "E2", "UPDATE rights_assurance SET reference = reference || 'x'"),
    ("fills", "E2", "UPDATE exchange_order SET reason = 2 WHERE status = 6"),
    # A trade under another id is none that either engine makes, and belongs to no ledger entry.
    ("fills", "B3 D1 E2", "UPDATE exchange_trade SET id = gen_random_uuid() WHERE trade_no = 1"),
    # The batch of the opening auction, so one with trades; the first has none.
    ("batch_chain", "C1 D1", "UPDATE exchange_batch SET hash = repeat('a', 64) WHERE seq = 2"),
    ("batch_chain", "C1", "UPDATE exchange_batch SET hash = repeat('a', 64) WHERE seq = 1"),
    (
        "applied_as_asked",
        "C1",
        "UPDATE exchange_command SET payload = replace(payload, '\"quantity_lots\":3', '\"quantity_lots\":4') WHERE kind = 0",
    ),
)


@pytest.mark.parametrize(("check", "codes", "statement"), TABLE_FORGERIES, ids=[f"{f[0]}: {f[1]}" for f in TABLE_FORGERIES])
def test_forged_rows(market: HonestMarket, check: str, codes: str, statement: str) -> None:
    assert tamper(statement)
    expect(market, check, codes)


def expect(market: HonestMarket, check: str, codes: str) -> None:
    """Exactly these codes (space-separated) are broken, and this check is among those that say so."""
    broken, checks = found(market)
    assert broken == codes.split(), checks
    assert check in checks


ANCHOR_FORGERIES = (  # the journal knows anchors and keys too (E2)
    ("anchors", "E1 E2", "UPDATE rights_anchor SET signature = reverse(signature)"),
    ("anchors", "E1 E2", "UPDATE rights_venuekey SET retired_at = created_at - interval '1 second'"),
    ("anchors", "E1 E2", """UPDATE rights_anchor SET body = replace(body, '"previous":"0', '"previous":"1')"""),
)


@pytest.mark.parametrize(("check", "codes", "statement"), ANCHOR_FORGERIES)
def test_forged_anchors(market: HonestMarket, check: str, codes: str, statement: str) -> None:
    assert tamper(statement)
    expect(market, check, codes)


def test_history_rewritten_below_an_anchor(market: HonestMarket) -> None:
    """Every hash of a stream fits again, every table says what the events say; the anchor still says what was there."""

    def reword(bodies: Bodies) -> None:
        of_type(bodies, "account.funded")["payload"]["reason"] = "another"

    forge_events("registry", reword)
    codes, checks = found(market)
    assert (codes, sorted(checks)) == (["E1"], ["anchor_spans", "anchors"])


def test_forged_checksums(market: HonestMarket) -> None:
    def edit(batches: dict[int, dict[str, Any]]) -> None:
        batches[2]["checksum"] += 1

    forge_batches(market.book_id, edit)
    assert found(market) == (["M1"], ["published_book"])


def test_a_core_that_breaks_time_priority(market: HonestMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug runs in the lane and in the replay alike; only a second engine can tell."""

    def last_come_first_served(self: Ladder, order: RestingOrder) -> None:
        key = order.price_ticks * self.sign
        level = self.levels.get(key)
        if level is None or level.head is None:
            honest(self, order)
            return
        order.level, order.ahead, order.behind = level, None, level.head
        level.head.ahead = order
        level.head = order
        level.lots += order.remaining_lots
        level.orders += 1
        self.touched.add(key)

    honest = Ladder.append
    monkeypatch.setattr(Ladder, "append", last_come_first_served)
    market.place("third", "buy", 1, 190)
    market.place("other", "buy", 1, 190)
    market.match()
    market.place("holder", "sell", 1, 190)
    market.match()
    codes, checks = found(market)
    assert "reference_engine" in checks
    assert set(codes) <= {"B3", "E2"}, checks


def test_replay_of_an_honest_market(market: HonestMarket) -> None:
    made = replay()
    assert made.differences == {}
    assert made.state_hash["events"] == made.state_hash["tables"]
    assert (made.books, made.trades > 5, made.commands > 15, made.objects > 5) == (1, True, True, True)
