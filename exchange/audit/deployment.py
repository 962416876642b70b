"""What is wrong with this deployment: questions about its servers and parts, not about its data (`manage.py doctor`)."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader

from exchange.audit.memory import GUARDS
from exchange.services.pending import UNREAD
from exchange.services.venue_key import stored_signer
from rights.kernel import rows
from rights.kernel.clock import rfc3339, to_us
from rights.models import VenueKey
from rights.services.venue_keys import VenueKeyRefusal

DURABILITY = {"fsync": ("on",), "full_page_writes": ("on",), "synchronous_commit": ("on", "remote_apply", "remote_write")}
OLDEST_SERVER = 150_000
PENDING_S, OVERDUE_S, CLOCK_S = 5, 10, 1.0
ANCHOR_LATE_S = 60
LEAST_FREE_BYTES = 1 << 30


class Diagnosis(msgspec.Struct, frozen=True):
    """One answer. `says` is a sentence: what is fine, or what is wrong and what to do about it."""

    name: str
    ok: bool
    says: str


def diagnose(*, now_us: Callable[[], int]) -> list[Diagnosis]:
    """Every question, also when an earlier one went wrong; without the database only those that need none."""
    found = [_redis(), _disk()]
    try:
        server = connection.cursor().connection.info.server_version
    except DatabaseError as fault:
        return [_bad("database", f"the database can't be reached ({_first_line(fault)}); see DATABASE_URL"), *found]
    version_ok = server >= OLDEST_SERVER
    found.insert(
        0, Diagnosis("database", version_ok, f"PostgreSQL {server // 10_000} answers" + ("" if version_ok else "; 15 or newer is needed"))
    )
    timed = (lambda: _clock(now_us), lambda: _pending(now_us()), lambda: _timetable(now_us()), lambda: _anchors(now_us()))
    for question in (_migrations, _durability, _guards, _venue_key, *timed):
        try:
            found += question()
        except DatabaseError as fault:
            found.append(_bad("database", f"a question could not be asked: {_first_line(fault)}"))
    return found


def _bad(name: str, says: str) -> Diagnosis:
    return Diagnosis(name, False, says)


def _first_line(fault: Exception) -> str:
    return (str(fault).splitlines() or [type(fault).__name__])[0]


def _migrations() -> Iterator[Diagnosis]:
    loader = MigrationLoader(connection)
    missing = sorted(f"{app}.{name}" for app, name in loader.graph.nodes.keys() - loader.applied_migrations.keys())
    yield Diagnosis(
        "migrations", not missing, f"not applied: {', '.join(missing)}; run manage.py migrate" if missing else "all migrations are applied"
    )


def _durability() -> Iterator[Diagnosis]:
    found = dict(rows.fetch_all("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(DURABILITY)]))
    for name, allowed in DURABILITY.items():
        value = found.get(name, "unknown")
        ok = value in allowed
        wrong = "what clients were told is done can be lost in a crash; set it on"
        yield Diagnosis(name, ok, f"{name} is {value}" + ("" if ok else f": {wrong}"))


def _guards() -> Iterator[Diagnosis]:
    wanted = [*GUARDS, ("rights_right", "right_lifecycle"), ("rights_assurance", "assurance_capacity_update")]
    sql = "SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE t.tgenabled IN ('O', 'A')"
    missing = sorted(trigger for _, trigger in set(wanted) - set(rows.fetch_all(sql)))
    says = (
        f"missing or disabled: {', '.join(missing)}; history can be edited"
        if missing
        else "history can't be edited: all guards are in force"
    )
    yield Diagnosis("guards", not missing, says)


def _venue_key() -> Iterator[Diagnosis]:
    """Two processes with different keys: one of them is not the registry's live one, and says so wherever it is asked."""
    live = VenueKey.objects.filter(retired_at=None).first()
    try:
        own = stored_signer()
    except VenueKeyRefusal as refusal:
        yield _bad("venue_key", f"the private key can't be read: {refusal}")
        return
    if own is None or live is None:
        yield Diagnosis("venue_key", live is None, "the venue's key is made on first use" if live is None else _NO_KEY.format(live.key_id))
        return
    ok = own.key_id == live.key_id
    wrong = (
        f"this machine has key {own.key_id}, the venue signs with {live.key_id}: set VENUE_KEY alike everywhere, or see manage.py venue_key"
    )
    yield Diagnosis("venue_key", ok, f"this machine signs with the venue's key {own.key_id}" if ok else wrong)


