"""A small market in which everything came about as it should: through the services, with keys, events and ledger entries.

Its audit is clean; tests break one thing in it and see exactly that reported.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import orjson
from django.db import connection, transaction

from exchange.domain.command import Phase
from exchange.models import ApiKey, Batch, Instrument
from exchange.models.book import CommandKind
from exchange.services import degradation, deliverable, disclosure, intake, lane, payload, rules
from exchange.services.batch import Outcome, match_once
from exchange.services.batch_record import chain
from exchange.services.funding import fund
from exchange.services.lane import LaneMemory
from exchange.services.listing import TradingRules, list_instrument
from rights.domain.signing import Signer
from rights.kernel.clock import rfc3339, to_datetime, to_us
from rights.models import Account, Event, Stream
from rights.services import reception
from rights.services.anchor import make_anchor
from rights.services.venue_keys import publish_key
from settlement.services import deliver, ledger
from tests.registry_desk import MINT, Desk
from tests.supply_desk import SupplyDesk

SCOPES = ["read", "trade", "cancel"]


class HonestMarket:
    """One book of the plain example's class; `holder` sells, `other` and `third` buy. Every step takes a millisecond."""

    def __init__(self, *, policy: dict[str, Any] | None = None, delivery_rule: str = "exact", **trading: Any) -> None:
        for forget in (
            rules.forget,
            deliverable.forget,
            degradation.forget,
            disclosure.forget,
            reception.forget_policies,
            lane._uuids.clear,
            deliver.forget_assets,
        ):
            forget()
        ledger.cash_asset()
        self.desk = Desk(units=10**12)
        self.accounts: dict[str, Account] = self.desk.accounts
        self.accounts["third"] = self.desk.open("third")
        self.supply = SupplyDesk(self.desk)
        self.supply.post(10**9)
        self.pledged = self.supply.assure(10**8)
        self.now_us = self.desk.now_us
        self.keys = {slug: self._key(account) for slug, account in self.accounts.items()}
        self.operator = self._key(self.accounts["issuer"], ["operate"])
        self.policy = policy
        right = self.desk.issue(50_000_000, **({"transfer_policy": policy} if policy else {}))
        self.right_id = str(right.pk)
        self.series = right.series
        rules_of_trading = {
            "tick_minor": 10_000,
            "collar_low_ticks": 1,
            "collar_high_ticks": 100_000,
            "opens_us": self.now_us,
            "maker_bps": 10,
            "taker_bps": 20,
        } | trading
        self.instrument: Instrument = list_instrument(
            series=self.series,
            rules=TradingRules(**rules_of_trading),
            actor="command:test",
            now_us=self.now_us,
            delivery_rule=delivery_rule,
        )
        self.book_id = self.instrument.pk
        self.lane = LaneMemory()
        for slug in ("other", "third"):
            fund(
                account=self.accounts[slug],
                amount="10000",
                currency="USD",
                reason="to trade",
                mint=MINT,
                actor="command:test",
                now_us=self.now_us,
            )

    def _key(self, account: Account, scopes: list[str] | None = None) -> ApiKey:
        return ApiKey.objects.create(
            uuid=MINT.uuid(self.desk.now_us),
            account=account,
            secret_sha256="0" * 64,
            scopes=scopes or SCOPES,
            created_at=to_datetime(self.desk.now_us),
        )

    def place(self, slug: str, side: str, quantity: int, price: int | None, **more: Any) -> str:
        """Queue an order; its UUID. Prices in ticks."""
        order_id = MINT.uuid(self.now_us)
        cid = more.pop("client_order_id", None)
        body = payload.PlacePayload(side=int(side == "sell"), type=int(price is None), quantity_lots=quantity, price_ticks=price, **more)
        self.command(CommandKind.PLACE, body, slug, order_id, cid)
        return order_id

    def command(
        self, kind: CommandKind, body: payload.Payload, slug: str | None, order_id: str | None = None, cid: str | None = None
    ) -> int:
        key = self.keys[slug] if slug else self.operator
        command = intake.NewCommand(
            book_id=self.book_id,
            account_id=key.account_id if slug else None,
            kind=int(kind),
            payload=payload.encode(body),
            actor=f"key:{key.uuid}",
            order_id=order_id,
            client_order_id=cid,
        )
        with transaction.atomic():
            return intake.submit(commands=[command], now_us=self.now_us)[0]

    def cancel(self, slug: str, order_id: str) -> None:
        self.command(CommandKind.CANCEL, payload.CancelPayload(), slug, order_id)

    def amend(self, slug: str, order_id: str, **new: int) -> None:
        self.command(CommandKind.AMEND, payload.AmendPayload(**new), slug, order_id)

    def phase(self, phase: Phase) -> None:
        self.command(CommandKind.SET_PHASE, payload.PhasePayload(phase=int(phase), reason="test"), None)

    def post_only(self, on: int) -> None:
        """Keep takers out, or let them in again."""
        self.command(CommandKind.SET_POST_ONLY, payload.PostOnlyPayload(on=on, reason="test"), None)

    def match(self) -> None:
        """Match until idle."""
        self.now_us += 1000
        while match_once(self.lane, book_id=self.book_id, now_us=self.now_us).outcome is Outcome.MATCHED:
            self.now_us += 1000

    def trade_a_day(self) -> None:
        """An auction, crossing and resting orders, amends, self-trade, a halt, cancels; some orders still rest at the end."""
        self.place("holder", "sell", 3, 200)
        self.place("other", "buy", 2, 210)
        self.match()
        self.phase(Phase.CONTINUOUS)
        self.match()
        asks = [self.place("holder", "sell", 4, price) for price in (220, 221, 222)]
        self.place("third", "buy", 6, 221, client_order_id="first")
        self.place("third", "buy", 3, 100)
        self.match()
        self.amend("holder", asks[2], price_ticks=215)
        self.amend("holder", asks[1], quantity_lots=3)
        self.place("other", "buy", 1, None)
        self.place("third", "sell", 1, 230)
        bid = self.place("third", "buy", 2, 240, stp=3)
        self.match()
        self.phase(Phase.HALTED)
        self.place("other", "buy", 1, 300)
        self.match()
        self.phase(Phase.CONTINUOUS)
        self.cancel("third", bid)
        self.place("other", "buy", 2, 150, tif=1, expire_us=self.now_us + 60_000_000)
        self.place("other", "buy", 1, 140, client_order_id="second")
        self.anchor()
        self.place("other", "buy", 90_000, 150)
        self.match()
        self.post_only(1)
        self.place("other", "buy", 1, 230)
        self.match()
        self.post_only(0)
        self.match()

    def anchor(self) -> None:
        """Anchor what the registry has remembered, with a key that this test's venue has."""
        signer = Signer("11" * 32)
        publish_key(public_key=signer.public_key, actor="command:test", now_us=self.now_us)
        assert make_anchor(signer=signer, actor="command:test", now_us=self.now_us)


