"""Acts for many processes on one book at once. Their clock is one for all: the market's, plus what the machine's has moved on."""

import random
import time
from collections.abc import Callable
from typing import Any

import msgspec
from django.db import connection, transaction

from exchange import tasks
from exchange.domain.command import Side
from exchange.models.book import CommandKind
from exchange.services import bell, expiry, freeze, funding, intake, participants, payload, timetable
from exchange.services.funding import FundingRefusal
from exchange.services.lane import LaneMemory
from exchange.services.operator_refusal import OperatorRefusal
from rights.kernel import rows
from rights.kernel.ids import Mint
from rights.models import Account, Issuer, Participant, Right
from rights.services import split
from rights.services.refusals import IssuanceRefusedError, LifecycleRefusedError, lifecycle_refused
from settlement.services import issuance
from settlement.services.ledger import LedgerRefusal

Act = dict[str, Any]
PATIENCE_S = 120.0
# What an act may answer when others were faster. Everything else that is raised fails the test.
REFUSED = (OperatorRefusal, LifecycleRefusedError, IssuanceRefusedError, FundingRefusal, LedgerRefusal)


def now_of(act: Act) -> int:
    """The process's clock, which may be wrong by `skew_us`."""
    return int(act["epoch_us"] + (time.monotonic() - act["began"]) * 1_000_000) + act.get("skew_us", 0)


def drain(act: Act, again: bool) -> Any:
    """Be a matcher that is rung for the same book again and again, until `until` commands are applied (0: for `seconds`)."""
    tasks.now_us = lambda: now_of(act)
    lane = LaneMemory()
    deadline = time.monotonic() + (act.get("seconds") or PATIENCE_S)
    rung = 0
    while time.monotonic() < deadline:
        if act.get("through_task"):
            tasks.match_book.run(act["book"])
        else:
            tasks.drain(act["book"], lane, 0.02)
        rung += 1
        if act.get("until") and _applied(act["book"]) >= act["until"]:
            return rung
    if act.get("until"):
        raise TimeoutError(f"{_applied(act['book'])} of {act['until']} commands applied")
    return rung


def _applied(book_id: int) -> int:
    return int(rows.fetch_all("SELECT last_command_seq FROM exchange_book WHERE instrument_id = %s", [book_id])[0][0])


def crowd(act: Act, again: bool) -> Any:
    """Be clients: send `count` commands of all sorts (or for `seconds`), each its own transaction; some commit late, some ring ten times."""
    chance = random.Random(act["seed"])
    mint = Mint()
    mine: list[tuple[str, str]] = []
    sent = 0
    deadline = time.monotonic() + act.get("seconds", PATIENCE_S)
    while sent < act.get("count", 1_000_000) and time.monotonic() < deadline:
        command = _any_command(chance, act, mint, mine)
        with transaction.atomic():
            intake.submit(commands=[command], now_us=now_of(act))
            if chance.random() < 0.1:
                _until_others_matched(act["book"])
        for _ in range(10):
            bell.ring(act["book"], 0)
        sent += 1
    return sent


def _until_others_matched(book_id: int) -> None:
    """Keep the transaction open while the book goes on: our command commits behind younger ones."""
    before = _applied(book_id)
    deadline = time.monotonic() + 0.2
    while _applied(book_id) == before and time.monotonic() < deadline:
        rows.fetch_one("SELECT pg_sleep(0.002)")


def _any_command(chance: random.Random, act: Act, mint: Mint, mine: list[tuple[str, str]]) -> intake.NewCommand:
    slug = chance.choice(("holder", "third", "other", "other", "third"))
    account = act["accounts"][slug]
    more: dict[str, Any] = {"book_id": act["book"], "account_id": account["id"], "actor": account["actor"]}
    kind = chance.choices((CommandKind.PLACE, CommandKind.CANCEL, CommandKind.AMEND), (70, 20, 10))[0]
    if kind is CommandKind.PLACE or not mine:
        sells = slug == "holder" or (slug == "third" and chance.random() < 0.5)
        order_id = mint.uuid(now_of(act))
        body: payload.Payload = payload.PlacePayload(
            side=int(Side.SELL if sells else Side.BUY), type=0, quantity_lots=chance.randint(1, 4), price_ticks=chance.randint(195, 205)
        )
        mine.append((slug, order_id))
        return intake.NewCommand(
            kind=int(CommandKind.PLACE), payload=payload.encode(body), order_id=order_id, client_order_id=f"c-{order_id}", **more
        )
    slug, order_id = chance.choice(mine)
    more |= {"account_id": act["accounts"][slug]["id"], "actor": act["accounts"][slug]["actor"]}
    body = payload.CancelPayload() if kind is CommandKind.CANCEL else payload.AmendPayload(price_ticks=chance.randint(195, 205))
    return intake.NewCommand(kind=int(kind), payload=payload.encode(body), order_id=order_id, **more)


