"""One market for all tests of a module; each test's changes end with it. For a conftest: `from tests.shared_market import made_market, market`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest
from django.db import connection, transaction

from exchange.services import batch
from tests.honest_market import HonestMarket

Made = TypeVar("Made")


@contextmanager
def kept(make: Callable[[], Made], django_db_blocker: Any) -> Iterator[Made]:
    """What `make` makes, in a transaction that is undone at the end."""
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch:
        hold_for_ever(patch)
        outer = transaction.atomic()
        outer._from_testcase = True  # durable blocks may run inside
        with outer:
            yield make()
            transaction.set_rollback(True)
        connection.close()


@contextmanager
def undone(made: Made) -> Iterator[Made]:
    """The same, with whatever is done to it undone."""
    inner = transaction.atomic()
    inner._from_testcase = True
    with inner:
        yield made
        transaction.set_rollback(True)


def traded() -> HonestMarket:
    """A market after its day."""
    market = HonestMarket()
    market.trade_a_day()
    return market


@pytest.fixture(scope="module")
def made_market(django_db_setup: None, django_db_blocker: Any) -> Iterator[HonestMarket]:
    with kept(traded, django_db_blocker) as market:
        yield market


@pytest.fixture
def market(made_market: HonestMarket) -> Iterator[HonestMarket]:
    with undone(made_market) as market:
        yield market


def hold_for_ever(patch: pytest.MonkeyPatch) -> None:
    """Where all of a test, or of a module, is one transaction, that is older than any batch may be."""
    for name in ("HOLD_MS", "HOLD_LONGER_MS"):
        patch.setattr(batch, name, 0)
