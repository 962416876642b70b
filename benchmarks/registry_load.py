"""Fill an empty registry for the bench: holders, issuers, series and listings through the services, rights and events by COPY.

What is copied is `benchmarks/registry_history.py`'s; the events are chained as the journal chains them, so that the offline check takes
them. Only for a database of the bench's own.
"""

import hashlib
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from django.db import connection, transaction

from benchmarks.registry_history import Frame, Histories, Row, plan
from exchange.demo.catalog import WARES, manifest
from exchange.services.listing import TradingRules, list_instrument
from exchange.services.participants import NewAccount, appoint_issuer, open_participant
from rights.domain.manifest import read_manifest
from rights.domain.right_events import refs
from rights.kernel import rows
from rights.kernel.clock import rfc3339, to_us
from rights.kernel.ids import Mint, numbered
from rights.models import Account, Issuer, Participant, Series, Stream
from rights.services import journal
from rights.services.post_assurance import Capacity, post_assurance
from rights.services.register import class_for, series_for, terms_for
from settlement.services.ledger import cash_asset

ACTOR = "venue:bench"
SEED = 20_260_101
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
MINT = Mint()
RIGHTS_PER_SERIES = 1000
OVER = 4  # of one in so many series the window is over


_INDEXES = """
SELECT i.indexname, i.indexdef FROM pg_indexes i WHERE i.schemaname = 'public' AND i.tablename = %s
  AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conname = i.indexname)
"""
_ANALYZE = """
ANALYZE rights_right, rights_event, rights_series, rights_stream, rights_terms, rights_computeclass, rights_assurance, rights_account,
    rights_participant, exchange_instrument, exchange_book, exchange_disclosuresheet
"""