def meddle(act: Act, again: bool) -> Any:
    """Be operators, issuers and the timetable for `seconds`: everything that takes the same locks as a batch. What was done, by kind."""
    chance = random.Random(act["seed"])
    mint = Mint()
    done = dict.fromkeys(_MEDDLING, 0)
    deadline = time.monotonic() + act["seconds"]
    while time.monotonic() < deadline:
        name = chance.choice(sorted(_MEDDLING))
        try:
            _MEDDLING[name](Meddler(act, chance, mint))
        except REFUSED:
            continue
        done[name] += 1
    connection.close()
    return done


def end(act: Act, again: bool) -> Any:
    """Be one of several timetables once the window is over, with the book's lane: until every right has expired."""
    lane = LaneMemory()
    deadline = time.monotonic() + PATIENCE_S
    expired = 0
    while rows.fetch_all("SELECT 1 FROM rights_right WHERE status IN ('issued', 'active') LIMIT 1"):
        expired += timetable.run_due(now_us=now_of(act)).rights_expired
        tasks.now_us = lambda: now_of(act)
        tasks.drain(act["book"], lane, 0.05)
        if time.monotonic() > deadline:
            raise TimeoutError("rights are left that should have expired")
    return expired


class Meddler(msgspec.Struct):
    act: Act
    chance: random.Random
    mint: Mint

    @property
    def now_us(self) -> int:
        return now_of(self.act)

    @property
    def said(self) -> dict[str, Any]:
        return {"actor": "command:test", "now_us": self.now_us}

    def right(self, *statuses: str) -> str:
        found = list(Right.objects.filter(status__in=statuses, remaining_units__gt=0).order_by("?").values_list("pk", flat=True)[:1])
        if not found:
            raise lifecycle_refused("none", "no right is in that state")
        return str(found[0])

    def account(self) -> Account:
        return Account.objects.get(pk=self.act["accounts"][self.chance.choice(("holder", "third", "other"))]["id"])


def _freeze(m: Meddler) -> None:
    freeze.freeze_right(right_id=m.right("active"), freeze_reason="dispute", reason="a complaint", **m.said)


def _unfreeze(m: Meddler) -> None:
    freeze.unfreeze_right(right_id=m.right("frozen"), reason="settled", mint=m.mint, **m.said)


def _issue(m: Meddler) -> None:
    issuance.issue_right(issuer=Issuer.objects.get(slug="issuer"), holder=m.account(), document=m.act["document"], mint=m.mint, **m.said)


def _burn(m: Meddler) -> None:
    issuance.burn_right(right_id=m.right("frozen", "issued"), reason="test", mint=m.mint, **m.said)


def _expire(m: Meddler) -> None:
    # Nothing is due yet, so this only looks. Burning takes the same way as expiry, and the test ends with the window's end.
    expiry.expire_due(mint=m.mint, now_us=m.now_us)


def _split(m: Meddler) -> None:
    split.split_right(right_id=m.right("active"), units=1_000_000, child_id=m.mint.uuid(m.now_us), **m.said)


def _fund(m: Meddler) -> None:
    funding.fund(account=m.account(), amount="25", currency="USD", reason="test", mint=m.mint, **m.said)


def _withdraw(m: Meddler) -> None:
    funding.withdraw(account=m.account(), amount="20", currency="USD", reason="test", mint=m.mint, **m.said)


def _suspend(m: Meddler) -> None:
    participants.suspend(participant=Participant.objects.get(slug="third"), reason="a complaint", **m.said)


def _reinstate(m: Meddler) -> None:
    participants.reinstate(participant=Participant.objects.get(slug="third"), reason="settled", **m.said)


_MEDDLING: dict[str, Callable[[Meddler], None]] = {
    "freeze": _freeze,
    "unfreeze": _unfreeze,
    "issue": _issue,
    "burn": _burn,
    "expire": _expire,
    "split": _split,
    "fund": _fund,
    "withdraw": _withdraw,
    "suspend": _suspend,
    "reinstate": _reinstate,
}
