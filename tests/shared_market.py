"""One market for all tests of a module; each test's changes end with it. For a conftest: `from tests.shared_market import made_market, market`."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction

from exchange.services import batch
from tests.honest_market import HonestMarket


@pytest.fixture(scope="module")
def made_market(django_db_setup: None, django_db_blocker: Any) -> Iterator[HonestMarket]:
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch:
        hold_for_ever(patch)
        outer = transaction.atomic()
        outer._from_testcase = True  # durable blocks may run inside
        with outer:
            market = HonestMarket()
            market.trade_a_day()
            yield market
            transaction.set_rollback(True)
        connection.close()


@pytest.fixture
def market(made_market: HonestMarket) -> Iterator[HonestMarket]:
    inner = transaction.atomic()
    inner._from_testcase = True
    with inner:
        yield made_market
        transaction.set_rollback(True)


def hold_for_ever(patch: pytest.MonkeyPatch) -> None:
    """Where all of a test, or of a module, is one transaction, that is older than any batch may be."""
    for name in ("HOLD_MS", "HOLD_LONGER_MS"):
        patch.setattr(batch, name, 0)
