"""Where facts about a right are remembered: the stream of its series."""

from collections.abc import Iterable

from rights.kernel import rows

_STREAMS = "SELECT r.id::text, s.stream_id FROM rights_right r JOIN rights_series s ON s.id = r.series_id WHERE r.id = ANY(%s::uuid[])"


def streams_of(right_ids: Iterable[str]) -> dict[str, int]:
    """The stream of each right."""
    return dict(rows.fetch_all(_STREAMS, [rows.array(right_ids)]))
