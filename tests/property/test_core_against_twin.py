"""The core and its naive twin answer the same to the same commands, and neither loses a lot.

`make torture` (TORTURE) runs 10,000 seeds of 500 commands; SEEDS and COMMANDS ask for any other number.
"""

import os
from collections import Counter
from dataclasses import replace
from random import Random
from zlib import crc32

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchange.domain.book import Book
from exchange.domain.checksum import checksum
from exchange.domain.command import Command, Place, Reason, SelfTrade, Side
from exchange.domain.outcome import Amended, Cancelled, Outcome, Refused, Rested
from tests.property.command_lists import COMMANDS, command_list, drawn, with_takers_kept_out
from tests.property.comparison import divergence, report
from tests.property.naive_twin import NaiveBook

TORTURE = bool(os.environ.get("TORTURE"))
SEEDS = int(os.environ.get("SEEDS", "10000" if TORTURE else "2000"))
LENGTH = int(os.environ.get("COMMANDS", "500" if TORTURE else str(COMMANDS)))
CHUNK = 100


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_core_and_twin_agree(first: int) -> None:
    for seed in range(first, min(first + CHUNK, SEEDS)):
        commands = command_list(seed, LENGTH)
        if divergence(Book, commands) is not None:
            pytest.fail(report(Book, commands))


@pytest.mark.parametrize("seed", range(1_000_000, 1_000_020))
def test_core_and_twin_agree_for_long(seed: int) -> None:
    commands = command_list(seed, 500)
    assert divergence(Book, commands) is None, report(Book, commands)


@settings(max_examples=100, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(random=st.randoms(use_true_random=False), length=st.integers(min_value=10, max_value=40))
def test_core_and_twin_agree_where_hypothesis_looks(random: Random, length: int) -> None:
    commands = drawn(random, length)
    assert divergence(Book, replace(commands, steps=with_takers_kept_out(random, commands.steps))) is None


def test_the_lists_are_hot() -> None:
    """The comparison is worth what the lists reach: count what happens in some of them."""
    seen: Counter[tuple[str, ...]] = Counter()
    for seed in range(300):
        commands = command_list(seed)
        book = NaiveBook(commands.phase, commands.blocked)
        for step in commands.steps:
            book.blocked ^= {step.toggled} if step.toggled else set()
            seen["Expire",] += len(book.expire(step.now))
            for outcome in book.apply(step.command, step.now):
                count_heat(seen, step.command, outcome)
    wanted: dict[tuple[str, ...], int] = {
        ("Expire",): 200,
        ("Place", "Traded"): 2000,
        ("Place", "Rested"): 5000,
        ("Place", "Reduced"): 100,
        ("Place", "slid"): 100,
        ("Place", "POST_ONLY_WOULD_TAKE"): 100,
        ("Place", "IOC_REMAINDER"): 300,
        ("Place", "FOK_UNFILLABLE"): 300,
        ("Place", "GATE_REFUSED"): 50,
        ("Place", "PHASE_PRE_OPEN"): 100,
        ("Place", "PHASE_HALTED"): 100,
        ("Place", "PHASE_CLOSED"): 50,
        ("Amend", "kept"): 300,
        ("Amend", "moved"): 300,
        ("Amend", "Traded"): 50,
        ("Amend", "Reduced"): 5,
        ("Amend", "SELF_TRADE"): 20,
        ("Amend", "GATE_REFUSED"): 2,
        ("Amend", "POST_ONLY_WOULD_TAKE"): 5,
        ("Amend", "QUANTITY_BELOW_FILLED"): 30,
        ("Amend", "NOTHING_TO_AMEND"): 100,
        ("Amend", "ORDER_UNKNOWN"): 100,
        ("Amend", "RIGHT_EXPIRED"): 10,
        ("Cancel", "ORDER_UNKNOWN"): 100,
        ("Cancel", "USER"): 100,
        ("CancelMany", "USER"): 50,
        ("SetPhase", "Traded"): 200,
        ("SetPhase", "SELF_TRADE"): 50,
        ("SetPhase", "GATE_REFUSED"): 10,
        ("SetPhase", "GATE_CLOSED"): 500,
        ("SetPhase", "PHASE_CLOSED"): 2,
        ("SetPhase", "POST_ONLY_BOOK"): 2,
        ("SetPostOnly", "PostOnlySet"): 200,
        ("SetPostOnly", "PHASE_CLOSED"): 2,
        ("Place", "POST_ONLY_BOOK"): 200,
        ("Amend", "POST_ONLY_BOOK"): 20,
        **{("Place", "SELF_TRADE", mode.name): 50 for mode in SelfTrade},
    }
    cold = {key: (seen[key], least) for key, least in wanted.items() if seen[key] < least}
    assert not cold


def count_heat(seen: Counter[tuple[str, ...]], command: Command, outcome: Outcome) -> None:
    told = type(command).__name__
    seen[told, type(outcome).__name__] += 1
    match outcome:
        case Cancelled(reason=reason) | Refused(reason=reason):
            seen[told, Reason(reason).name] += 1
            if isinstance(command, Place):
                seen[told, Reason(reason).name, SelfTrade(command.stp).name] += 1
        case Amended(kept=kept):
            seen[told, "kept" if kept else "moved"] += 1
        case Rested(price_ticks=price) if isinstance(command, Place) and price != command.price_ticks:
            seen[told, "slid"] += 1
        case _:
            pass


def test_checksum_is_what_the_document_says() -> None:
    """Without the point and leading zeros a fixed-point text is the plain number of ticks, or of smallest lots."""
    random = Random(7)
    for decimals in (0, 1, 4, 8):
        for depth in (0, 1, 9, 10, 14):
            unit = 10**decimals
            sides = [[(random.randint(1, 3 * unit), random.randint(1, 50)) for _ in range(depth)] for _ in Side]
            texts = [[(fixed(price, decimals), fixed(lots, 2)) for price, lots in levels] for levels in sides]
            bids, asks = sides
            plain = "".join(f"{price}{lots}" for price, lots in asks[:10] + bids[:10])
            assert checksum(*texts) == crc32(plain.encode())


def fixed(number: int, decimals: int) -> str:
    if not decimals:
        return str(number)
    whole, fraction = divmod(number, 10**decimals)
    return f"{whole}.{fraction:0{decimals}}"
