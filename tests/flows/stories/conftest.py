"""One stage for all stories."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections

from tests.flows.stories.stage import Stage, set_up


@pytest.fixture(scope="package")
def transactional_db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """In the place of pytest-django's: what one story leaves behind the next one finds, and the database is empty after the last."""
    with django_db_blocker.unblock():
        yield
        connections.close_all()
        call_command("flush", verbosity=0, interactive=False)
        connections.close_all()


@pytest.fixture(scope="package")
def theatre(transactional_db: None) -> Iterator[Stage]:
    with pytest.MonkeyPatch.context() as patch, set_up(patch) as stage:
        yield stage


@pytest.fixture
def stage(theatre: Stage) -> Stage:
    theatre.new_day()
    return theatre
