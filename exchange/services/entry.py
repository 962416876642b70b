"""Commands of a key that is trusted with less than its scopes: each is judged by itself, none takes another with it (API.md, Identity).

The key's row is locked first, so that what is used of a day's limits is exact however many processes the key calls, and a key that is
revoked meanwhile enters nothing. An order counts with the most it was ever entered for, until it ends; then with what it traded.
"""

from collections.abc import Sequence

import msgspec
from django.db import transaction

from exchange.domain.bounds import APPROVAL, BoundRefusal, Bounds, Used, Wish, bound_refusals, bounds_of
from exchange.domain.command import Side
from exchange.domain.standing_policy import ACTIVE, AGENT, Agency, rules_of
from exchange.models import ApiKey, Policy
from exchange.models.book import CommandKind
from exchange.services import bell
from exchange.services.approvals import ask_approval, use_approval
from exchange.services.intake import INSERT, NewCommand, parameters
from exchange.services.payload import AmendPayload, PlacePayload, decode, encode
from exchange.services.pending import UNREAD_SINCE
from exchange.services.rules import learn
from exchange.services.rules import rules_of as rules_of_book
from rights.kernel import rows
from rights.kernel.clock import to_datetime, to_us
from rights.kernel.ids import Mint
from rights.models import ComputeClass

_MINT = Mint()
_DAY_US = 86_400_000_000
_PLACE, _AMEND = int(CommandKind.PLACE), int(CommandKind.AMEND)
GONE = BoundRefusal("unauthenticated", "the key is revoked or has run out")
PENDING = BoundRefusal("conflict", "the order has not been applied yet; ask again when it has")
AMENDING = BoundRefusal("conflict", "an earlier amendment has not been applied yet; name price and quantity, or ask again when it has")


class Entered(msgspec.Struct, frozen=True):
    """A command's number; or why it has none: refused, or (neither) its client_order_id came before."""

    n: int | None
    refusal: BoundRefusal | None = None


class Size(msgspec.Struct, frozen=True):
    """What an order is, or would be after an amendment."""

    side: int
    price_ticks: int
    lots: int


_USED = """
SELECT d.order_id::text, bool_or(d.is_buy), max(d.notional_minor), coalesce(bool_or(NOT o.is_open), false), coalesce(max(o.notional_minor), 0)
FROM exchange_keydraw d LEFT JOIN exchange_order o ON o.id = d.order_id WHERE d.key_id = %s AND d.day = %s GROUP BY d.order_id
"""
_TWINS = """
SELECT c.client_order_id FROM exchange_command c WHERE c.account_id = %s AND c.client_order_id = ANY(%s::varchar[])
"""
_SIZES = """
SELECT o.id::text, o.side, coalesce(o.price_ticks, 1), o.quantity_lots FROM exchange_order o WHERE o.id = ANY(%(ids)s::uuid[])
UNION ALL
SELECT x.order_id::text, x.side, x.price_ticks, x.quantity_lots FROM (
    SELECT DISTINCT ON (d.order_id) d.order_id, CASE WHEN d.is_buy THEN 0 ELSE 1 END AS side, d.price_ticks, d.quantity_lots
    FROM exchange_keydraw d WHERE d.order_id = ANY(%(ids)s::uuid[]) ORDER BY d.order_id, d.command_id DESC) x
WHERE NOT EXISTS (SELECT 1 FROM exchange_order o WHERE o.id = x.order_id)
"""


# Orders with an amendment that no batch has applied yet: nobody knows what they will be.
_AMENDING = f"""
SELECT DISTINCT c.order_id::text FROM exchange_book b JOIN exchange_command c ON c.book_id = b.instrument_id AND c.xid >= {UNREAD_SINCE}
WHERE b.instrument_id = ANY(%s::bigint[]) AND c.kind = {_AMEND} AND c.order_id = ANY(%s::uuid[]) AND NOT EXISTS (
    SELECT 1 FROM exchange_batch t WHERE t.book_id = b.instrument_id AND t.max_xid >= {UNREAD_SINCE}::text::bigint AND c.n = ANY(t.command_ns))
"""


class _Judged(msgspec.Struct, frozen=True):
    """Why a command may not enter, if it may not; otherwise what it was judged to come to, where its key has limits."""

    refusal: BoundRefusal | None
    size: Size | None = None


class _Drawn(msgspec.Struct):
    """The most each of the key's orders of the day counts for."""

    minor: dict[str, int]
    buys: set[str]

    def besides(self, order_id: str, wanted_minor: int) -> tuple[Used, int]:
        """What all others come to, and what this one would count for."""
        others = {name: minor for name, minor in self.minor.items() if name != order_id}
        used = Used(sum(others.values()), sum(minor for name, minor in others.items() if name in self.buys))
        return used, max(wanted_minor, self.minor.get(order_id, 0))


