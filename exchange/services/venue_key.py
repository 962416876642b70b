"""The private half of the venue's key: the setting VENUE_KEY, or a file of its owner's beside the data, made on first use.

Its public half is in the registry. A process whose key is not the live one signs nothing, rather than with a key nobody knows.
"""

import secrets
from pathlib import Path

from django.conf import settings

from exchange.embedded.record import write_private
from rights.domain.signing import Signer
from rights.models import VenueKey
from rights.services.venue_keys import VenueKeyRefusal, publish_key, replace_key

FILE = "venue_key"


def current_signer(*, actor: str, now_us: int) -> Signer:
    """Who signs now; the public half is published if it is new. Raises VenueKeyRefusal."""
    signer = stored_signer()
    if signer is None:
        live = VenueKey.objects.filter(retired_at=None).first()
        if live is not None:
            raise VenueKeyRefusal(f"the venue signs with key {live.key_id}, this process has none: set VENUE_KEY")
        signer = _made()
    publish_key(public_key=signer.public_key, actor=actor, now_us=now_us)
    return signer


def live_signer() -> Signer:
    """Who signs now, for rooms that only read: nothing is made or published. Raises VenueKeyRefusal when this process lacks the live key."""
    signer = stored_signer()
    live = VenueKey.objects.filter(retired_at=None).first()
    if live is None:
        raise VenueKeyRefusal("the venue has no key yet: the timetable publishes one with the first anchor")
    if signer is None or signer.key_id != live.key_id:
        raise VenueKeyRefusal(f"the venue signs with key {live.key_id}, which is not at hand here: set VENUE_KEY")
    return signer


def stored_signer() -> Signer | None:
    """The private half as this process finds it; None before the first use. Raises VenueKeyRefusal when it is no key."""
    text = settings.VENUE_KEY
    if not text:
        try:
            text = _path().read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return None
    try:
        return Signer(text)
    except ValueError as fault:
        raise VenueKeyRefusal(f"{'VENUE_KEY' if settings.VENUE_KEY else _path()}: {fault}") from None


def rotate(*, reason: str, actor: str, now_us: int) -> Signer:
    """Retire the live key. The new one is what VENUE_KEY says, if set; else it is made and kept. Raises VenueKeyRefusal, ReasonMissing.

    Cut off in the middle, the venue has a key that no process knows, and signs nothing; doing it again puts it right.
    """
    seed = settings.VENUE_KEY or secrets.token_hex(32)
    try:
        signer = Signer(seed)
    except ValueError as fault:
        raise VenueKeyRefusal(f"VENUE_KEY: {fault}") from None
    replace_key(public_key=signer.public_key, reason=reason, actor=actor, now_us=now_us)
    if not settings.VENUE_KEY:
        write_private(_path(), seed)
    return signer


def _path() -> Path:
    return Path(settings.DATA_DIR) / FILE


def _made() -> Signer:
    """A new key in the file, or the one that another process put there first."""
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{FILE}.{secrets.token_hex(8)}.new")
    write_private(draft, secrets.token_hex(32))
    try:
        path.hardlink_to(draft)  # whole at once, and refused when there is one
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return Signer(path.read_text(encoding="ascii").strip())
