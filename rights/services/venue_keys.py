"""The public halves of the keys the venue signs with: published, and retired. One is live at a time; the database says so too."""

from django.db import IntegrityError, transaction

from rights.domain.reason import stated_reason
from rights.domain.signing import key_id_of
from rights.kernel.clock import rfc3339, to_datetime
from rights.models import VenueKey
from rights.services import journal

PUBLISHED, RETIRED = "venue_key.published", "venue_key.retired"
GRACE_US = 60_000_000  # what was under way when a key was retired may still bear its signature


class VenueKeyRefusal(Exception):
    """This key may not sign for the venue; nothing was written."""


def published(*, public_key: str) -> dict[str, object]:
    """The payload of `venue_key.published`."""
    return {"algorithm": "Ed25519", "public_key": public_key}


def retired(*, until: str, reason: str) -> dict[str, object]:
    """The payload of `venue_key.retired`: nothing signed after `until` counts."""
    return {"reason": reason, "until": until}


def publish_key(*, public_key: str, actor: str, now_us: int) -> None:
    """Make it the venue's key unless it is. Raises VenueKeyRefusal when it was retired, or another one is live."""
    known = VenueKey.objects.filter(key_id=key_id_of(public_key)).first()
    if known is not None:
        if known.retired_at is not None:
            raise VenueKeyRefusal(f"key {known.key_id} was retired; see manage.py venue_key")
        return
    try:
        with transaction.atomic():
            _add(public_key, actor, now_us)
    except IntegrityError:
        live = VenueKey.objects.get(retired_at=None)  # another session was first, with this key or with its own
        if live.public_key != public_key:
            raise VenueKeyRefusal(f"the venue signs with key {live.key_id}, this process has another one: see VENUE_KEY") from None


@transaction.atomic
def replace_key(*, public_key: str, reason: str, actor: str, now_us: int) -> None:
    """Retire the live key and publish this one. Raises ReasonMissing, VenueKeyRefusal for a key that was published before."""
    stated = stated_reason(reason)
    if VenueKey.objects.filter(key_id=key_id_of(public_key)).exists():
        raise VenueKeyRefusal("a key that was published before does not come back: take a new one")
    until_us = now_us + GRACE_US
    for live in VenueKey.objects.select_for_update(no_key=True).filter(retired_at=None).order_by("pk"):
        live.retired_at = to_datetime(until_us)
        live.save(update_fields=["retired_at"])
        _remember(RETIRED, live.key_id, retired(until=rfc3339(until_us), reason=stated), actor, now_us)
    _add(public_key, actor, now_us)


def _add(public_key: str, actor: str, now_us: int) -> None:
    key_id = key_id_of(public_key)
    VenueKey.objects.create(key_id=key_id, public_key=public_key, created_at=to_datetime(now_us))
    _remember(PUBLISHED, key_id, published(public_key=public_key), actor, now_us)


def _remember(kind: str, key_id: str, payload: dict[str, object], actor: str, now_us: int) -> None:
    event = journal.NewEvent(type=kind, object_type="venue_key", object_id=key_id, payload=payload)
    journal.append(stream_id=journal.stream_for("registry"), events=[event], actor=actor, now_us=now_us)