_TABLES = """
SELECT c.relname, (SELECT array_agg(k.conname::text) FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype IN ('c', 'f')),
       EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal)
FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.relname ~ '^(rights|settlement|exchange)_'
"""


def tamper(*statements: str, params: tuple[object, ...] = ()) -> int:
    """Change rows as nobody may: without constraints and triggers. How many rows the last statement touched.

    The triggers are in force again afterwards; all of it ends with the test's transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(_TABLES)
        tables = cursor.fetchall()
        for table, constraints, _ in tables:
            if constraints:
                cursor.execute(f"ALTER TABLE {table} " + ", ".join(f"DROP CONSTRAINT {name}" for name in constraints))
        guarded = [table for table, _, has_triggers in tables if has_triggers]
        for table in guarded:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for statement in statements[:-1]:
            cursor.execute(statement)
        cursor.execute(statements[-1], params)
        touched = cursor.rowcount
        for table in guarded:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    return touched


def forge_events(stream: str, edit: Callable[[list[dict[str, Any]]], None]) -> None:
    """Rewrite a stream as somebody who may write everything: `edit` changes the bodies, every hash is made to fit."""
    stream_id = Stream.objects.get(code=stream).pk
    bodies = [orjson.loads(body) for body in Event.objects.filter(stream=stream_id).order_by("seq").values_list("body", flat=True)]
    edit(bodies)
    tamper("DELETE FROM rights_event WHERE stream_id = %s", params=(stream_id,))
    last = "0" * 64
    for seq, body in enumerate(bodies, 1):
        body |= {"seq": str(seq), "prev_hash": last}
        text = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
        last = hashlib.sha256(text).hexdigest()
        ref = body["refs"].get("right")
        row = (stream_id, seq, body["id"][4:], body["type"], body["object"]["id"], ref, body["at"], text.decode(), last)
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO rights_event (stream_id, seq, id, type, object_id, ref_right, at, body, hash) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                row,
            )
    Stream.objects.filter(pk=stream_id).update(last_seq=len(bodies), last_hash=last)


def forge_batches(book_id: int, edit: Callable[[dict[int, dict[str, Any]]], None]) -> None:
    """Rewrite a book's batches (columns by seq), every hash made to fit."""
    columns = ("at", "inputs", "public", "checksum")
    batches = {row["seq"]: row for row in Batch.objects.filter(book=book_id).order_by("seq").values("seq", *columns)}
    edit(batches)
    last = "0" * 64
    for seq, row in batches.items():
        inputs, public = bytes(row["inputs"]), bytes(row["public"])
        at = rfc3339(to_us(row["at"]))
        last = chain(last, book_id=book_id, seq=seq, at=at, inputs=inputs, public=public, checksum=row["checksum"])
        update = "UPDATE exchange_batch SET inputs = %s, public = %s, checksum = %s, hash = %s WHERE book_id = %s AND seq = %s"
        tamper(update, params=(inputs, public, row["checksum"], last, book_id, seq))
    tamper("UPDATE exchange_book SET last_hash = %s WHERE instrument_id = %s", params=(last, book_id))
