"""Make the things rights are sorted by, once each however many sessions ask at the same time: class, series, terms."""

from typing import Any

from django.db import connection, transaction

from rights.domain.fungibility import candidate_keys, dimensions, fingerprint, lot_size
from rights.domain.manifest import Manifest
from rights.kernel.clock import to_datetime
from rights.kernel.planned import insert, load
from rights.models import ComputeClass, Series, Stream, Terms
from rights.services.journal import stream_for


def class_for(*, manifest: Manifest, issuer_tier: int) -> ComputeClass:
    """The class of a manifest, made on first use under a readable key."""
    dims = dimensions(manifest, issuer_tier=issuer_tier)
    print_hex = fingerprint(dims)
    known = load(ComputeClass, "fingerprint = %s", [print_hex])
    if known:
        return known[0]
    unit = manifest.document["resource"]["unit"]
    for key in candidate_keys(dims, print_hex):
        row = ComputeClass(key=key, fingerprint=print_hex, dimensions=dims, unit=unit, lot_size=lot_size(unit))
        # A conflict is either this very class, made by another session, or another class under the same key.
        ComputeClass.objects.bulk_create([row], ignore_conflicts=True)
        found = ComputeClass.objects.filter(fingerprint=print_hex).first()
        if found is not None:
            return found
    raise LookupError(f"no free key for class {print_hex}")


_IDENTITY = "compute_class_id = %s AND window_start = %s AND window_end = %s AND window_mode = %s AND epoch_size_s = %s"


def series_for(*, compute_class: ComputeClass, manifest: Manifest) -> Series:
    """The class in the manifest's window, with the stream of its memory, made on first use."""
    identity: dict[str, Any] = {
        "compute_class": compute_class,
        "window_start": to_datetime(manifest.window_start_us),
        "window_end": to_datetime(manifest.window_end_us),
        "window_mode": manifest.document["window"]["mode"],
        "epoch_size_s": manifest.period_s,
    }
    known = load(Series, _IDENTITY, [compute_class.pk, *tuple(identity.values())[1:]])
    if known:
        return known[0]
    with transaction.atomic():
        number = _next_series_number()
        stream_id = stream_for(f"series:{number}")
        Series.objects.bulk_create([Series(id=number, stream_id=stream_id, **identity)], ignore_conflicts=True)
        row = Series.objects.get(**identity)
        if row.pk != number:  # another session was first; its series has its own stream
            Stream.objects.filter(pk=stream_id).delete()
        return row


def terms_for(*, compute_class: ComputeClass, manifest: Manifest) -> Terms:
    """The terms under their hash, stored on first use."""
    known = load(Terms, "terms_hash = %s", [manifest.terms_hash])
    if known:
        return known[0]
    row = Terms(
        terms_hash=manifest.terms_hash,
        manifest=manifest.text,
        compute_class=compute_class,
        transfer_policy=manifest.document["transfer_policy"],
    )
    insert(row, unless_there=True)
    return row


def _next_series_number() -> int:
    """The series' id is part of its stream's name, so it is drawn first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('rights_series', 'id'))")
        return int(cursor.fetchone()[0])
