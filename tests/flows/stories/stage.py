"""A stage for stories of use: the web application on a port, suppliers in processes of their own, and a clock that the stories move.

Whoever plays speaks HTTP. What the venue does by itself is done as its processes do it: a worker hears the ring and
executes what waits, the timetable looks at what is due. Each story has a day of its own, and so its rights have a stream of events of their own.
"""

import asyncio
import base64
import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from exchange.celery import app
from exchange.services import keys, redeem_bell
from exchange.services.executor import PAGE
from exchange.services.timetable import run_due
from exchange.tasks import run_requests
from rights.domain.moment import text_of
from rights.domain.signing import Signer
from rights.kernel.ids import public
from rights.models import Capability
from rights.services.venue import venue_account
from settlement.adapters.lines import close_lines
from settlement.models import Balance
from settlement.services.begin import FIRST, begin_waiting
from settlement.services.execute import ACTOR, run_work
from settlement.services.ledger import cash_asset
from settlement.services.off_loop import in_thread
from tests.redeem_desk import PaidDesk
from tests.registry_desk import DAY_US, START_US
from tests.suppliers.process import SupplierProcess
from tests.suppliers.redeeming import Redeeming
from tests.suppliers.serving import web

CLOCKS = ("exchange.api.base", "exchange.api.request_entry", "exchange.api.gateway.application", "exchange.api.gateway.nodes")
PATIENCE_S = 30.0
TOKEN = "sk-of-stories"
SIGNER = Signer("33" * 32)  # boreal's
MINUTE_US = 60_000_000
PAYS = 10  # micro-dollars a unit, to whoever does the work
SCOPES = {
    "holder": ("read", "redeem", "transfer"),
    "other": ("read", "redeem"),
    "issuer": ("read", "issue"),
    "clerk": ("read", "operate", "audit", "clearing"),
    "judge": ("read", "clearing"),
}


class Player:
    """A participant's program."""

    def __init__(self, site: str, token: str) -> None:
        self.site, self.token = site, token
        self.http = httpx.Client(base_url=site, headers={"Authorization": f"Bearer {token}"}, timeout=60)

    def get(self, path: str, **asked: Any) -> Any:
        return self._told(self.http.get(f"/api/v1/{path}", params=asked), 200)

    def post(self, path: str, body: Any = None, status: int = 201) -> Any:
        """The answer, which has this status: a refusal's problem where one is expected."""
        return self._told(self.http.post(f"/api/v1/{path}", json={} if body is None else body), status)

    def patch(self, path: str, body: Any) -> Any:
        return self._told(self.http.patch(f"/api/v1/{path}", json=body), 200)

    def delete(self, path: str) -> Any:
        return self._told(self.http.delete(f"/api/v1/{path}"), 200)

    @contextmanager
    def hears(self, channel: str) -> Iterator["Ear"]:
        """What happens on a private channel from now on."""
        bearer = {"Authorization": f"Bearer {self.token}"}
        with connect(f"{self.site.replace('http', 'ws', 1)}/ws/v1", additional_headers=bearer) as line:
            line.send(json.dumps({"op": "subscribe", "id": 1, "args": {"channel": channel}}))
            answer: dict[str, Any] = {}
            while "ok" not in answer:  # heartbeats come beside it
                answer = json.loads(line.recv(PATIENCE_S))
            assert answer["ok"], answer
            yield Ear(line)

    @staticmethod
    def _told(answer: httpx.Response, status: int) -> Any:
        assert answer.status_code == status, answer.text
        return answer.json()

    def cash(self) -> int:
        """In micro-dollars, held or not."""
        found = self.get("balances")["data"]
        return sum(int(Decimal(row["total"]) * 10**6) for row in found if row["currency"] == "USD")


class Ear:
    """A socket that listens to one private channel."""

    def __init__(self, line: ClientConnection) -> None:
        self._line = line

    def until(self, event: str) -> list[dict[str, Any]]:
        """What it has not heard before, up to this event."""
        heard: list[dict[str, Any]] = []
        end = time.monotonic() + PATIENCE_S
        while not heard or heard[-1]["event"] != event:
            message = json.loads(self._line.recv(PATIENCE_S))
            assert time.monotonic() < end, f"heard nothing of {event}, but {heard}"
            if message["type"] == "event":
                heard.append(message["data"])
        return heard


