"""What a transaction did to a request and what came of it: remembered last of all, and told to whom it concerns.

Who that is and how he hears of it is the venue's to say: `SETTLEMENT_TELL` is the dotted path of a function of keyword arguments `told`
(each event with the UUID it was remembered under) and `now_us`, called in the same transaction behind every other lock but that of the registry's stream, where what became of a package is remembered.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from rights.kernel import rows
from rights.kernel.trip import Answer
from rights.services.journal import NewEvent, append_each

FAMILIES = frozenset({"request", "route", "execution", "receipt", "settlement"})
Told = tuple[NewEvent, str]


@cache
def _teller(path: str) -> Callable[..., None]:
    found: Callable[..., None] = import_string(path)
    return found


def is_of_package(event: NewEvent) -> bool:
    """Whether it stands in the registry's stream, which comes last of all."""
    return event.object_type == "package"


def remember_use(*, events: Sequence[tuple[int, NewEvent]], actor: str, now_us: int, heads: Mapping[int, Answer] | None = None) -> None:
    """Append every event to the stream it is given with, and tell those about requests and settlements. `heads` as `append_each` takes them."""
    used = [fact for fact in events if not is_of_package(fact[1])]
    with rows.together():
        appended = append_each(events=used, actor=actor, now_us=now_us, heads=heads)
        told: list[Told] = [
            (event, done.id) for (_, event), done in zip(used, appended, strict=True) if event.type.partition(".")[0] in FAMILIES
        ]
        if told:
            _teller(settings.SETTLEMENT_TELL)(told=told, now_us=now_us)
        if len(used) < len(events):
            rows.flush()  # the feeds are locked before the registry's stream
            append_each(events=[fact for fact in events if is_of_package(fact[1])], actor=actor, now_us=now_us)
