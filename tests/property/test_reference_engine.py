"""The audit's own engine answers as the core does, so that a difference in a journal is the journal's."""

import pytest

from exchange.audit.reference import ReferenceBook
from exchange.domain.book import Book
from tests.property.command_lists import command_list

SEEDS = 400
CHUNK = 100


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_core_and_reference_agree(first: int) -> None:
    for seed in range(first, first + CHUNK):
        commands = command_list(seed, 120)
        core, reference = Book(commands.phase, set(commands.blocked)), ReferenceBook()
        reference.phase, reference.blocked = int(commands.phase), set(commands.blocked)
        for number, step in enumerate(commands.steps):
            if step.toggled:
                core.blocked = core.blocked ^ {step.toggled}
                reference.blocked = reference.blocked ^ {step.toggled}
            said = core.expire(step.now) + core.apply(step.command, step.now)
            assert reference.expire(step.now) + reference.apply(step.command, step.now) == said, (seed, number, step)
        for side in (0, 1):
            assert [o.order_id for o in reference.orders(side)] == [o.order_id for o in core.orders(side)]
