"""A right sold in ten thousand fills to a hundred buyers, through intake and batches; then what each buyer asks of where his came from."""

import random
from typing import Any

from django.db import transaction

from exchange.bench.market import MINT, Market, make_market
from exchange.models.book import CommandKind
from exchange.services import intake, payload
from exchange.services.batch import Outcome, match_once
from exchange.services.lane import LaneMemory
from rights.kernel import rows
from rights.kernel.clock import now_us

BUYERS = 100
AT_ONCE = 500
_FILLS = "SELECT id::text FROM exchange_trade WHERE book_id = %s AND buyer_id = %s ORDER BY id"
_KEPT = "SELECT id::text FROM rights_right WHERE holder_id = %s AND root_id = %s AND remaining_units > 0"
_SOLD = "SELECT DISTINCT slice_roots[1]::text FROM exchange_trade WHERE book_id = %s"


def sell(*, fills: int) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """([(right, its holder)], [(fill, its buyer)]). Raises when a buyer keeps more than one right of what was sold."""
    market = make_market(traders=BUYERS + 1)
    lane = LaneMemory()
    seller, buyers = market.traders[0].account_id, market.traders[1:]
    _place(market, [(seller, payload.PlacePayload(side=1, type=0, quantity_lots=fills, price_ticks=market.mid_ticks))])
    for first in range(0, fills, AT_ONCE):
        bids = [
            (buyers[number % BUYERS].account_id, payload.PlacePayload(side=0, type=0, quantity_lots=1, price_ticks=market.mid_ticks))
            for number in range(first, min(first + AT_ONCE, fills))
        ]
        _place(market, bids)
        while match_once(lane, book_id=market.book_id, now_us=now_us()).outcome is Outcome.MATCHED:
            pass
    ((root,),) = rows.fetch_all(_SOLD, [market.book_id])
    rights: list[tuple[str, int]] = []
    sold: list[tuple[str, int]] = []
    chance = random.Random(fills)
    for buyer in buyers:
        kept = rows.fetch_all(_KEPT, [buyer.account_id, root])
        if len(kept) != 1:
            raise RuntimeError(f"account {buyer.account_id} keeps {len(kept)} rights of one root")
        rights.append((f"rgt_{kept[0][0]}", buyer.account_id))
        bought = [row[0] for row in rows.fetch_all(_FILLS, [market.book_id, buyer.account_id])]
        sold += [(f"fil_{trade}", buyer.account_id) for trade in chance.sample(bought, min(2, len(bought)))]
    return rights, sold


def _place(market: Market, orders: list[tuple[int, Any]]) -> None:
    commands = [
        intake.NewCommand(
            book_id=market.book_id,
            account_id=account,
            kind=int(CommandKind.PLACE),
            payload=payload.encode(body),
            actor="venue:bench",
            order_id=MINT.uuid(now_us()),
        )
        for account, body in orders
    ]
    with transaction.atomic():
        intake.submit(commands=commands, now_us=now_us())
