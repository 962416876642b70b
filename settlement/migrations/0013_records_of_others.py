"""Records count no request that failed for what was asked, and none of an issuer's own: what is counted so far is counted again."""

from django.db import migrations

COUNT = """
INSERT INTO settlement_outcometally (issuer_id, compute_class_id, series_id, outcome, requests, used_units, reserved_units)
WITH ran AS (SELECT DISTINCT request_id FROM settlement_route WHERE state = 'completed'),
final AS (
    SELECT s.id, s.request_id, s.outcome, s.created_at, s.finalized_at, ran.request_id IS NOT NULL AS ran, h.participant_id AS holder, a.participant_id AS asker
    FROM settlement_settlement s JOIN settlement_receipt c ON c.id = s.receipt_id JOIN settlement_request q ON q.id = s.request_id
    JOIN rights_account h ON h.id = q.holder_id JOIN rights_account a ON a.id = q.account_id LEFT JOIN ran ON ran.request_id = s.request_id
    WHERE s.state = 'finalized'
      AND (s.rule IN ('dispute_upheld', 'reviewed') OR NOT c.body::jsonb @> '{"legs": [{"is_callers": true}]}')),
moved AS (
    SELECT object_id, array_agg(at ORDER BY at) AS ats, array_agg(series_id ORDER BY at) AS series FROM (
        SELECT DISTINCT object_id, at, (body::jsonb #>> '{payload,moved,from}')::bigint AS series_id FROM rights_event WHERE type = 'right.amended') e
    WHERE series_id IS NOT NULL GROUP BY 1),
reserved AS (
    SELECT f.id, f.outcome, r.issuer_id, coalesce((SELECT series_id FROM unnest(m.ats, m.series) u(at, series_id) WHERE at > f.finalized_at ORDER BY at LIMIT 1), r.series_id) AS series_id, sum(t.units) AS units
    FROM final f JOIN settlement_route t USING (request_id) JOIN rights_right r ON r.id = t.right_id
    JOIN rights_issuer i ON i.id = r.issuer_id AND i.participant_id IS DISTINCT FROM f.holder AND i.participant_id IS DISTINCT FROM f.asker
    LEFT JOIN moved m ON m.object_id = 'rgt_' || r.id
    WHERE CASE WHEN f.ran THEN t.state = 'completed' ELSE f.outcome = 'expired' AND t.state = 'released' AND t.ended_at >= f.created_at END
    GROUP BY 1, 2, 3, 4),
used AS (
    SELECT f.id, r.issuer_id, coalesce((SELECT series_id FROM unnest(m.ats, m.series) u(at, series_id) WHERE at > f.finalized_at ORDER BY at LIMIT 1), r.series_id) AS series_id, sum(CASE p.kind WHEN 'consumed' THEN p.amount ELSE -p.amount END) AS units
    FROM final f JOIN settlement_posting p ON p.entry_id = f.id AND p.kind IN ('consumed', 'reversed')
    JOIN settlement_asset a ON a.id = p.asset_id JOIN rights_right r ON r.id = a.root_right
    LEFT JOIN moved m ON m.object_id = 'rgt_' || r.id GROUP BY 1, 2, 3)
SELECT x.issuer_id, s.compute_class_id, x.series_id, x.outcome, count(*), coalesce(sum(used.units), 0), sum(x.units)
FROM reserved x LEFT JOIN used USING (id, issuer_id, series_id) JOIN rights_series s ON s.id = x.series_id GROUP BY 1, 2, 3, 4;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('settlement', '0012_routes_of_packages'),
    ]

    operations = [
        migrations.RunSQL("DELETE FROM settlement_outcometally;" + COUNT, migrations.RunSQL.noop),
    ]