@transaction.atomic
def enter_by_key(*, key_id: int, commands: Sequence[NewCommand], now_us: int) -> list[Entered]:
    """`enter` for a key that is still to be locked and looked at. The caller rings: he answers somebody, who waits for no doorbell."""
    key = ApiKey.objects.select_for_update(no_key=True).filter(pk=key_id).first()
    if key is None or key.revoked_at is not None or (key.expires_at is not None and to_us(key.expires_at) <= now_us):
        return [Entered(None, GONE) for _ in commands]
    return _enter(key, commands, now_us)


def enter(*, key: ApiKey, commands: Sequence[NewCommand], now_us: int) -> list[Entered]:
    """Let the commands in, inside the caller's transaction, the key's row locked and live; rings after commit. One answer each, in order."""
    answers = _enter(key, commands, now_us)
    for book_id in sorted({c.book_id for c, answer in zip(commands, answers, strict=True) if answer.n is not None}):
        bell.ring_after_commit(book_id, rules_of_book(book_id).lane)
    return answers


def _enter(key: ApiKey, commands: Sequence[NewCommand], now_us: int) -> list[Entered]:
    if not commands:
        return []
    judged = _judged(key, commands, now_us)
    let_in = [_as_judged(c, one.size) for c, one in zip(commands, judged, strict=True) if one.refusal is None]
    inserted = rows.fetch_all(INSERT, parameters(let_in, now_us)) if let_in else []
    answers: list[Entered] = []
    numbers = iter(inserted)
    row = next(numbers, None)
    entered: list[tuple[int, NewCommand, Size | None]] = []
    for command, one in zip(commands, judged, strict=True):
        if one.refusal is not None:
            answers.append(Entered(None, one.refusal))
        elif row is not None and str(row[1]) == str(command.order_id) and row[2] == command.client_order_id:
            answers.append(Entered(row[0]))
            entered.append((row[0], command, one.size))
            row = next(numbers, None)
        else:
            answers.append(Entered(None))
    if key.bounded:
        _draw(key, entered, now_us)
    return answers


def preview_bounds(*, key_id: int, command: NewCommand, now_us: int) -> list[BoundRefusal]:
    """Why the key might not enter this order now; nothing is locked, asked or used up."""
    key = ApiKey.objects.filter(pk=key_id).first()
    if key is None or not key.bounded:
        return []
    learn([command.book_id])
    size = _size(command, {})
    return [] if size is None else _reasons(bounds_on(key), command, size, _drawn(key, now_us), _priorities([command]), now_us)


def bounds_on(key: ApiKey) -> list[Bounds]:
    """The key's own limits and those of the agent's policy that binds it."""
    own = Bounds(
        classes=tuple(key.classes),
        max_order_minor=key.max_order_minor,
        max_daily_minor=key.max_daily_minor,
        approval_above_minor=key.approval_above_minor,
    )
    agency = agency_on(key.pk)
    return [own] if agency is None else [own, bounds_of(agency)]


def agency_on(key_id: int) -> Agency | None:
    """The agent's policy that binds the key now."""
    found = Policy.objects.filter(key_id=key_id, kind=AGENT, state=ACTIVE).values_list("rules", flat=True).first()
    rules = None if found is None else rules_of(AGENT, found)
    return rules if isinstance(rules, Agency) else None


def _as_judged(command: NewCommand, size: Size | None) -> NewCommand:
    """The command as it enters. An amendment says price and quantity both, as it was judged by: what else amends the order at the same
    time, nobody has seen.
    """
    payload = decode(command.kind, command.payload)
    if size is None or not isinstance(payload, AmendPayload):
        return msgspec.structs.replace(command, key_id=None)
    whole = msgspec.structs.replace(payload, price_ticks=size.price_ticks, quantity_lots=size.lots)
    return msgspec.structs.replace(command, key_id=None, payload=encode(whole))


def _judged(key: ApiKey, commands: Sequence[NewCommand], now_us: int) -> list[_Judged]:
    """Why each may not enter. What came before under the same client_order_id is let through to its twin."""
    learn({c.book_id for c in commands})
    if not key.bounded:
        return [_Judged(None)] * len(commands)
    bounds, drawn, priorities = bounds_on(key), _drawn(key, now_us), _priorities(commands)
    cids = [c.client_order_id for c in commands if c.client_order_id is not None]
    twins = {row[0] for row in rows.fetch_all(_TWINS, [key.account_id, rows.text_array(cids)])} if cids else set()
    amending = _amending(commands)  # before the sizes: what is applied between the two reads is in the sizes
    sizes = _sizes(commands)
    found: list[_Judged] = []
    for command in commands:
        if command.kind not in (_PLACE, _AMEND) or command.client_order_id in twins:
            found.append(_Judged(None))
            continue
        size = _size(command, sizes)
        if size is None or (command.order_id in amending and _leaves_out(command)):
            found.append(_Judged(PENDING if size is None else AMENDING))
            continue
        reasons = _reasons(bounds, command, size, drawn, priorities, now_us)
        refusal = _unless_approved(key, command, size, reasons, now_us)
        found.append(_Judged(refusal, size))
        if refusal is None:
            amending |= {command.order_id or ""} if command.kind == _AMEND else set()
            sizes[command.order_id or ""] = size
            drawn.minor[command.order_id or ""] = drawn.besides(command.order_id or "", _notional(command, size))[1]
            drawn.buys |= {command.order_id or ""} if size.side == Side.BUY else set()
    return found


