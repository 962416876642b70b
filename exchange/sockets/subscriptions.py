"""Subscribe and unsubscribe: which channel, from where, and the answer before the first message."""

import logging
import re
from typing import Any

import psycopg
from psycopg_pool import PoolTimeout

from exchange.api import fields
from exchange.api.fields import FieldError, unknown
from exchange.api.problems import Problem
from exchange.services.rules import Rules
from exchange.sockets import private
from exchange.sockets.channels import CHANNELS, DEPTHS, Channel, is_planned
from exchange.sockets.closing import Close
from exchange.sockets.connection import Connection
from exchange.sockets.fanout import Fanout, fanout
from exchange.sockets.outbox import Line
from exchange.sockets.reply import Reply
from exchange.sockets.topic import Conflating, Topic

LOG = logging.getLogger(__name__)
_NUMBER = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)


def only(args: dict[str, Any], *names: str) -> None:
    """Raise FieldError for an argument that has no meaning here."""
    for name in args:
        if name not in names:
            raise unknown(f"args.{name}")


async def subscribe(connection: Connection, reply: Reply, args: dict[str, Any]) -> None:
    """Answers first; then the snapshot or the replay; then what happens."""
    channel = _channel(args)
    if channel.private:
        only(args, "channel", "from_seq")
        connection.need("read")
        await connection.spawn(_private(connection, reply, channel, _from_seq(args)))
        return
    only(args, "channel", *(("instrument",) if channel.per_instrument else ()), *(("depth",) if channel.name == "book" else ()))
    depth = _depth(args) if channel.name == "book" else None
    rules = await _rules(connection, args) if channel.per_instrument else None
    await connection.spawn(_public(connection, reply, channel, rules, depth))


async def unsubscribe(connection: Connection, reply: Reply, args: dict[str, Any]) -> None:
    """Also right when nothing was subscribed."""
    channel = _channel(args)
    only(args, "channel", *(("instrument",) if channel.per_instrument else ()))
    instrument = _instrument(args) if channel.per_instrument else None
    await connection.spawn(_leave(connection, reply, channel.name, instrument))


async def _leave(connection: Connection, reply: Reply, channel: str, instrument: str | None) -> None:
    async with connection.subscribing:
        connection.unsubscribe(channel, instrument)
        reply.ok({"channel": channel, "instrument": instrument})


async def _public(connection: Connection, reply: Reply, channel: Channel, rules: Rules | None, depth: int | None) -> None:
    try:
        async with connection.subscribing:
            topic = await _topic(await fanout(), channel.name, rules, depth)
            # From here on nothing is awaited: the answer, the snapshot and what follows are of one moment.
            line = Line(channel.name, topic.instrument, topic if isinstance(topic, Conflating) else None)
            connection.subscribe(line, topic)
            result: dict[str, Any] = {"channel": channel.name, "instrument": topic.instrument, "seq": topic.seq}
            if channel.name == "book":
                result["depth"] = depth or "full"
            reply.ok(result)
            topic.join(line, connection.outbox)
    except Exception as error:  # noqa: BLE001 - told to the client
        reply.refuse(error)


async def _topic(shared: Fanout, channel: str, rules: Rules | None, depth: int | None) -> Topic:
    """The topic, to be joined at once."""
    if rules is None:
        venue = shared.instruments if channel == "instruments" else shared.status
        await venue.prepare()
        return venue
    market = await shared.market(rules)
    if channel == "book":
        return market.book(depth)
    return market.trades if channel == "trades" else market.ticker


async def _private(connection: Connection, reply: Reply, channel: Channel, from_seq: int | None) -> None:
    try:
        async with connection.subscribing:
            await _replay(connection, reply, channel, from_seq)
    except Exception as error:  # noqa: BLE001 - told to the client
        reply.refuse(error)


async def _replay(connection: Connection, reply: Reply, channel: Channel, from_seq: int | None) -> None:
    who, hub = connection.need("read"), connection.hub
    topic = await (await fanout()).private(who.account_id)
    try:
        if from_seq is None:
            start = await private.present(channel.name, who.account_id, hub)
        else:
            start = await private.resume(channel.name, who.account_id, from_seq, hub)
        line = Line(channel.name, None)
        line.queued = line.sent = start.seq
        connection.subscribe(line, topic)
        reply.ok({"channel": channel.name, "instrument": None, "seq": start.seq})
        if start.snapshot is not None:
            connection.outbox.put(start.snapshot, line, start.seq)
        try:
            await topic.replay(line, connection.outbox, hub, after=start.after, first=start.first)
        except (Problem, psycopg.Error, PoolTimeout, OSError) as error:
            # The answer has gone out: the client learns by the closing that there is more to fetch.
            LOG.warning("a replay broke off: %s", error)
            connection.end(Close.GOING_AWAY, "the replay broke off; connect and resume")
    finally:
        topic.joining -= 1


def _channel(args: dict[str, Any]) -> Channel:
    name = args.get("channel")
    if isinstance(name, str) and name in CHANNELS:
        return CHANNELS[name]
    if isinstance(name, str) and is_planned(name):
        raise Problem("not_supported", f"the channel {name[:40]} is not offered yet")
    if name is None:
        raise FieldError("args.channel", "is required", "required")
    return fields.choice(name, "args.channel", CHANNELS)


def _instrument(args: dict[str, Any]) -> str:
    if args.get("instrument") is None:
        raise FieldError("args.instrument", "is required", "required")
    return fields.symbol(args["instrument"], "args.instrument")


async def _rules(connection: Connection, args: dict[str, Any]) -> Rules:
    rules = await connection.hub.rules_named(_instrument(args))
    if rules is None:
        raise FieldError("args.instrument", "is not the symbol of a listed instrument", "unknown_instrument")
    return rules


def _depth(args: dict[str, Any]) -> int | None:
    depth = args.get("depth", 10)
    if isinstance(depth, bool) or not isinstance(depth, int | str) or depth not in DEPTHS:
        raise FieldError("args.depth", 'must be 10, 50 or "full"', "unknown_value")
    return DEPTHS[depth]


def _from_seq(args: dict[str, Any]) -> int | None:
    """A number, or its text: both are how sequence numbers are written."""
    value = args.get("from_seq")
    if value is None:
        return None
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise FieldError("args.from_seq", "must be a sequence number", "invalid")
    return max(value, 1)
