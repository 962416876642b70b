"""What stands behind an instrument, as parts of statements that have `exchange_instrument i`: its backing, its headroom.

Under dominance the rights of other series are delivered as well, and what backs them counts.
"""

from rights.selectors.supply import LEFT_OF

# Begun from the instrument: told of all instruments' series, the server would read the series and assurances of all for each of them.
_ITS_SERIES = "(SELECT i.series_id UNION ALL SELECT v.series_id FROM exchange_deliverable v WHERE v.instrument_id = i.id) d"
# `state`: null while every assurance that still has units to deliver is sound; needs the parameter `now`.
BACKING = f"""
    SELECT CASE WHEN bool_or(a.status = 'degraded') THEN 'degraded' WHEN bool_or(
        a.status = 'stale' OR a.refreshed_at + make_interval(secs => a.stale_after_s) < %(now)s) THEN 'stale' END AS state
    FROM {_ITS_SERIES} JOIN rights_series x ON x.id = d.series_id JOIN rights_assurance a ON a.compute_class_id = x.compute_class_id
    WHERE EXISTS (SELECT 1 FROM rights_right r
        WHERE r.assurance_id = a.id AND r.remaining_units > 0 AND r.status IN ('issued', 'active', 'frozen')) AND a.window_start <= x.window_start AND a.window_end >= x.window_end
"""
# Whether `a` lets anything be issued now; needs the parameter `now`.
SOUND_NOW = "a.status = 'sound' AND a.refreshed_at + make_interval(secs => a.stale_after_s) >= %(now)s"
# Whether what isn't sound backs more than half of the units in the book's rights; goes with BACKING joined as `backing`, and costs a sum
# only where something is weak. One issuer with a unit of its own stops no book that others share.
WEAK_MOSTLY = f"""
    backing.state IS NOT NULL AND (
        SELECT 2 * coalesce(sum(r.remaining_units) FILTER (WHERE NOT ({SOUND_NOW})), 0) > coalesce(sum(r.remaining_units), 0)
        FROM {_ITS_SERIES} JOIN rights_right r ON r.series_id = d.series_id JOIN rights_assurance a ON a.id = r.assurance_id
        WHERE r.remaining_units > 0 AND r.status IN ('issued', 'active', 'frozen'))
"""
# `units`: what may still be issued that the book would deliver, under assurances that are sound now.
HEADROOM = f"""
    SELECT least(coalesce(sum(a.units), 0), {2**63 - 1})::bigint AS units FROM (
        SELECT DISTINCT a.id, {LEFT_OF} AS units FROM {_ITS_SERIES} JOIN rights_series x ON x.id = d.series_id JOIN rights_assurance a
          ON (a.compute_class_id, a.window_start, a.window_end) = (x.compute_class_id, x.window_start, x.window_end)
        WHERE {SOUND_NOW}) a
"""