class Purses:
    """What some have in cash, and the venue in escrow."""

    def __init__(self, stage: "Stage", slugs: tuple[str, ...]) -> None:
        self._stage, self._slugs = stage, slugs
        self._before = self._now()

    def moved(self) -> list[int]:
        """In micro-dollars since the beginning: of each of them, and of the escrow."""
        return [now - before for now, before in zip(self._now(), self._before, strict=True)]

    def _now(self) -> list[int]:
        return [*(self._stage.player(slug).cash() for slug in self._slugs), self._stage.escrow()]


class Stage(Redeeming):
    """`holder` and `other` use rights of `issuer`; `boreal` does the work in the process `first`, more suppliers come with `supply`."""

    def __init__(self, site: str, first: SupplierProcess, second: SupplierProcess, patch: pytest.MonkeyPatch) -> None:
        super().__init__(first, patch, *CLOCKS)
        self.site, self.first, self.second = site, first, second
        self.players: dict[str, Player] = {}
        self.day_us = START_US
        for slug in ("clerk", "judge"):
            self.accounts[slug] = self.desk.open(slug)
        key = base64.b64encode(bytes.fromhex(SIGNER.public_key)).decode()
        with app.connection_for_read() as line, closing(line.SimpleQueue(redeem_bell.QUEUE)) as rung:
            rung.clear()  # of what others were rung for
        redeem_bell.answered()
        supplier = public("sup", str(self.suppliers["boreal"].supplier.uuid))
        self.player("boreal").patch(f"suppliers/{supplier}", {"public_key": key})

    def new_day(self) -> None:
        """It is six in the morning, and everything works."""
        self.day_us += DAY_US
        self.at("06:00")
        for process in (self.first, self.second):
            if process.process is None or process.process.poll() is not None:
                process.again()
            process.misbehave("fine")

    def moment(self, hour: str) -> int:
        """Today, at "17:58" or "17:58:30.5"."""
        hours, minutes, seconds = f"{hour}:0".split(":")[:3]
        return self.day_us + (int(hours) * 60 + int(minutes)) * MINUTE_US + int(Decimal(seconds) * 10**6)

    def at(self, hour: str) -> None:
        assert self.moment(hour) > self.clock(), "time only goes forward"
        self.set_clock(self.moment(hour))
        self.now_us = self.desk.now_us = self.clock()

    def after(self, seconds: int) -> None:
        self.set_clock(self.clock() + seconds * 1_000_000)
        self.now_us = self.desk.now_us = self.clock()

    def player(self, slug: str) -> Player:
        """Who acts for this participant; the same for the whole module."""
        if slug not in self.players:
            scopes = SCOPES.get(slug, ("read", "supply"))
            made = keys.create(account_id=self.accounts[slug].pk, scopes=scopes, label="", expires_us=None, now_us=self.clock())
            self.players[slug] = Player(self.site, made.token)
        return self.players[slug]

    @property
    def holder(self) -> Player:
        return self.player("holder")

    def capability(self, slug: str, process: SupplierProcess | None, *, timeout_ms: int = 20_000, **axes: Any) -> Capability:
        """Something that a supplier can do, at that process or by nodes of its own; the supplier is registered with its first."""
        if slug not in self.suppliers:
            self.suppliers[slug] = PaidDesk(self.desk, slug, **axes)
            made = self.suppliers[slug].capability
        else:
            made = self.suppliers[slug].offer(**axes)
        if process is None:
            self.serve(made, adapter="node-network", base_url="", inside=False)
        else:
            self.reach(self.serve(made), process, timeout_ms=timeout_ms)
        return made

    def right_for(self, story: str, *behind: Capability, until: str = "23:59", units: int = 100_000, **terms: Any) -> str:
        """The public id of the holder's right for today, behind which these capabilities stand, or boreal's first."""
        patch = self.back(story, behind or (self.suppliers["boreal"].capability,), self.day_us, self.moment(until), **terms)
        return public("rgt", str(self.desk.issue(units, **patch).pk))

    def back(self, story: str, behind: tuple[Capability, ...], start_us: int, end_us: int, **terms: Any) -> dict[str, Any]:
        """Post capacity for that window, and an assurance upon it; the terms of the rights that it is for."""
        sources = []
        for capability in behind:
            supply = self.suppliers[capability.supplier.slug]
            supply.post(10**9, capability=capability, start_us=start_us, end_us=end_us)
            sources.append(supply.source(10**7, capability))
        patch = {"window": {"start": text_of(start_us), "end": text_of(end_us)}, **terms}
        patch["assurance"] = {"reference": story, **terms.get("assurance", {})}
        self.desk.assure(patch=patch, gross_units=10**7 * len(sources), sources=tuple(sources))
        return patch

    def works(self, request: dict[str, Any]) -> None:
        """A worker hears the ring, and executes what waits; this request waits no more then."""
        with app.connection_for_read() as line, closing(line.SimpleQueue(redeem_bell.QUEUE)) as rung:
            message = rung.get(timeout=10)
            message.ack()
        assert message.headers["task"] == run_requests.name
        asyncio.run(_execute(self.clock()))
        assert self.state(request) != "matched"

    def timetable(self) -> None:
        """The scheduler's look at what is due."""
        run_due(now_us=self.clock())

    def escrow(self) -> int:
        """What lies in escrow, in micro-dollars."""
        account = venue_account(code="venue:escrow", now_us=self.clock())
        return Balance.objects.filter(account=account, asset=cash_asset()).values_list("amount", flat=True).first() or 0

    def purses(self, *slugs: str) -> Purses:
        return Purses(self, slugs or ("issuer", "boreal", "holder"))

    def left(self, right_id: str) -> tuple[int, int, str]:
        """(remaining, reserved, status) as its holder sees it."""
        found = self.holder.get(f"rights/{right_id}")
        return int(found["remaining_amount"]), int(found["reserved_amount"]), found["status"]

    def events(self, right_id: str) -> list[str]:
        """Everything that the registry remembers of the day's rights of this class since they are active, in order."""
        stream = self.player("clerk").get(f"rights/{right_id}/events", limit=1)["data"][0]["stream"]
        kinds = [event["type"] for event in self.player("clerk").get("events", stream=stream, limit=200)["data"]]
        return kinds[kinds.index("right.activated") + 1 :]

    def settlement(self, request: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.holder.get(f"requests/{request['id']}/settlement")
        return found

    def proofs(self, request: dict[str, Any]) -> list[str]:
        """The types of the proofs of its receipt, those that count, in the order they came."""
        found = self.holder.get(f"requests/{request['id']}/receipt")["proofs"]
        return [proof["type"] for proof in found if proof["is_valid"]]

    def state(self, request: dict[str, Any]) -> str:
        return str(self.holder.get(f"requests/{request['id']}")["state"])

    def metered(self, process: SupplierProcess) -> int:
        """The tokens of all chats, as the supplier's own meter has them."""
        told = process.meter().get("chat.completions", {})
        return told.get("prompt_tokens", 0) + told.get("completion_tokens", 0)


async def _execute(now_us: int) -> None:
    """What a worker does, in a loop that ends with it."""
    await asyncio.to_thread(redeem_bell.answered)
    works, _ = await in_thread(begin_waiting, most=PAGE, after=FIRST, actor=ACTOR, now_us=now_us)
    try:
        await asyncio.gather(*map(run_work, works))
    finally:
        await close_lines()


@contextmanager
def set_up(patch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """The stage, in whatever database there is."""
    suppliers: list[SupplierProcess] = []
    try:
        suppliers += [SupplierProcess(TOKEN) for _ in range(2)]
        with web() as site:
            stage = Stage(site, suppliers[0], suppliers[1], patch)
            yield stage
            for player in stage.players.values():
                player.http.close()
    finally:
        for supplier in suppliers:
            supplier.close()
