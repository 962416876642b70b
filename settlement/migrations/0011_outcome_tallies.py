"""What became of settlements so far is counted once, as settlement/services/tally.py counts from now on."""

import django.db.models.deletion
from django.db import migrations, models

COUNT = """
INSERT INTO settlement_outcometally (issuer_id, compute_class_id, series_id, outcome, requests, used_units, reserved_units)
WITH ran AS (SELECT DISTINCT request_id FROM settlement_route WHERE state = 'completed'),
final AS (SELECT s.id, s.request_id, s.outcome, s.created_at, ran.request_id IS NOT NULL AS ran FROM settlement_settlement s
    LEFT JOIN ran USING (request_id) WHERE s.state = 'finalized'),
reserved AS (
    SELECT f.id, f.outcome, r.issuer_id, r.series_id, sum(t.units) AS units FROM final f JOIN settlement_route t USING (request_id)
    JOIN rights_right r ON r.id = t.right_id
    WHERE CASE WHEN f.ran THEN t.state = 'completed' ELSE f.outcome = 'expired' AND t.state = 'released' AND t.ended_at >= f.created_at END
    GROUP BY 1, 2, 3, 4),
used AS (
    SELECT p.entry_id AS id, r.issuer_id, r.series_id, sum(CASE p.kind WHEN 'consumed' THEN p.amount ELSE -p.amount END) AS units
    FROM settlement_posting p JOIN settlement_asset a ON a.id = p.asset_id JOIN rights_right r ON r.id = a.root_right
    WHERE p.kind IN ('consumed', 'reversed') GROUP BY 1, 2, 3)
SELECT x.issuer_id, s.compute_class_id, x.series_id, x.outcome, count(*), coalesce(sum(used.units), 0), sum(x.units)
FROM reserved x LEFT JOIN used USING (id, issuer_id, series_id) JOIN rights_series s ON s.id = x.series_id GROUP BY 1, 2, 3, 4;
"""
SETTINGS = """
ALTER TABLE settlement_outcometally SET (fillfactor = 40, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);
"""


class Migration(migrations.Migration):

    dependencies = [
        ('rights', '0015_link_guard'),
        ('settlement', '0010_nodes'),
    ]

    operations = [
        migrations.CreateModel(
            name='OutcomeTally',
            fields=[
                ('pk', models.CompositePrimaryKey('issuer', 'compute_class', 'series', 'outcome', blank=True, editable=False, primary_key=True, serialize=False)),
                ('outcome', models.CharField(choices=[('full', 'full'), ('fallback', 'fallback'), ('partial', 'partial'), ('failed', 'failed'), ('expired', 'expired'), ('cancelled', 'cancelled')], max_length=12)),
                ('requests', models.BigIntegerField()),
                ('used_units', models.DecimalField(decimal_places=0, max_digits=40)),
                ('reserved_units', models.DecimalField(decimal_places=0, max_digits=40)),
                ('compute_class', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.computeclass')),
                ('issuer', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.issuer')),
                ('series', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rights.series')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('outcome__in', ('full', 'fallback', 'partial', 'failed', 'expired', 'cancelled'))), name='tally_outcome'), models.CheckConstraint(condition=models.Q(('requests__gt', 0), ('reserved_units__gte', models.F('used_units')), ('used_units__gte', 0)), name='tally_amounts')],
            },
        ),
        migrations.RunSQL(SETTINGS + COUNT, migrations.RunSQL.noop),
    ]
