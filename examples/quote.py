"""A small market maker on the socket: keeps a proven copy of one book and quotes one lot on both sides of its middle.

    EXCHANGE_KEY=key_… python examples/quote.py TXT.CHAT.STD.INT.PRV-20261201T00-P1D 60

The key needs the scopes read, trade and cancel, and the account rights to sell. Needs `websockets`, which the exchange itself uses.
"""

import asyncio
import json
import os
import sys
import zlib
from decimal import ROUND_DOWN, Decimal

import websockets

URL = os.environ.get("EXCHANGE_URL", "http://127.0.0.1:8000").replace("http", "ws", 1) + "/ws/v1"
KEY = os.environ["EXCHANGE_KEY"]


class Book:
    """The venue's book as snapshot and deltas tell it; `prove` compares it with the venue's checksum."""

    def __init__(self) -> None:
        self.seq = 0
        self.sides: dict[str, dict[str, str]] = {"bids": {}, "asks": {}}

    def take(self, message: dict) -> None:
        if message["type"] == "snapshot":
            self.sides = {"bids": {}, "asks": {}}
        elif message["prev_seq"] != self.seq:
            raise RuntimeError(f"a gap between {self.seq} and {message['prev_seq']}: subscribe again")
        for side, levels in self.sides.items():
            for price, quantity, _orders in message["data"][side]:
                if quantity == "0":
                    levels.pop(price, None)
                else:
                    levels[price] = quantity
        self.seq = message["seq"]
        self.prove(message["checksum"])

    def best(self, side: str) -> list[str]:
        return sorted(self.sides[side], key=Decimal, reverse=side == "bids")

    def prove(self, checksum: str) -> None:
        """CRC32 over the ten best levels, asks first, each price and quantity without decimal point and leading zeros."""
        texts = [text for side in ("asks", "bids") for price in self.best(side)[:10] for text in (price, self.sides[side][price])]
        if str(zlib.crc32("".join(text.replace(".", "").lstrip("0") for text in texts).encode())) != checksum:
            raise RuntimeError(f"the book is not the venue's at {self.seq}: subscribe again")


class Maker:
    """Hears the socket, and quotes when told to."""

    def __init__(self, socket: websockets.ClientConnection, symbol: str) -> None:
        self.socket, self.symbol = socket, symbol
        self.book, self.tick = Book(), Decimal(0)

    async def ask(self, op: str, label: str = "", **args: object) -> None:
        await self.socket.send(json.dumps({"op": op, "id": label or op, "args": args}))

    def hear(self, message: dict) -> None:
        if message.get("ok") is False:
            print(f"{message['id']}: {message['error']['code']}: {message['error']['detail']}")
        elif message.get("op") == "place":
            print(f"{message['id']}: {message['result']['status']}")
        elif message.get("type") == "heartbeat":
            pass
        elif message.get("ch") == "instruments" and message["type"] == "snapshot":
            self.tick = next(Decimal(row["tick_size"]) for row in message["data"] if row["symbol"] == self.symbol)
        elif message.get("ch") == "book":
            self.book.take(message)
        elif message.get("ch") == "fills" and message["type"] == "event":
            print(f"filled: {message['data']['side']} {message['data']['quantity']} at {message['data']['price']}")

    async def quote(self) -> None:
        """Take back what rests and quote anew. Commands of one socket keep their order, so nothing has to be waited for."""
        bid, offer = Decimal(self.book.best("bids")[0]), Decimal(self.book.best("asks")[0])
        middle = ((bid + offer) / 2 / self.tick).quantize(Decimal(1), ROUND_DOWN) * self.tick
        await self.ask("cancel_all", instrument=self.symbol, group="example")
        for side, price in (("buy", middle - 3 * self.tick), ("sell", middle + 3 * self.tick)):
            order = {"instrument": self.symbol, "side": side, "quantity": "1", "price": str(price), "post_only": True, "group": "example"}
            await self.ask("place", f"{side} at {price}", **order)


async def main(symbol: str, seconds: float) -> None:
    async with websockets.connect(URL, additional_headers={"Authorization": f"Bearer {KEY}"}) as socket:
        maker = Maker(socket, symbol)
        await maker.ask("subscribe", channel="instruments")
        await maker.ask("subscribe", channel="book", instrument=symbol)
        await maker.ask("subscribe", channel="fills")
        clock = asyncio.get_running_loop().time
        end, due = clock() + seconds, 0.0
        while clock() < end:
            maker.hear(json.loads(await socket.recv()))
            if clock() >= due and maker.tick and all(maker.book.sides.values()):
                await maker.quote()
                due = clock() + 2
        await maker.ask("cancel_all", group="example")
        while json.loads(await socket.recv()).get("id") != "cancel_all":
            pass
    print(f"left with the book proven at {maker.book.seq}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