def _reasons(
    bounds: Sequence[Bounds],
    command: NewCommand,
    size: Size,
    drawn: _Drawn,
    priorities: dict[str, str],
    now_us: int,
) -> list[BoundRefusal]:
    book = rules_of_book(command.book_id)
    used, counted = drawn.besides(command.order_id or "", _notional(command, size))
    wish = Wish(book.class_key, priorities.get(book.class_key, ""), size.side == Side.BUY, counted)
    return bound_refusals(bounds=bounds, wish=wish, used=used, scale=book.scale, now_us=now_us)


def _unless_approved(key: ApiKey, command: NewCommand, size: Size, reasons: Sequence[BoundRefusal], now_us: int) -> BoundRefusal | None:
    """The first reason; where only an approval is needed, none if there is one, and otherwise it is asked for."""
    hard = [reason for reason in reasons if reason.code != APPROVAL]
    if hard or not reasons:
        return hard[0] if hard else None
    order = {"book_id": command.book_id, "side": size.side, "price_ticks": size.price_ticks, "quantity_lots": size.lots}
    if use_approval(key=key, order_id=command.order_id or "", now_us=now_us, **order):
        return None
    asked = ask_approval(key=key, notional_minor=_notional(command, size), approval_id=_MINT.uuid(now_us), now_us=now_us, **order)
    return BoundRefusal(APPROVAL, f"{reasons[0].detail}; a member may grant apv_{asked.uuid}, then send the order again")


def _notional(command: NewCommand, size: Size) -> int:
    return size.price_ticks * size.lots * rules_of_book(command.book_id).tick_minor


def _size(command: NewCommand, sizes: dict[str, Size]) -> Size | None:
    """What the order would be; None when an amendment's order is not known yet. A market order is priced at the collar's top."""
    payload = decode(command.kind, command.payload)
    if isinstance(payload, PlacePayload):
        price = payload.price_ticks
        return Size(payload.side, rules_of_book(command.book_id).collar_high if price is None else price, payload.quantity_lots)
    known = sizes.get(command.order_id or "")
    if known is None or not isinstance(payload, AmendPayload):
        return None
    price, lots = payload.price_ticks, payload.quantity_lots
    return Size(known.side, known.price_ticks if price is None else price, known.lots if lots is None else lots)


def _sizes(commands: Sequence[NewCommand]) -> dict[str, Size]:
    """The orders that are to be amended, as they are or as the key last entered them."""
    ids = [c.order_id for c in commands if c.kind == _AMEND and c.order_id is not None]
    return {row[0]: Size(*row[1:]) for row in rows.fetch_all(_SIZES, {"ids": rows.array(ids)})} if ids else {}


def _amending(commands: Sequence[NewCommand]) -> set[str]:
    """Which of the orders that are to be amended have an amendment on its way."""
    amends = [c for c in commands if c.kind == _AMEND and c.order_id is not None]
    if not amends:
        return set()
    books, ids = sorted({c.book_id for c in amends}), [c.order_id for c in amends]
    return {row[0] for row in rows.fetch_all(_AMENDING, [rows.array(books), rows.array(ids)])}


def _leaves_out(command: NewCommand) -> bool:
    """Whether an amendment leaves price or quantity as it is, whatever that then is."""
    payload = decode(command.kind, command.payload)
    return isinstance(payload, AmendPayload) and None in (payload.price_ticks, payload.quantity_lots)


def _priorities(commands: Sequence[NewCommand]) -> dict[str, str]:
    """Each class's priority of service."""
    keys = {rules_of_book(c.book_id).class_key for c in commands}
    found = ComputeClass.objects.filter(key__in=keys).values_list("key", "dimensions")
    return {key: str(dimensions.get("service.priority", "")) for key, dimensions in found}


def _drawn(key: ApiKey, now_us: int) -> _Drawn:
    drawn = _Drawn({}, set())
    for order_id, is_buy, most, has_ended, traded in rows.fetch_all(_USED, [key.pk, _day(now_us)]):
        drawn.minor[order_id] = traded if has_ended else most
        drawn.buys |= {order_id} if is_buy else set()
    return drawn


def _draw(key: ApiKey, entered: Sequence[tuple[int, NewCommand, Size | None]], now_us: int) -> None:
    """Remember what the key has entered."""
    lines = []
    for n, command, size in entered:
        if size is None:
            continue
        buy = "t" if size.side == Side.BUY else "f"
        amounts = f"{_notional(command, size)}\t{size.price_ticks}\t{size.lots}"
        lines.append(f"{n}\t{key.pk}\t{command.order_id}\t{_day(now_us)}\t{buy}\t{amounts}")
    columns = "command_id, key_id, order_id, day, is_buy, notional_minor, price_ticks, quantity_lots"
    rows.copy_rows("exchange_keydraw", columns, lines)


def _day(now_us: int) -> str:
    return to_datetime(now_us // _DAY_US * _DAY_US).date().isoformat()
