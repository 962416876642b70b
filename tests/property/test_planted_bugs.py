"""The comparison with the twin finds bugs: each of these is planted into the core's own text and must be found.

An edit names text that must stand in the module exactly once, so that a changed core fails here loudly
and the bug is planted anew instead of silently nowhere.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import cast

import pytest

from exchange.domain import command
from tests.property.command_lists import CommandList, command_list
from tests.property.comparison import MakeBook, divergence

MOST_SEEDS = 500
# The core's modules that hold rules, each after those it imports.
MODULES = ("ladder", "state", "matching", "amend", "uncross", "book")


@dataclass(frozen=True, slots=True)
class Edit:
    module: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Bug:
    sentence: str
    edits: tuple[Edit, ...]


def bug(sentence: str, *edits: tuple[str, str, str]) -> Bug:
    return Bug(sentence, tuple(Edit(*edit) for edit in edits))


REAPPEND_AT_HEAD = """    state.join(order)
    level = order.level
    if order.ahead is not None and level.head is not None:
        level.tail, order.ahead.behind, level.head.ahead = order.ahead, None, order
        order.ahead, order.behind, level.head = None, level.head, order
    out.append(Rested(order.order_id, price_ticks, order.remaining_lots))"""

BUGS: dict[str, Bug] = {
    # Priority
    "queue_lifo": bug(
        "The maker that joined its level last trades first.",
        ("matching", "        maker = level.head\n        while left", "        maker = level.tail\n        while left"),
        ("matching", "behind = maker.behind", "behind = maker.ahead"),
    ),
    "takers_price": bug(
        "A trade happens at the taker's price.",
        ("matching", "        price_ticks = level.price_ticks\n", "        price_ticks = taker.price_ticks\n"),
    ),
    "touch_does_not_trade": bug(
        "Equal prices do not trade: the taker stops at its own limit.",
        (
            "matching",
            "        if key < bound:\n            break\n        level",
            "        if key <= bound:\n            break\n        level",
        ),
    ),
    "partial_fill_forgotten_in_level": bug(
        "A maker that is partly filled leaves its level's total as it was.",
        ("matching", "                    level.lots -= left\n", ""),
    ),
    "filled_maker_remembered": bug(
        "A filled maker can still be cancelled.",
        ("matching", "                del by_id[maker.order_id]\n", ""),
    ),
    # Placing
    "market_remainder_rests": bug(
        "What a market order does not find, rests.",
        ("matching", " or order.type != _LIMIT", ""),
    ),
    "ioc_remainder_rests": bug(
        "What an ioc order does not find, rests.",
        ("matching", "passing = order.tif >= _IOC", "passing = order.tif >= _FOK"),
    ),
    "dead_on_arrival_off_by_one": bug(
        "An order that expires just now is still taken.",
        ("matching", "order.expire_at <= now", "order.expire_at < now"),
    ),
    "dead_on_arrival_taken": bug(
        "An order whose time is over before it arrives is taken.",
        ("matching", "    if order.expire_at and order.expire_at <= now:", "    if order.expire_at and order.expire_at <= 0:"),
    ),
    # Fill or kill
    "fok_does_not_look_ahead": bug(
        "A fok takes what there is.",
        ("matching", " and not _is_fillable(state, order, opposite, bound)", " and False"),
    ),
    "fok_counts_itself": bug(
        "A fok counts its own participant's makers.",
        (
            "matching",
            "                if taker.stp != _CANCEL_OLDEST:\n                    return False\n            elif",
            "                wanted -= 0\n            if",
        ),
    ),
    "fok_stops_at_itself": bug(
        "A fok that would cancel the oldest stops its count at an own maker all the same.",
        ("matching", "                if taker.stp != _CANCEL_OLDEST:\n", "                if taker.stp >= 0:\n"),
    ),
    "fok_counts_blocked": bug(
        "A fok counts makers it may not meet.",
        ("matching", "            elif not (blocked and is_blocked", "            elif True or not (blocked and is_blocked"),
    ),
    "fok_wants_one_more": bug(
        "A fok that finds exactly its quantity is refused.",
        ("matching", "if wanted <= 0:", "if wanted < 0:"),
    ),
    # Post-only
    "slide_to_the_opposite_price": bug(
        "A sliding order rests on the opposite price.",
        ("matching", "(opposite.keys[-1] + 1) * opposite.sign", "opposite.keys[-1] * opposite.sign"),
    ),
    "slide_below_one": bug(
        "A bid that slides from an ask of one tick rests at one tick.",
        ("matching", "(opposite.keys[-1] + 1) * opposite.sign", "max(1, (opposite.keys[-1] + 1) * opposite.sign)"),
    ),
    "reject_slides": bug(
        "Post-only reject slides.",
        ("matching", "    if post_only != _SLIDE:\n", "    if not post_only:\n"),
    ),
    "slide_rejects": bug(
        "Post-only slide rejects.",
        ("matching", "    if post_only != _SLIDE:\n", "    if post_only:\n"),
    ),
    # Self-trade
    "stp_by_account": bug(
        "Two accounts of one participant may trade with each other.",
        ("matching", "if maker.participant == participant:", "if maker.account == taker.account:"),
    ),
    "stp_ignored": bug(
        "A participant may trade with itself.",
        ("matching", "if maker.participant == participant:", "if maker.participant == -1:"),
    ),
    "stp_by_maker": bug(
        "The maker's self-trade mode decides.",
        ("matching", "mode = taker.stp", "mode = maker.stp"),
    ),
    "stp_after_blocking": bug(
        "A blocked maker of the same participant is skipped instead of prevented.",
        (
            "matching",
            "if maker.participant == participant:",
            "if maker.participant == participant and not is_blocked(blocked, *((maker, taker) if buying else (taker, maker))):",
        ),
    ),
    "decrement_counts_as_filled": bug(
        "A maker's decrement stays in its total, as if it had been filled.",
        ("matching", "            maker.quantity_lots -= by_lots\n", ""),
    ),
    "takers_decrement_counts_as_filled": bug(
        "A taker's decrement stays in its total, as if it had been filled.",
        ("matching", "lots - gone, left", "lots, left"),
    ),
    "decrement_off_by_one": bug(
        "A decrement takes one lot too many from the taker.",
        ("matching", "        return left - by_lots, by_lots\n", "        return left - by_lots - 1, by_lots + 1\n"),
    ),
    "decrement_leaves_nothing": bug(
        "A taker decremented to zero is reduced instead of cancelled.",
        ("matching", "mode == _DECREMENT and left > by_lots", "mode == _DECREMENT and left >= by_lots"),
    ),
    "cancel_both_spares_the_maker": bug(
        "Cancel both cancels the taker only.",
        ("matching", "    if mode != _CANCEL_NEWEST:\n", "    if mode in {_CANCEL_OLDEST, _DECREMENT}:\n"),
    ),
    # Blocked pairs
    "blocked_ignored": bug(
        "Blocked pairs trade.",
        ("matching", "            elif blocked and is_blocked", "            elif False and is_blocked"),
    ),
    "blocked_roles_swapped": bug(
        "The policy of the bid and the holder of the ask are looked at.",
        ("state", "    policy = ask.policy\n    holder = bid.holder\n", "    policy = bid.policy\n    holder = ask.holder\n"),
    ),
    "zero_blocks": bug(
        "No policy and no holder can be blocked, too.",
        ("state", "policy != 0 and holder != 0 and ", ""),
    ),
    "blocked_maker_ends_matching": bug(
        "A blocked maker ends the matching instead of being skipped.",
        ("matching", "                pass\n", "                break\n"),
    ),
    "skipped_maker_crossed": bug(
        "A remainder rests across a maker that was skipped.",
        ("matching", "        elif opposite.keys and opposite.keys[-1] >= bound:", "        elif False:"),
    ),
    "skipped_maker_locked": bug(
        "A remainder rests at the very price of a maker that was skipped.",
        (
            "matching",
            "        elif opposite.keys and opposite.keys[-1] >= bound:",
            "        elif opposite.keys and opposite.keys[-1] > bound:",
        ),
    ),
    # Amending
    "amend_up_keeps_priority": bug(
        "More quantity keeps its place in the queue.",
        ("amend", "(same_price and lots <= order.quantity_lots)", "same_price"),
    ),
    "amend_down_loses_priority": bug(
        "Less quantity loses its place in the queue.",
        ("amend", "(same_price and lots <= order.quantity_lots)", "(same_price and lots == order.quantity_lots)"),
    ),
    "amend_goes_to_the_head": bug(
        "A moved order joins its new level at the head.",
        (
            "matching",
            "    state.join(order)\n    out.append(Rested(order.order_id, price_ticks, order.remaining_lots))",
            REAPPEND_AT_HEAD,
        ),
    ),
    "amend_does_not_match": bug(
        "A moved order rests without matching.",
        (
            "matching",
            "    order.price_ticks = price_ticks\n    if state.phase == _CONTINUOUS:",
            "    order.price_ticks = price_ticks\n    if False:",
        ),
    ),
    "amend_total_is_remaining": bug(
        "A new total is taken for the new remaining quantity.",
        ("amend", "    order.remaining_lots += lots - order.quantity_lots\n", "    order.remaining_lots = lots\n"),
    ),
    "amend_to_the_filled": bug(
        "A new total equal to what is filled is accepted.",
        ("amend", "    elif lots <= order.filled_lots:", "    elif lots < order.filled_lots:"),
    ),
    "amend_of_nothing_moves": bug(
        "An amend that changes nothing is accepted.",
        ("amend", "    if same_price and same_expiry and lots == order.quantity_lots:", "    if lots < 0:"),
    ),
    "amend_tells_the_slid_price": bug(
        "The Amended of a sliding order carries the slid price.",
        ("amend", "[Amended(order.order_id, price_ticks, lots,", "[Amended(order.order_id, resting_ticks, lots,"),
    ),
    "amend_checks_post_only_of_the_expired": bug(
        "A post-only amend that only ends the order is refused for crossing.",
        ("amend", "price_ticks if kept else", "price_ticks if kept and not expired else"),
    ),
    "amend_away_is_not_remaining": bug(
        "What an amended expiry cancels is the quantity before the amend.",
        ("amend", "lots - order.filled_lots, order.expire_reason", "order.remaining_lots, order.expire_reason"),
    ),
    "amended_decrement_counts_as_filled": bug(
        "The decrement of a moved order stays in its total.",
        ("matching", "        order.quantity_lots -= gone\n", ""),
    ),
    "moved_across_a_skipped_maker": bug(
        "A moved remainder rests across a maker that was skipped.",
        ("matching", "        if opposite.keys and opposite.keys[-1] >= price_ticks * opposite.sign:\n", "        if False:\n"),
    ),
    "amend_post_only_in_pre_open": bug(
        "An amend checks post-only in pre_open.",
        ("amend", "    if not order.post_only or state.phase != Phase.CONTINUOUS:", "    if not order.post_only:"),
    ),
    "amend_post_only_too_late": bug(
        "A refused post-only amend has already changed the price.",
        ("amend", "    elif not resting_ticks:\n", "    elif not resting_ticks:\n        order.price_ticks = price_ticks\n"),
    ),
    "amended_expiry_not_watched": bug(
        "An order whose expiry was amended in place never expires.",
        ("amend", "            state.watch(order)\n", "            pass\n"),
    ),
    "amended_expiry_off_by_one": bug(
        "An amend that makes the order expire just now leaves it in the book.",
        ("amend", "0 < expire_at <= now", "0 < expire_at < now"),
    ),
    # Expiry
    "expiry_off_by_one": bug(
        "An order that expires just now rests on.",
        ("state", "expiries[0][0] <= now", "expiries[0][0] < now"),
    ),
    "gtd_not_expired": bug(
        "A gtd order never expires.",
        ("state", "        if order.expire_at:\n", "        if order.expire_at and order.tif != 1:\n"),
    ),
    "stale_expiry_counts": bug(
        "An order expires at a moment it no longer has.",
        (
            "state",
            "order is not None and order.expire_at == expire_at and order.joined == joined",
            "order is not None and joined > 0 and expire_at > 0",
        ),
    ),
    "expiry_in_reverse": bug(
        "Of two orders that expire at once the later one goes first.",
        ("state", "(order.expire_at, order.joined, order.order_id))", "(order.expire_at, -order.joined, order.order_id))"),
        ("state", "order.joined == joined", "order.joined == -joined"),
    ),
    "tidying_loses_expiries": bug(
        "Tidying the expiries drops those that still count.",
        ("state", "_EXPIRIES_KEPT = 64", "_EXPIRIES_KEPT = -9999"),
        ("state", "for entry in expiries if self._is_current(entry)", "for entry in expiries if not self._is_current(entry)"),
    ),
    "tidying_unsorts_expiries": bug(
        "Tidying leaves the expiries out of order.",
        ("state", "_EXPIRIES_KEPT = 64", "_EXPIRIES_KEPT = -9999"),
        ("state", "            heapify(expiries)\n", ""),
    ),
    "amended_reason_lost": bug(
        "An amended expiry ends for the reason the order had before.",
        ("amend", "expire_reason=command.expire_reason)", "expire_reason=order.expire_reason)"),
    ),
    "expire_reason_lost": bug(
        "Every expiry is told as order_expired.",
        ("book", "order.remaining_lots, order.expire_reason", "order.remaining_lots, int(Reason.ORDER_EXPIRED)"),
    ),
    # Cancelling
    "cancel_many_ignores_group": bug(
        "CancelMany ignores the group.",
        ("book", " and command.group in {None, order.group}", ""),
    ),
    "cancel_many_empty_group_is_all": bug(
        "CancelMany takes the empty group for every group.",
        ("book", "command.group in {None, order.group}", "(command.group or order.group) == order.group"),
    ),
    "cancel_many_buy_is_all": bug(
        "CancelMany takes the side BUY, which is zero, for both sides.",
        ("book", "command.side in {None, order.side}", "(not command.side or command.side == order.side)"),
    ),
    "cancel_many_not_everybody": bug(
        "CancelMany of account 0 matches nobody.",
        ("book", "command.account in {0, order.account}", "command.account == order.account"),
    ),
    "cancel_many_asks_first": bug(
        "CancelMany goes through the asks first.",
        ("book", "        for ladder in self.ladders:\n", "        for ladder in self.ladders[::-1]:\n"),
    ),
    # Phases
    "closed_opens_again": bug(
        "A closed book can be opened again.",
        (
            "book",
            "def _set_phase(self, command: SetPhase) -> list[Outcome]:\n        if self.phase == Phase.CLOSED:\n            return",
            "def _set_phase(self, command: SetPhase) -> list[Outcome]:\n        if self.phase == Phase.CLOSED == command.phase:\n            return",
        ),
    ),
    "closed_closes_again": bug(
        "A closed book can be closed again.",
        (
            "book",
            "def _set_phase(self, command: SetPhase) -> list[Outcome]:\n        if self.phase == Phase.CLOSED:\n            return",
            "def _set_phase(self, command: SetPhase) -> list[Outcome]:\n        if self.phase == Phase.CLOSED != command.phase:\n            return",
        ),
    ),
    "closing_spares_the_asks": bug(
        "Closing cancels the bids only.",
        ("book", "CancelMany(account=0, reason", "CancelMany(account=0, side=0, reason"),
    ),
    "halted_takes_orders": bug(
        "A halted book takes orders.",
        ("matching", "    int(Phase.HALTED): int(Reason.PHASE_HALTED),\n", ""),
    ),
    "pre_open_refuses_no_ioc": bug(
        "An ioc in pre_open rests.",
        ("matching", "_PHASE_PRE_OPEN if passing else 0", "_PHASE_PRE_OPEN if passing and order.tif != _IOC else 0"),
    ),
    "opening_does_not_uncross": bug(
        "A book that opens stays crossed.",
        ("book", "if self.phase == Phase.CONTINUOUS != before:", "if self.phase == Phase.CONTINUOUS == before:"),
    ),
    # Uncross
    "uncross_highest_price": bug(
        "Of auction prices that are equally good, the highest is chosen.",
        ("uncross", "rank > best_rank", "rank >= best_rank"),
    ),
    "uncross_ignores_the_imbalance": bug(
        "Of auction prices that trade the same, the lowest is chosen whatever is left over.",
        ("uncross", "rank = (min(bid_lots, ask_lots), -abs(bid_lots - ask_lots))", "rank = (min(bid_lots, ask_lots), 0)"),
    ),
    "uncross_ignores_volume": bug(
        "The auction price is the best ask.",
        ("uncross", "best_rank, chosen = rank, price_ticks", "best_rank, chosen = rank, best_ask"),
    ),
    "uncross_spares_the_locked": bug(
        "A book that is locked, not crossed, is not uncrossed.",
        ("uncross", "best_bid < best_ask", "best_bid <= best_ask"),
    ),
    "uncross_pulls_the_earlier": bug(
        "Of a pair that may not meet in the auction, the earlier joined is cancelled.",
        ("uncross", "bid if bid.joined > ask.joined else ask", "bid if bid.joined < ask.joined else ask"),
    ),
    "uncross_lets_oneself_trade": bug(
        "In the auction a participant may trade with itself.",
        ("uncross", "        if bid.participant == ask.participant:", "        if bid.participant == -1:"),
    ),
    "uncross_lets_blocked_trade": bug(
        "In the auction blocked pairs trade.",
        ("uncross", "        elif is_blocked(state.blocked, ask, bid):", "        elif is_blocked(frozenset(), ask, bid):"),
    ),
    "uncross_maker_is_the_bid": bug(
        "In the auction the bid is told as the maker.",
        ("uncross", "Traded(ask.order_id, bid.order_id,", "Traded(bid.order_id, ask.order_id,"),
    ),
    "uncross_is_no_auction": bug(
        "Auction trades are told as ordinary ones.",
        ("uncross", "lots, auction=True)", "lots, auction=False)"),
    ),
    # Market data
    "touched_by_a_partial_fill_forgotten": bug(
        "A level whose maker is partly filled is not touched.",
        ("matching", "                    makers.touched.add(key)\n", ""),
    ),
    "touched_by_leaving_forgotten": bug(
        "A level that an order leaves is not touched.",
        ("ladder", "        level.unlink(order)\n        self.touched.add(key)\n", "        level.unlink(order)\n"),
    ),
    "touched_by_shrinking_forgotten": bug(
        "A level in which an order shrinks is not touched.",
        ("ladder", "        level.lots -= by_lots\n        self.touched.add(level.key)\n", "        level.lots -= by_lots\n"),
    ),
    "touched_for_ever": bug(
        "Touched levels are told again and again.",
        ("book", "            ladder.touched.clear()\n", ""),
    ),
    "depth_off_by_one": bug(
        "A depth of two gives three levels.",
        ("book", "ladder.keys[: -depth - 1 : -1]", "ladder.keys[: -depth - 2 : -1]"),
    ),
    # Rebuilding
    "load_numbers_anew": bug(
        "An order put back into a book loses the number it joined with.",
        ("book", "        self.joins = max(self.joins, order.joined - 1)\n", ""),
    ),
    # Post-only books
    "post_only_book_takes": bug(
        "A limit order takes from a book that keeps takers out.",
        ("matching", "    if state.post_only:\n        return [Refused(order_id", "    if False:\n        return [Refused(order_id"),
    ),
    "post_only_book_lets_pass": bug(
        "An ioc or market order that finds nothing is cancelled instead of refused by a post-only book.",
        ("matching", "    elif passing and state.post_only:", "    elif False:"),
    ),
    "post_only_book_refuses_all_limits": bug(
        "A post-only book refuses orders that would rest.",
        ("matching", "    elif passing and state.post_only:", "    elif state.post_only:"),
    ),
    "post_only_book_refuses_post_only": bug(
        "A post-only book refuses a sliding order that would cross, instead of sliding it.",
        (
            "matching",
            "    if order.post_only:\n        price_ticks = outside",
            "    if order.post_only and not state.post_only:\n        price_ticks = outside",
        ),
    ),
    "post_only_book_is_taken_from_by_amends": bug(
        "An amended price takes from a post-only book.",
        ("amend", "    if not state.post_only or state.phase", "    if True or state.phase"),
    ),
    "post_only_book_refuses_amends_before_the_opening": bug(
        "Before the opening, an amend that crosses is refused by a post-only book.",
        ("amend", "    if not state.post_only or state.phase != Phase.CONTINUOUS:", "    if not state.post_only:"),
    ),
    "post_only_book_touched_by_amends": bug(
        "An amend to the very price of the other side is let into a post-only book.",
        (
            "amend",
            "    return bool(opposite.keys) and opposite.keys[-1] >= price",
            "    return bool(opposite.keys) and opposite.keys[-1] > price",
        ),
    ),
    "post_only_book_opens_crossed": bug(
        "A crossed book opens, and trades, while takers are kept out.",
        ("book", "if command.phase == Phase.CONTINUOUS and self.post_only and self._is_crossed():", "if False:"),
    ),
    "post_only_book_does_not_open": bug(
        "A book that is not crossed does not open while takers are kept out.",
        ("book", "self.post_only and self._is_crossed():", "self.post_only:"),
    ),
    "post_only_book_halts_not": bug(
        "A crossed book can't be halted or closed while takers are kept out.",
        ("book", "if command.phase == Phase.CONTINUOUS and self.post_only", "if self.post_only"),
    ),
    "post_only_for_ever": bug(
        "A book that keeps takers out does so for ever.",
        ("book", "        self.post_only = command.on\n", "        self.post_only = command.on or self.post_only\n"),
    ),
    "post_only_after_the_end": bug(
        "A closed book still takes the change.",
        (
            "book",
            '            return [Refused("", int(Reason.PHASE_CLOSED))]\n        self.post_only',
            "            self.post_only = command.on\n        self.post_only",
        ),
    ),
    "load_forgets_the_filled": bug(
        "An order made anew counts as unfilled.",
        ("ladder", "        self.remaining_lots = remaining_lots\n", "        self.remaining_lots = quantity_lots\n"),
    ),
    "load_forgets_the_expiry": bug(
        "An order put back into a book does not expire.",
        ("book", "        self.join(order)\n", "        self.join(order)\n        self.expiries.clear()\n"),
    ),
}


@cache
def source(module: str) -> str:
    return Path(command.__file__).with_name(f"{module}.py").read_text(encoding="utf-8")


@cache
def commands_of(seed: int) -> CommandList:
    return command_list(seed)


@contextmanager
def swapped_in(modules: dict[str, ModuleType]) -> Iterator[None]:
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def planted(edits: tuple[Edit, ...]) -> MakeBook:
    """Make the core anew from its edited text, beside the real one."""
    modules = {f"exchange.domain.{name}": ModuleType(f"exchange.domain.{name}") for name in MODULES}
    with swapped_in(modules):
        for name in MODULES:
            text = source(name)
            for edit in edits:
                if edit.module == name:
                    assert text.count(edit.old) == 1, f"{name}.py has {text.count(edit.old)} times: {edit.old}"
                    text = text.replace(edit.old, edit.new)
            exec(compile(text, f"{name}.py, with a bug", "exec"), modules[f"exchange.domain.{name}"].__dict__)
    return cast("MakeBook", modules["exchange.domain.book"].__dict__["Book"])


def seeds_until_found(make_core: MakeBook) -> int | None:
    for seed in range(MOST_SEEDS):
        if divergence(make_core, commands_of(seed)) is not None:
            return seed
    return None


HARMLESS = {
    "nothing": (),
    "the expiries are tidied as early as can be": (Edit("state", "_EXPIRIES_KEPT = 64", "_EXPIRIES_KEPT = -9999"),),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_a_harmless_edit_is_not_found(name: str) -> None:
    core = planted(HARMLESS[name])
    for seed in range(100):
        assert divergence(core, commands_of(seed)) is None


@pytest.mark.parametrize("name", BUGS)
def test_the_bug_is_found(name: str) -> None:
    planted_bug = BUGS[name]
    assert all(edit.module in MODULES for edit in planted_bug.edits)
    assert seeds_until_found(planted(planted_bug.edits)) is not None, f"not found: {planted_bug.sentence}"