_NO_KEY = "this machine has no private key, the venue signs with {}: set VENUE_KEY, or no receipt is signed and no anchor made here"
_ANCHORS = """
SELECT extract(epoch from %(now)s::timestamptz - min(e.at))::bigint FROM rights_stream s CROSS JOIN LATERAL (
    SELECT coalesce(max(last_seq), 0) AS seq FROM rights_anchorspan WHERE stream_id = s.id) a
JOIN rights_event e ON e.stream_id = s.id AND e.seq = a.seq + 1 AND e.type <> 'anchor.made' WHERE s.last_seq > a.seq
"""


def _anchors(now_us: int) -> Iterator[Diagnosis]:
    row = rows.fetch_one(_ANCHORS, {"now": rfc3339(now_us)})
    age = row[0] if row and row[0] is not None else 0
    ok = age <= settings.ANCHOR_EVERY_S + ANCHOR_LATE_S
    wrong = f"events wait {age} s for an anchor, one is due every {settings.ANCHOR_EVERY_S} s: is the sweeper running, and has it the venue's key?"
    yield Diagnosis("anchors", ok, f"no event waits longer than {settings.ANCHOR_EVERY_S} s for an anchor" if ok else wrong)


def _clock(now_us: Callable[[], int]) -> Iterator[Diagnosis]:
    before = now_us()
    row = rows.fetch_one("SELECT clock_timestamp()")
    middle = (before + now_us()) // 2
    apart = abs(to_us(row[0]) - middle) / 1_000_000 if row else 0.0
    ok = apart <= CLOCK_S
    says = f"the clocks of this machine and of the database are {apart:.3f} s apart"
    yield Diagnosis("clock", ok, says if ok else f"{says}; expiries and gates will come at the wrong moment: synchronise them")


_PENDING = f"""
{UNREAD} SELECT count(*), extract(epoch from %(now)s::timestamptz - min(accepted_at))::bigint FROM unread
WHERE accepted_at < %(now)s::timestamptz - make_interval(secs => %(patience)s)
"""


def _pending(now_us: int) -> Iterator[Diagnosis]:
    """A lane that is silent shows in what waits for it; a process that merely lives shows nothing."""
    row = rows.fetch_one(_PENDING, {"now": rfc3339(now_us), "patience": PENDING_S})
    count, age = row or (0, None)
    wrong = f"{count} accepted commands wait longer than {PENDING_S} s, the oldest {age} s: no lane takes them; look at the matchers and the sweeper"
    yield Diagnosis("lanes", not count, wrong if count else f"no accepted command waits longer than {PENDING_S} s")


_OVERDUE = """
SELECT count(*) FILTER (WHERE b.next_expiry < %(late)s), count(*) FILTER (WHERE i.gate_closes_at < %(late)s AND b.phase <> 3)
FROM exchange_book b JOIN exchange_instrument i ON i.id = b.instrument_id WHERE b.phase <> 3
"""


def _timetable(now_us: int) -> Iterator[Diagnosis]:
    row = rows.fetch_one(_OVERDUE, {"late": rfc3339(now_us - OVERDUE_S * 1_000_000)})
    expiries, gates = row or (0, 0)
    ok = not expiries and not gates
    wrong = f"{expiries} books have orders overdue to expire, {gates} are open past their gate: the timetable is silent; is the sweeper running?"
    yield Diagnosis("timetable", ok, "openings, gates and expiries come in time" if ok else wrong)


def _redis() -> Diagnosis:
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2, decode_responses=True) as client:
            policy = str(client.info("memory").get("maxmemory_policy", "unknown"))
    except (redis.RedisError, OSError) as fault:
        return _bad("doorbell", f"Redis can't be reached ({_first_line(fault)}): books are matched by the sweeper only; see REDIS_URL")
    ok = policy == "noeviction"
    return Diagnosis("doorbell", ok, f"Redis answers, maxmemory-policy is {policy}" + ("" if ok else "; set noeviction, or rings get lost"))


def _disk() -> Diagnosis:
    place = Path(settings.DATA_DIR)
    while not place.exists():
        place = place.parent
    usage = shutil.disk_usage(place)
    ok = usage.free >= LEAST_FREE_BYTES
    says = f"{usage.free / 2**30:.1f} GiB are free at {place}"
    return Diagnosis("disk", ok, says if ok else f"{says}; PostgreSQL stops when the disk is full")