class Sizes(msgspec.Struct, frozen=True):
    rights: int
    events: int

    @property
    def series(self) -> int:
        return max(4, self.rights // RIGHTS_PER_SERIES)

    @property
    def holders(self) -> int:
        return max(20, self.rights // 50)

    @property
    def issuers(self) -> int:
        return max(2, min(20, self.series // 4))


class Loaded(msgspec.Struct):
    """What the pages are asked about. Ids are UUID texts."""

    rights: int = 0
    events: int = 0
    series: int = 0
    holders: list[int] = []
    issuers: list[int] = []
    classes: list[str] = []
    symbols: list[str] = []
    sample: list[tuple[str, int, int]] = []  # right, holder, series
    roots: list[tuple[str, int]] = []  # of large families, and their holders


def load(sizes: Sizes, *, now_us: int, seed: int = SEED, say: Callable[[str], None] = lambda _: None) -> Loaded:
    """Everything, series by series, one transaction each."""
    chance = random.Random(seed)
    cash_asset()
    found = Loaded()
    holders = _holders(sizes.holders, now_us)
    found.holders = list(holders)
    issuers = [_issuer(number, now_us) for number in range(sizes.issuers)]
    found.issuers = [issuer.participant.accounts.get().pk for issuer in issuers]
    listed: list[Series] = []
    with _bare("rights_event"), _bare("rights_right"):
        for number in range(sizes.series):
            share = [total // sizes.series + (number < total % sizes.series) for total in (sizes.rights, sizes.events)]
            series = _one_series(found, number, issuers[number % len(issuers)], holders, chance, share[0], share[1], now_us)
            if series is not None:
                listed.append(series)
            if number % 50 == 49:
                say(f"{number + 1} of {sizes.series} series, {found.events} events")
    rows.execute(_ANALYZE)
    found.symbols = [_list(series, now_us) for series in listed]
    found.series = sizes.series
    found.classes.sort()
    rows.execute(_ANALYZE)
    return found


@contextmanager
def _bare(table: str) -> Iterator[None]:
    """Inside, the table is without its indexes and nobody cleans it; then they are made from all rows at once, and it is cleaned once."""
    found = rows.fetch_all(_INDEXES, [table])
    for name, _ in found:
        rows.execute(f"DROP INDEX {name}")
    rows.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off, toast.autovacuum_enabled = off)")
    yield
    if connection.in_atomic_block:
        rows.execute("SET CONSTRAINTS ALL IMMEDIATE")  # what is still to be checked forbids it
    rows.execute("SET statement_timeout = 0")
    rows.execute("SET maintenance_work_mem = '1GB'")
    for _, definition in found:
        rows.execute(definition)
    if not connection.in_atomic_block:
        rows.execute(f"VACUUM (ANALYZE) {table}")
    rows.execute("RESET maintenance_work_mem")
    rows.execute("RESET statement_timeout")
    rows.execute(f"ALTER TABLE {table} RESET (autovacuum_enabled, toast.autovacuum_enabled)")


def _holders(count: int, now_us: int) -> dict[int, str]:
    """Participants with an account each, straight into the tables: nothing of theirs is told by events."""
    at = rfc3339(now_us)
    with transaction.atomic():
        lines = [f"bench-holder-{n}\tholder {n}\tactive\t{at}" for n in range(count)]
        rows.copy_rows("rights_participant", "slug, name, status, created_at", lines)
        owners = dict(Participant.objects.filter(slug__startswith="bench-holder-").values_list("slug", "pk"))
        accounts = [f"{MINT.uuid(now_us)}\t{owners[f'bench-holder-{n}']}\tholder {n}\tapp\tUS\tactive\t{at}" for n in range(count)]
        rows.copy_rows("rights_account", "uuid, participant_id, name, holder_type, jurisdiction, status, created_at", accounts)
    found = Account.objects.filter(participant__slug__startswith="bench-holder-").order_by("pk").values_list("pk", "uuid")
    return {pk: str(uuid) for pk, uuid in found}


def _issuer(number: int, now_us: int) -> Issuer:
    owner = open_participant(
        slug=f"bench-issuer-{number}", name="bench", account=NewAccount("bench"), mint=MINT, actor=ACTOR, now_us=now_us
    )
    return appoint_issuer(
        participant=owner,
        slug=f"bench-{number}",
        issuer_type="provider",
        tier=1,
        issuance_path="centralized-coordinator",
        actor=ACTOR,
        now_us=now_us,
    )


_BANDS = ("economy", "standard", "high", "premium")
_PRIVACIES = ("public", "private")


def _document(number: int, issuer: Issuer, start_us: int, end_us: int) -> dict[str, Any]:
    """The terms of series `number`: one of 24 classes, in a window of its own."""
    ware = WARES[number % len(WARES)]
    document = manifest(ware=ware, units=10**9, start=rfc3339(start_us), end=rfc3339(end_us), reference=f"bench:{number}")
    kind = number // len(WARES)
    document["service"] |= {"quality_band": _BANDS[kind % 4], "privacy_class": _PRIVACIES[kind // 4 % 2]}
    document["issuer"]["id"] = issuer.slug
    return document


def _one_series(
    found: Loaded, number: int, issuer: Issuer, holders: dict[int, str], chance: random.Random, rights: int, events: int, now_us: int
) -> Series | None:
    """Its rights and events, and the series if it is to be listed."""
    is_over = number % OVER == OVER - 1
    today_us = now_us // DAY_US * DAY_US
    start_us = today_us - 40 * DAY_US - number * HOUR_US if is_over else today_us + DAY_US + number * HOUR_US
    sample = read_manifest(_document(number, issuer, start_us, start_us + DAY_US))
    kind = class_for(manifest=sample, issuer_tier=issuer.tier)
    capacity = Capacity(
        mode=sample.document["assurance"]["mode"],
        reference=sample.document["assurance"]["reference"],
        window_start_us=sample.window_start_us,
        window_end_us=sample.window_end_us,
        gross_units=2**61,
        stale_after_s=300 * 86_400,
    )
    before_us = min(now_us, start_us) - 2 * DAY_US
    assurance = post_assurance(
        issuer=issuer, compute_class=kind, capacity=capacity, assurance_id=MINT.uuid(before_us), actor=ACTOR, now_us=before_us
    )
    series = series_for(compute_class=kind, manifest=sample)
    terms_for(compute_class=kind, manifest=sample)
    frame = Frame(
        series_id=series.pk,
        class_key=kind.key,
        fingerprint=kind.fingerprint,
        unit=kind.unit,
        window_start=rfc3339(sample.window_start_us),
        window_end=rfc3339(sample.window_end_us),
        terms_hash=sample.terms_hash,
        manifest=sample.document,
        issuer=issuer.slug,
        issuer_id=issuer.pk,
        assurance=str(assurance.uuid),
        assurance_id=assurance.pk,
        begins_us=before_us,
        ends_us=sample.window_end_us,
        step_us=max(2, DAY_US // max(events, 1)),
        is_over=is_over,
    )
    histories = Histories(frame, holders, chance)
    made: list[Row] = []
    for size, told in plan(chance, rights=rights, events=events):
        family = histories.family(rights=size, events=told)
        made += family
        if size > 100:
            found.roots.append((family[0].id, family[0].holder))
    if is_over:
        histories.close(made)
    with transaction.atomic():
        _copy_rights(frame, made)
        issued = sum(row.max_units for row in made)
        rows.execute("UPDATE rights_assurance SET issued_units = %s WHERE id = %s", [issued, assurance.pk])
        found.events += _copy_events(Stream.objects.select_for_update().get(pk=series.stream_id), histories)
    found.rights += len(made)
    found.sample += [(row.id, row.holder, series.pk) for row in chance.sample(made, min(20, len(made)))]
    if kind.key not in found.classes:
        found.classes.append(kind.key)
    return None if is_over else series


def _list(series: Series, now_us: int) -> str:
    rules = TradingRules(tick_minor=1000, collar_low_ticks=1, collar_high_ticks=100_000, opens_us=to_us(series.window_start) - HOUR_US)
    return list_instrument(series=series, rules=rules, actor=ACTOR, now_us=now_us).symbol


def _copy_rights(frame: Frame, made: list[Row]) -> None:
    columns = (
        "id, series_id, terms_hash, issuer_id, assurance_id, holder_id, controller_id, status, prior_status, freeze_reason, max_units, "
        "remaining_units, reserved_units, parent_id, root_id, netted, activated_at, ends_at, acquired_at, created_at, updated_at"
    )
    lines, ends = [], rfc3339(frame.ends_us)
    for row in made:
        activated = rows.NULL if row.activated_us is None else rfc3339(row.activated_us)
        lines.append(
            f"{row.id}\t{frame.series_id}\t{frame.terms_hash}\t{frame.issuer_id}\t{frame.assurance_id}\t{row.holder}\t{row.holder}\t{row.status}"
            f"\t{row.prior_status}\t{row.freeze_reason}\t{row.max_units}\t{row.units}\t0\t{row.parent or rows.NULL}\t{row.root}\t"
            f"{'t' if row.netted else 'f'}\t{activated}\t{ends}\t{rfc3339(row.since_us)}\t{rfc3339(row.made_us)}\t{rfc3339(row.made_us)}"
        )
    rows.copy_rows("rights_right", columns, lines)


def _copy_events(stream: Stream, histories: Histories) -> int:
    """Chain the facts behind what the stream has, as rights/services/journal.py does; how many."""
    seq, last = stream.last_seq, stream.last_hash
    salts = journal.fresh_salts(len(histories.facts))
    lines = []
    for place, (at_us, kind, right, payload) in enumerate(histories.facts):
        seq += 1
        uuid, at, salt = numbered(at_us, stream.pk, seq), rfc3339(at_us), salts[2 * journal.SALT * place : 2 * journal.SALT * (place + 1)]
        event = journal.NewEvent(kind, "right", f"rgt_{right}", payload, refs(kind, payload))
        body = journal.body_of(
            event=event, event_id=f"evt_{uuid}", code=stream.code, seq=seq, actor=ACTOR, at=at, prev_hash=last, salt=salt
        )
        last = hashlib.sha256(body).hexdigest()
        ref = event.refs.get("right", rows.NULL)
        lines.append(f"{stream.pk}\t{seq}\t{uuid}\t{kind}\trgt_{right}\t{ref}\t{at}\t{rows.escape(body.decode())}\t{last}")
    rows.copy_rows("rights_event", "stream_id, seq, id, type, object_id, ref_right, at, body, hash", lines)
    stream.last_seq, stream.last_hash = seq, last
    stream.save(update_fields=["last_seq", "last_hash"])
    return len(lines)
