"""Suppliers as processes, shared by the module's tests; each test begins with one that behaves."""

import pytest

from settlement.adapters.lines import close_lines
from tests.suppliers.process import SupplierProcess

TOKEN = "sk-of-tests"


@pytest.fixture(scope="module")
def running():
    supplier = SupplierProcess(TOKEN)
    yield supplier
    supplier.close()


@pytest.fixture
async def supplier(running):
    if running.process.poll() is not None:
        running.again()
    running.misbehave("fine")
    yield running
    await close_lines()


@pytest.fixture(scope="module")
def second():
    """Another supplier."""
    supplier = SupplierProcess(TOKEN)
    yield supplier
    supplier.close()


@pytest.fixture
def pair(running, second):
    """Two suppliers that behave."""
    for one in (running, second):
        if one.process.poll() is not None:
            one.again()
        one.misbehave("fine")
    return running, second
