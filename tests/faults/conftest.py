from collections.abc import Iterator

import pytest

from tests.faults.forks import ForkServer


@pytest.fixture
def fork_server(transactional_db: None) -> Iterator[ForkServer]:
    """Processes to be killed, on the test's own database."""
    server = ForkServer()
    yield server
    server.close()


@pytest.fixture
def rescuer(fork_server: ForkServer) -> Iterator[ForkServer]:
    """Other processes on the same database, for while those of `fork_server` are stuck."""
    server = ForkServer()
    yield server
    server.close()
