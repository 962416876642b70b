"""Every check of the audit can fail: break the world by force, see exactly that reported."""

import pytest

from exchange.audit.registry import CHECKS
from exchange.audit.run import Report, audit
from tests.honest_market import HonestMarket, tamper
from tests.integration.audit.breakages import BREAKAGES, Breakage
from tests.integration.audit.use_breakages import USE_BREAKAGES


@pytest.mark.django_db  # has the test database made; `market` works in it by itself
def test_every_query_has_its_breakage() -> None:
    assert {b.check for b in (*BREAKAGES, *USE_BREAKAGES)} == {check.name for check in CHECKS if check.sql}


def shown(report: Report) -> list[object]:
    return [(broken.code, broken.check, broken.rows[:2]) for broken in report.broken]


def test_an_honest_market_is_clean(market: HonestMarket) -> None:
    report = audit(now_us=market.now_us)
    assert report.broken == []
    assert report.checked == [check.name for check in CHECKS]


@pytest.mark.parametrize("broken", BREAKAGES, ids=lambda b: b.check)
def test_breakage(market: HonestMarket, broken: Breakage) -> None:
    assert tamper(*broken.statements) != 0
    report = audit(now_us=market.now_us, quick=True)
    assert broken.check in [b.check for b in report.broken], shown(report)
    assert " ".join(report.codes) == broken.codes, shown(report)
