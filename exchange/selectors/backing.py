"""What stands behind an instrument, as parts of statements that have `exchange_instrument i`: its backing, its headroom.

Under dominance the rights of other series are delivered as well, and what backs them counts.
"""

from exchange.services.rules import DELIVERED
from rights.selectors.supply import LEFT_OF

# `state`: null while every assurance that still has units to deliver is sound; needs the parameter `now`.
BACKING = f"""
    SELECT CASE WHEN bool_or(a.status = 'degraded') THEN 'degraded' WHEN bool_or(
        a.status = 'stale' OR a.refreshed_at + make_interval(secs => a.stale_after_s) < %(now)s) THEN 'stale' END AS state
    FROM {DELIVERED} d JOIN rights_series x ON x.id = d.series_id JOIN rights_assurance a ON a.compute_class_id = x.compute_class_id
    WHERE d.instrument_id = i.id AND EXISTS (SELECT 1 FROM rights_right r
        WHERE r.assurance_id = a.id AND r.remaining_units > 0 AND r.status IN ('issued', 'active', 'frozen')) AND a.window_start <= x.window_start AND a.window_end >= x.window_end
"""
# Whether `a` lets anything be issued now; needs the parameter `now`.
SOUND_NOW = "a.status = 'sound' AND a.refreshed_at + make_interval(secs => a.stale_after_s) >= %(now)s"
# Whether what isn't sound backs more than half of the units in the book's rights; goes with BACKING joined as `backing`, and costs a sum
# only where something is weak. One issuer with a unit of its own stops no book that others share.
WEAK_MOSTLY = f"""
    backing.state IS NOT NULL AND (
        SELECT 2 * coalesce(sum(r.remaining_units) FILTER (WHERE NOT ({SOUND_NOW})), 0) > coalesce(sum(r.remaining_units), 0)
        FROM {DELIVERED} d JOIN rights_right r ON r.series_id = d.series_id JOIN rights_assurance a ON a.id = r.assurance_id
        WHERE d.instrument_id = i.id AND r.remaining_units > 0 AND r.status IN ('issued', 'active', 'frozen'))
"""
# `units`: what may still be issued that the book would deliver, under assurances that are sound now.
HEADROOM = f"""
    SELECT least(coalesce(sum(a.units), 0), {2**63 - 1})::bigint AS units FROM (
        SELECT DISTINCT a.id, {LEFT_OF} AS units FROM {DELIVERED} d JOIN rights_series x ON x.id = d.series_id JOIN rights_assurance a
          ON (a.compute_class_id, a.window_start, a.window_end) = (x.compute_class_id, x.window_start, x.window_end)
        WHERE d.instrument_id = i.id AND {SOUND_NOW}) a
"""
